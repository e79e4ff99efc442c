"""One lake: catalogue, Rucio and storage, opened together and lazily."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from lake.catalogue.session import open_engine, session_factory
from lake.config import Element, LakeConfig
from lake.errors import Fatal, Retriable
from lake.grant import Grant
from lake.rucio.client import RucioClient
from lake.storage import credentials
from lake.storage.opening import open_store
from lake.storage.store import Ref, Store, key_of


class Lake:
    """What every function of the lake works on.

    Opening costs nothing: the database connects at the first query, Rucio's client is imported at the
    first call. A lake may be used by several threads; across processes pass its `config` and open it there.

    Parameters
    ----------
    config
        Addresses and credentials.
    """

    def __init__(self, config: LakeConfig) -> None:
        self.config = config

    @classmethod
    def open(cls, config: LakeConfig) -> Lake:
        """A lake on the given services."""
        return cls(config)

    @cached_property
    def engine(self) -> Engine:
        """Engine on the catalogue."""
        return open_engine(self.config.database_url)

    @cached_property
    def sessions(self) -> sessionmaker[Session]:
        """Sessions on the catalogue."""
        return session_factory(self.engine)

    @cached_property
    def rucio(self) -> RucioClient:
        """Rucio."""
        return RucioClient(self.config)

    @cached_property
    def store(self) -> Store:
        """The storage element."""
        if self.config.store_credentials is not None:
            credentials.use(self.config.store_credentials)
        return open_store(self.config.store)

    def at(self, rse: str) -> Lake:
        """The same lake from where another storage element is the near one: what is made is stored there.

        Raises
        ------
        Fatal
            When there is none of the name, or this process does not reach it.
        """
        if rse == self.config.rse:
            return self
        near = next((one for one in self.config.others if one.rse == rse and one.store), None)
        if near is None:
            raise Fatal(
                f"The storage element {rse} is not reached from here; `heliolake site list` has those."
            )
        mine = Element(self.config.rse, self.config.store, self.config.embargoed)
        others = (mine, *(one for one in self.config.others if one.rse != rse))
        there = Lake(replace(self.config, rse=rse, store=near.store, embargoed=near.embargoed, others=others))
        there.__dict__["engine"] = self.engine  # one pool of connections
        return there

    @cached_property
    def stores(self) -> tuple[Store, ...]:
        """The stores that this process reaches: the near one, and those of other sites."""
        return (self.store, *(open_store(one.store) for one in self.config.others if one.store))

    def holders(self, key: str) -> Iterator[Store]:
        """Stores that hold a key, the near one first; a store that does not answer is passed over."""
        if len(self.stores) == 1:
            yield self.store  # whether it does shows when it is read
            return
        for store in self.stores:
            try:
                there = store.stat(key) is not None
            except (Retriable, Fatal):
                continue
            if there:
                yield store

    def store_of(self, key: str) -> Store:
        """The nearest store that holds a key; the near one where none does."""
        return next(self.holders(key), self.store)

    def ref(self, _grant: Grant, scope: str, name: str, sha256: str = "") -> Ref:
        """A stored file, as a worker is told of it; for those to whom it was granted."""
        key = key_of(scope, name)
        return Ref(self.store_of(key).url, key, sha256)

    def place_of(self, _grant: Grant, scope: str, name: str) -> str:
        """Where a file lies, for people to whom it was granted."""
        key = key_of(scope, name)
        return self.store_of(key).place(key)

    def close(self) -> None:
        """Give the database connections back."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

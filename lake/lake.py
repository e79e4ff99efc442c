"""One lake: catalogue, Rucio and storage, opened together and lazily."""

from __future__ import annotations

from functools import cached_property

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from lake.catalogue.session import open_engine, session_factory
from lake.config import LakeConfig
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

    def ref(self, _grant: Grant, scope: str, name: str, sha256: str = "") -> Ref:
        """A file on the storage element, as a worker is told of it; for those to whom it was granted."""
        return Ref(self.store.url, key_of(scope, name), sha256)

    def place_of(self, _grant: Grant, scope: str, name: str) -> str:
        """Where a file lies, for people to whom it was granted."""
        return self.store.place(key_of(scope, name))

    def close(self) -> None:
        """Give the database connections back."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Where the page finds the catalogue: in a home that a scheduler is told; secrets lie in its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from cluster.board.named import SITE, VARIABLE
from cluster.home.elsewhere import secret_in
from cluster.home.home import Home
from cluster.sites.book import Book
from lake.config import Element, LakeConfig
from lake.lake import Lake

#: No page is worth more of the database: what takes longer is given up, and nothing is changed.
_LIMITS: Final = (
    "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '2s'"
)


@dataclass(frozen=True)
class SiteFacts:
    """What the page says of a site, besides its work."""

    name: str
    rse: str
    storage: str
    drained: bool
    here: bool


@dataclass(frozen=True)
class Source:
    """Where the page finds what it shows.

    Attributes
    ----------
    home
        The home.
    site
        Whose scheduler this is; '' where the home's own.
    """

    home: Home
    site: str = ""

    @classmethod
    def told(cls) -> Source | None:
        """What this process was told; None where nothing."""
        named = os.environ.get(VARIABLE)
        return cls(Home(named), os.environ.get(SITE, "")) if named else None

    def lake(self) -> Lake:
        """The lake without the keys to Rucio, for reading and not for long.

        Raises
        ------
        lake.errors.HeliolakeLakeError
            When the home does not say where its catalogue is, or a file of a secret cannot be read.
        """
        home, book = self.home, Book(self.home)
        outside = home.outside
        near = home.store_credentials
        if outside:
            url = secret_in(home.path / outside.database_url_file)
            named = outside.store_credentials_file
            credentials: Path | None = home.path / named if named else None
        else:
            url, credentials = home.database_url(), near
        here = book.here
        others = (
            Element(site.rse, book.store_url(name)) for name, site in book.sites.items() if name != here
        )
        lake = Lake.open(
            LakeConfig(
                database_url=url,
                rucio_host="",
                account="",
                password="",
                token_path=home.path / "token",
                rse=home.rse,
                store=book.store_url(here),
                store_credentials=credentials,
                others=tuple(others),
            )
        )
        event.listen(lake.engine, "begin", _limited)
        return lake

    def sites(self) -> tuple[SiteFacts, ...]:
        """What is known of sites, the home's own first."""
        book = Book(self.home)
        mine = self.site or book.here
        return tuple(
            SiteFacts(name, site.rse, _kind(site.storage), site.drained, name == mine)
            for name, site in book.sites.items()
        )


def _kind(storage: str) -> str:
    """What a site keeps its files in; its address is nobody's business here."""
    return storage if storage in ("posix", "s3") else "s3" if storage.startswith("s3:") else "posix"


def _limited(connection: Any) -> None:
    connection.exec_driver_sql(_LIMITS)

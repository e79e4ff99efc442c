"""The archive over the lake of the tests, asked as a client asks it, and releases of every standing."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from fastapi.testclient import TestClient
from sqlalchemy import update

from lake.archive.application import archive
from lake.archive.surroundings import Surroundings
from lake.catalogue.dois import Doi
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.governance import accounts, tokens
from lake.governance.doi.office import Office
from lake.governance.doi.registry import Citations, Registry
from lake.governance.policy import OWNER, Scope
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage.store import key_of
from tests.lake.governance.doi.conftest import SAID

SCOPE = "archived"
UNTIL = datetime(2999, 1, 1, tzinfo=UTC)
PREFIX = "10.99871"
STANDINGS = ("public", "embargoed", "withdrawn", "draft")


@dataclass(frozen=True)
class Served:
    """A release of these tests: its name, and its files with their bytes."""

    product: str
    files: dict[str, bytes]
    entries: tuple[FileEntry, ...]
    doi: str = ""

    @property
    def url(self) -> str:
        """Where the archive has it."""
        return f"/api/v1/releases/{self.product}@v0001"

    @property
    def first(self) -> str:
        """Name of its first file."""
        return next(iter(self.files))


@pytest.fixture(scope="session")
def office() -> Office:
    """By whom the data of these tests are."""
    registry = Registry("", "", "", PREFIX, "https://archive.example.org/doi/{doi}", "")
    return Office(registry, Citations({SCOPE: SAID}, Path("governance.yaml")))


@pytest.fixture(scope="session")
def client(lake: Lake, office: Office) -> Iterator[TestClient]:
    """Asks the archive; what goes wrong in it is an answer, as for everybody."""
    serving = archive(lake, Surroundings(office=office))
    with TestClient(serving, raise_server_exceptions=False) as asking:
        yield asking


@pytest.fixture(scope="session")
def served(lake: Lake) -> dict[str, Served]:
    """Releases of two files by their standing."""
    return {standing: _release(lake, number, standing) for number, standing in enumerate(STANDINGS)}


def _release(lake: Lake, number: int, standing: str) -> Served:
    key = ProductKey(SCOPE, f"{standing}_obs", "0")
    made: list[tuple[FileEntry, bytes]] = [_file(lake, standing, number, which) for which in (1, 2)]
    draft = reserve(lake, key, "k")
    entries = tuple(entry for entry, _ in made)
    if standing != "draft":
        publish(lake, draft, list(entries), Provenance(observation_meta={"target": f"{standing} spot"}))
    values: dict[str, object] = {}
    if standing == "embargoed":
        values = {"embargo_until": UNTIL, "embargo_holders": ["ar-holder"]}
    if standing == "withdrawn":
        values = {"status": "WITHDRAWN"}
    if values:
        with transaction(lake.sessions) as session:
            session.execute(update(Release).where(Release.id == draft.release_id).values(**values))
    doi = f"{PREFIX}/{standing}"
    _give_doi(lake, draft.release_id, doi)
    return Served(key.name, {entry.name: data for entry, data in made}, entries, doi)


def _give_doi(lake: Lake, release_id: int, doi: str) -> None:
    """A DOI of a release, as if its registry had confirmed it; of a draft one that is a draft itself."""
    with transaction(lake.sessions) as session:
        release = session.get_one(Release, release_id)
        state = "draft" if release.status == "DRAFT" else "findable"
        values = {"asked": state, "known": state, "product_id": release.product_id, "release_id": release.id}
        session.add(Doi(doi=doi, prefix=PREFIX, **values))


def _file(lake: Lake, standing: str, number: int, which: int) -> tuple[FileEntry, bytes]:
    image = fits.PrimaryHDU(np.full((40, 50), number * 10 + which, np.int16))
    image.header["OBSERVER"] = (f"{standing} {which}", "whose; and 'quoted'")
    image.header["TEMP"] = 1.5
    buffer = io.BytesIO()
    image.writeto(buffer, checksum=True)
    data = buffer.getvalue()
    name = f"{standing}_{which}.fits"
    stored = lake.store.put(key_of(SCOPE, name), data)
    begin = datetime(2021, 1, 1 + number, which, tzinfo=UTC)
    entry = FileEntry(
        SCOPE,
        name,
        "0",
        name.removesuffix(".fits"),
        *stored.checksums,
        date_beg=begin,
        date_end=begin + timedelta(minutes=1),
        shape=(40, 50),
    )
    return replace(entry, original=f"Größe {which}.fits" if which == 2 else ""), data


@pytest.fixture(scope="session")
def token(lake: Lake) -> dict[str, dict[str, str]]:
    """Headers by which somebody shows who they are: a holder, and a stranger."""
    shown = {}
    for name in ("ar-holder", "ar-stranger"):
        accounts.add(lake, name, principal=OWNER)
        made = tokens.make(lake, name, [Scope.READ], principal=OWNER)
        shown[name] = {"Authorization": f"Bearer {made.text}"}
    return shown


def mark_of(browser: TestClient, url: str = "/signin") -> str:
    """What a form of a page holds that was made for this browser."""
    found = re.search(r'name="mark" value="([0-9a-f]+)"', browser.get(url).text)
    assert found is not None
    return found[1]


def sign_in(browser: TestClient, shown: str, to: str = "") -> Any:
    """Sign a browser in with a token."""
    return browser.post("/signin", data={"mark": mark_of(browser), "token": shown, "to": to})


@pytest.fixture
def nobody() -> dict[str, str]:
    """A token that has the form of one, and is none."""
    return {"Authorization": f"Bearer hlk_{secrets.token_hex(5)}_{secrets.token_hex(32)}"}

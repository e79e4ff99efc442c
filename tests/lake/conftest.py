"""A lake on the running home, and small files to put into it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cluster.home.home import Home
from lake.catalogue import migrate
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import stem_of
from lake.storage.store import key_of
from tests.conftest import running
from tests.objects import Objects, require_seaweedfs

MakeFiles = Callable[..., list[FileEntry]]


@pytest.fixture(scope="session")
def lake(home: Home) -> Iterator[Lake]:
    """The lake of the running home."""
    config = home.lake_config()
    migrate(config.database_url)
    with Lake.open(config) as opened:
        yield opened


@pytest.fixture
def scope() -> str:
    """A scope that no other test uses."""
    return f"t_{secrets.token_hex(5)}"


@pytest.fixture
def make_files(lake: Lake, scope: str) -> MakeFiles:
    """Make files whose bytes lie in the storage, as a writer leaves them before they are published."""

    def make(*names: str, level: str = "0", content: str = "", unit: bool = False) -> list[FileEntry]:
        made = []
        for number, name in enumerate(names):
            stored = lake.store.put(key_of(scope, name), f"{name}{content}".encode() * 40)
            begin = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
            made.append(
                FileEntry(
                    scope,
                    name,
                    level,
                    stem_of(name),
                    *stored.checksums,
                    date_beg=begin,
                    date_end=begin + timedelta(minutes=1),
                    shape=(4, 4),
                    meta={"detector": "HI1"},
                    unit_id=f"{scope}-{name}" if unit else None,
                )
            )
        return made

    return make


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """The one SeaweedFS of these tests."""
    require_seaweedfs()
    with Objects(tmp_path_factory.mktemp("s3"), running("objects")) as objects:
        yield objects

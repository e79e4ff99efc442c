"""Both kinds of stores, new for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.storage.cache import FOLDER
from lake.storage.posix import PosixStore
from lake.storage.store import Store
from tests.conftest import running
from tests.objects import Objects, require_seaweedfs


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """The one SeaweedFS of these tests."""
    require_seaweedfs()
    with Objects(tmp_path_factory.mktemp("s3"), running("objects")) as objects:
        yield objects


@pytest.fixture(params=["posix", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store of each kind."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    if request.param == "posix":
        (tmp_path / "rse").mkdir()
        return PosixStore(tmp_path / "rse")
    objects: Objects = request.getfixturevalue("objects")
    return objects.store(secrets.token_hex(6))

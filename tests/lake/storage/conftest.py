"""Both kinds of stores, new for each test."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from lake.storage.cache import FOLDER
from lake.storage.posix import PosixStore
from lake.storage.store import Store
from tests.objects import Objects


@pytest.fixture(params=["posix", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store of each kind."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    if request.param == "posix":
        (tmp_path / "rse").mkdir()
        return PosixStore(tmp_path / "rse")
    objects: Objects = request.getfixturevalue("objects")
    return objects.store(secrets.token_hex(6))

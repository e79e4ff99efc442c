"""A store that is new for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.storage.posix import PosixStore
from lake.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    (tmp_path / "rse").mkdir()
    return PosixStore(tmp_path / "rse")

"""Releases about which tests decide, each its own; and an archive that a server of its own gives out."""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import uvicorn
from astropy.io import fits

from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage.store import key_of
from tests.lake.conftest import MakeFiles

SCOPE = "decided"


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address at which an application answers, as long as the block lasts."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="session")
def simulated(lake: Lake) -> str:
    """A release of what was made from a model."""
    key = ProductKey("modelled", "model_obs", "0")
    buffer = io.BytesIO()
    fits.PrimaryHDU(np.arange(1600, dtype=np.int16).reshape(40, 40)).writeto(buffer, checksum=True)
    stored = lake.store.put(key_of("modelled", "model.fits"), buffer.getvalue())
    meta, begin = {"simulated": True}, datetime(2018, 5, 1, tzinfo=UTC)
    entry = FileEntry(
        "modelled", "model.fits", "0", "model", *stored.checksums, begin, shape=(40, 40), meta=meta
    )
    publish(lake, reserve(lake, key, "k"), [entry], Provenance(observation_meta=meta))
    return key.name


@pytest.fixture
def scope() -> str:
    """The instrument of these tests, which has its curators."""
    return SCOPE


@pytest.fixture
def release(lake: Lake, make_files: MakeFiles) -> str:
    """A public release of an observation of its own."""
    name = f"o_{secrets.token_hex(4)}"
    key = ProductKey(SCOPE, name, "0")
    draft = reserve(lake, key, "k")
    publish(lake, draft, make_files(f"{name}.fits"))
    return f"{key.name}@v0001"

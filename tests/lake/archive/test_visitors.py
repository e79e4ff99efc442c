"""Many visitors who read slowly, or leave in the midst: little is held for each, nothing behind them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.home.home import Home
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage.store import key_of
from tests.conftest import HOUSE

pytestmark = pytest.mark.slow

SCOPE, NAME = "crowded", "crowded_a.fits"
RELEASE = f"/api/v1/releases/{SCOPE}:crowd_obs.l0@v0001"
SIZE = 48 << 20
VISITORS = 100
HELD = 4 << 20
"""Bytes that may be held for each visitor."""


@dataclass(frozen=True)
class Server:
    """A running archive."""

    address: str
    pid: int

    @property
    def memory(self) -> int:
        """Bytes that it holds of its own."""
        said = Path(f"/proc/{self.pid}/status").read_text()
        return int(said.partition("VmRSS:")[2].split()[0]) << 10

    @property
    def descriptors(self) -> int:
        """Open files and connections."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def begun(self, path: str) -> socket.socket:
        """A download of which some bytes were read, and no more are."""
        parts = urlsplit(self.address)
        reader = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        assert reader.recv(100).startswith(b"HTTP/1.1 200")
        return reader


@pytest.fixture
def server(home: Home, lake: Lake) -> Iterator[Server]:
    """An archive without limits, with a release of one large file."""
    stored = lake.store.put(key_of(SCOPE, NAME), b"0123456789abcdef" * (SIZE // 16))
    entry = FileEntry(
        SCOPE, NAME, "0", "crowded_a", *stored.checksums, date_beg=datetime(2020, 2, 2, tzinfo=UTC)
    )
    publish(lake, reserve(lake, ProductKey(SCOPE, "crowd_obs", "0"), "k"), [entry], Provenance())
    line = [sys.executable, "-c", "from heliolake.cli import main; main()", "--home", str(home.path)]
    options = ["serve", "--port", "0", "--downloads", "0", "--rate", "0"]
    with subprocess.Popen([*line, *options], stdout=subprocess.PIPE, text=True, cwd=HOUSE) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[4].removesuffix("/;")
        try:
            yield Server(address, process.pid)
        finally:
            process.terminate()
            process.wait(60)


def test_a_hundred_slow_readers_cost_little_and_nothing_when_they_left(server: Server) -> None:
    ways = (f"{RELEASE}/files/{NAME}", f"{RELEASE}/download?form=zip", f"{RELEASE}/download?form=tar")
    for way in ways:  # what is loaded once
        server.begun(way).close()
    time.sleep(2)
    memory, descriptors = server.memory, server.descriptors
    with ExitStack() as reading:
        for number in range(VISITORS):
            reading.enter_context(server.begun(ways[number % len(ways)]))
        held = server.memory - memory
        opened = server.descriptors - descriptors
        print(f"{held / VISITORS / 1e6:.2f} MB and {opened / VISITORS:.1f} descriptors each")
        assert held < VISITORS * HELD
        assert opened <= 3 * VISITORS
        with urllib.request.urlopen(f"{server.address}{RELEASE}", timeout=30) as answer:  # noqa: S310
            assert answer.status == 200
    until = time.monotonic() + 60
    while server.descriptors > descriptors + 5 and time.monotonic() < until:
        time.sleep(0.2)
    assert server.descriptors <= descriptors + 5

"""The archive as a server: a real one, asked over the network of this machine."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from cluster.home.home import Home
from lake.archive.server import serve
from lake.errors import Fatal
from lake.lake import Lake
from lake.storage.store import key_of
from tests.conftest import HOUSE
from tests.lake.archive.conftest import SCOPE, Served
from tests.stored import path_of


@pytest.fixture(scope="module")
def address(home: Home) -> Iterator[str]:
    """Of an archive that the command serves at a free port."""
    line = [sys.executable, "-c", "from heliolake.cli import main; main()", "--home", str(home.path)]
    with subprocess.Popen(
        [*line, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=HOUSE
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        try:
            yield said.split()[4].removesuffix("/api/v1/releases;").rstrip(";")
        finally:
            process.terminate()
            process.wait(60)


def test_a_file_is_downloaded_from_a_running_archive(address: str, served: dict[str, Served]) -> None:
    release = served["public"]
    with urllib.request.urlopen(f"{address}{release.url}/files/{release.first}") as answer:  # noqa: S310
        assert answer.read() == release.files[release.first]
        assert answer.headers["Server"] is None
    with urllib.request.urlopen(f"{address}/api/v1/releases?instrument={SCOPE}") as answer:  # noqa: S310
        assert len(json.load(answer)["releases"]) == 2


def test_a_damaged_file_breaks_off(address: str, lake: Lake, served: dict[str, Served]) -> None:
    release = served["public"]
    path, data = path_of(lake, SCOPE, release.first), release.files[release.first]
    path.chmod(0o600)
    path.write_bytes(b"y" + data[1:])
    try:
        with (
            urllib.request.urlopen(f"{address}{release.url}/files/{release.first}") as answer,  # noqa: S310
            pytest.raises((http.client.IncompleteRead, ConnectionError)),
        ):
            answer.read()
    finally:
        path.unlink()
        lake.store.put(key_of(SCOPE, release.first), data)


def test_it_listens_on_this_machine_alone(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_named(lake: Lake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fatal, match=f"port {port}.*--port"):
            serve(lake, port=port)

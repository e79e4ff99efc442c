"""The archive as a server: a real one, asked over the network of this machine."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

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
            yield said.split()[4].removesuffix("/;")
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


RUNS = {"curl": ["sh", "get"], "wget": ["sh", "get"], "python": [sys.executable, "get"]}


@pytest.mark.parametrize("tool", RUNS)
def test_a_script_fetches_a_release_and_goes_on_where_it_broke_off(
    address: str, served: dict[str, Served], token: dict[str, dict[str, str]], tool: str, tmp_path: Path
) -> None:
    if tool != "python" and (shutil.which(tool) is None or shutil.which("sha256sum") is None):
        pytest.skip(f"{tool} and sha256sum are not both there")
    run = RUNS[tool]
    release, headers = served["embargoed"], token["ar-holder"]
    request = urllib.request.Request(f"{address}{release.url}/script?by={tool}", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        (tmp_path / "get").write_bytes(answer.read())
    first = tmp_path / release.first
    part = tmp_path / f"{release.first}.part" if tool == "python" else first
    part.write_bytes(release.files[release.first][:100])
    shown = os.environ | {"HELIOLAKE_TOKEN": headers["Authorization"].split()[1]}
    done = subprocess.run(run, cwd=tmp_path, env=shown, check=False)
    assert done.returncode == 0
    assert {name: (tmp_path / name).read_bytes() for name in release.files} == release.files
    assert subprocess.run(run, cwd=tmp_path, env=shown, check=False).returncode == 0  # all is there
    first.unlink()
    part.write_bytes(b"y" + release.files[release.first][1:])
    assert subprocess.run(run, cwd=tmp_path, env=shown, check=False).returncode != 0
    first.unlink(missing_ok=True)
    anonymous = {name: value for name, value in shown.items() if name != "HELIOLAKE_TOKEN"}
    assert subprocess.run(run, cwd=tmp_path, env=anonymous, check=False).returncode != 0


def test_sums_are_such_as_sha256sum_reads(address: str, served: dict[str, Served]) -> None:
    release = served["public"]
    with urllib.request.urlopen(f"{address}{release.url}/sums") as answer:  # noqa: S310
        said = answer.read().decode()
    right = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in release.files.items()]
    assert said.splitlines() == right


def test_it_listens_on_this_machine_alone(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_named(lake: Lake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fatal, match=f"port {port}.*--port"):
            serve(lake, port=port)

"""The first steps that the help page shows are taken as they are written."""

from __future__ import annotations

import html
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from astropy.io import fits

from lake.archive.application import archive
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage.store import key_of
from tests.lake.archive.pages.conftest import serving

pytestmark = pytest.mark.slow

FILES = ("spots_1.fits", "spots_2.fits")
#: Before anything else that tests publish: the help page takes the first release for its example.
BEGIN = datetime(1610, 1, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def address(lake: Lake) -> Iterator[str]:
    """An archive whose first release is one of real FITS files."""
    entries = []
    for name in FILES:
        buffer = io.BytesIO()
        fits.PrimaryHDU(np.arange(12.0).reshape(3, 4)).writeto(buffer, checksum=True)
        stored = lake.store.put(key_of("galileo", name), buffer.getvalue())
        entries.append(FileEntry("galileo", name, "0", name[:-5], *stored.checksums, BEGIN, BEGIN, (3, 4)))
    publish(lake, reserve(lake, ProductKey("galileo", "spots", "0"), "k"), entries, Provenance())
    with serving(archive(lake)) as found:
        yield found


@pytest.fixture(scope="module")
def steps(address: str) -> dict[str, str]:
    """What the page has to be copied, by its name."""
    text = httpx.get(f"{address}/help").text
    found = re.findall(r'<pre id="(\w+)"[^>]*>(.*?)</pre>', text, re.DOTALL)
    return {name: html.unescape(code) for name, code in found}


def taken(words: list[str], folder: Path) -> str:
    """Run a step in a folder, with nothing else known; what it prints."""
    home = {"HOME": str(folder), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        words, cwd=folder, env=home, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_with_curl_somebody_finds_looks_takes_and_checks(steps: dict[str, str], tmp_path: Path) -> None:
    said = taken(["bash", "-euc", steps["curl"]], tmp_path)
    assert "galileo:spots.l0" in said
    assert {path.name for path in tmp_path.rglob("*.fits")} == set(FILES)
    checked = taken(["bash", "-euo", "pipefail", "-c", steps["check"]], tmp_path)
    assert all(f"{name}: OK" in checked for name in FILES)


def test_python_opens_the_first_file_it_finds(steps: dict[str, str], tmp_path: Path) -> None:
    assert "(4, 3)" in taken([sys.executable, "-c", steps["python"]], tmp_path)


def test_a_token_goes_into_a_header(steps: dict[str, str], tmp_path: Path) -> None:
    """The example's token is none, and is refused as such."""
    said = taken(["bash", "-euc", steps["token"].replace("curl ", "curl -sS ")], tmp_path)
    assert '"status":401' in said
    assert "hlk_" not in re.sub("HELIOLAKE_TOKEN=hlk_...", "", steps["token"])

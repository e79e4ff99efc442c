"""`heliolake fluctuation`, and the same in a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import heliolake
from lake.errors import BadInput
from tests.heliolake.conftest import Command
from tests.pipeline.fluctuation.stacks import driven


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("series") / "day.zarr"
    driven(256, 60).chunk({"time": 60}).to_zarr(path)
    return path


def test_a_store_is_analysed_and_told(run: Command, store: Path, tmp_path: Path) -> None:
    words = (
        "fluctuation",
        str(store),
        "-o",
        str(tmp_path / "day.fits"),
        "--states",
        "4",
        "-T",
        "2",
        "-T",
        "3",
    )
    said = run(*words, "--side", "4", "--draws", "30")
    assert said.code == 0, said.err
    assert "hold" in said.out
    assert (tmp_path / "day.fits").exists()
    assert (tmp_path / "day.png").exists()
    again = run(*words)
    assert again.code == 2
    assert "there already" in again.err
    document = json.loads(run(*words, "--anew", "--json").out)
    assert [one["length"] for one in document["theorems"]] == [2, 3]
    assert document["origin"]["stack"] == "day.zarr"


def test_what_cannot_be_is_told_in_a_sentence(run: Command, store: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "day.fits")
    said = run("fluctuation", str(tmp_path / "no.zarr"), "-o", output)
    assert said.code == 2
    assert "no zarr store" in said.err
    said = run("fluctuation", str(store), "-o", output, "--states", "1")
    assert said.code == 2
    assert "states" in said.err
    said = run("fluctuation", str(store), "-o", output, "--at", "wavelength")
    assert said.code == 2
    assert "AXIS=N" in said.err


def test_a_notebook_gives_stores_and_stacks(store: Path) -> None:
    found = heliolake.fluctuation(store, states=4, lengths=(2,), side=4, draws=20)
    other = heliolake.fluctuation(driven(256, 60), states=4, lengths=(2,), side=4, draws=20)
    assert found.theorems[0].detailed == other.theorems[0].detailed
    with pytest.raises(BadInput, match="states"):
        heliolake.fluctuation(store, states="many")
    kept = store.with_name("kept.fits")
    kept.write_bytes(b"of somebody")
    with pytest.raises(BadInput, match="is there already"):
        heliolake.fluctuation(store, kept)
    assert kept.read_bytes() == b"of somebody"

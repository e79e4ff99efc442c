"""The result on disk: tables, provenance, picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from pipeline.fluctuation import Fluctuation, Settings, analyse, write
from tests.pipeline.fluctuation.stacks import driven

SETTINGS = Settings(states=4, lengths=(1, 2), side=4, draws=30, seed=5)


@pytest.fixture(scope="module")
def found() -> Fluctuation:
    stack = driven(256, 60)
    names = np.array([f"a{number}.fits" for number in range(60)], dtype=object)
    stack["source"], stack["sha256"] = ("time", names), ("time", names)
    stack["release"] = ("time", np.array(["toy:a.l1@v0001"] * 60, dtype=object))
    return analyse(stack, SETTINGS, name="day.zarr")


def test_tables_hold_what_was_found(found: Fluctuation, tmp_path: Path) -> None:
    path, picture = write(found, tmp_path / "day.fits")
    assert picture == tmp_path / "day.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    with fits.open(path, checksum=True) as file:
        file.verify("exception")
        np.testing.assert_array_equal(file["TRANSITION"].data, found.chain.transition)
        np.testing.assert_array_equal(file["COUNTS"].data, found.pairs)
    states = Table.read(path, hdu="STATES")
    np.testing.assert_allclose(states["upper"][:-1], found.edges)
    theorems = Table.read(path, hdu="THEOREMS")
    assert list(theorems["length"]) == [1, 2]
    assert theorems["detailed"][1] == found.theorems[1].detailed.value
    assert theorems["holds"][0].strip() == "not told"
    distribution = Table.read(path, hdu="DISTRIBUTION")
    second = distribution[distribution["length"] == 2]
    still = found.theorems[1].still
    assert second["forward"].sum() + second["backward"].sum() + still == found.theorems[1].paths
    assert len(Table.read(path, hdu="ASSUMPTIONS")) == 5


def test_the_header_tells_of_what_and_how_it_was_made(found: Fluctuation, tmp_path: Path) -> None:
    (path,) = write(found, tmp_path / "deep" / "day.fits", picture=False)
    header = fits.getheader(path)
    assert header["STACK"] == "day.zarr"
    assert len(header["STACKSUM"]) == len(header["FRAMESUM"]) == 64
    assert header["PARENT1"] == "toy:a.l1@v0001"
    assert (header["OBSERVAB"], header["OBSUNIT"], header["NSTATES"]) == ("image", "G", 4)
    assert (header["SEED"], header["LENGTHS"], header["CADENCE"]) == (5, "1, 2", 45.0)
    assert Settings(**json.loads(header["SETTINGS"])) == SETTINGS
    assert "counts themselves" in header["CAVEAT1"]
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["day.fits"]


def test_the_same_seed_gives_the_same_result_and_other_values_another_digest(found: Fluctuation) -> None:
    again, other = (analyse(driven(256, 60, seed=seed), SETTINGS) for seed in (1, 2))
    assert again.theorems[1].detailed == found.theorems[1].detailed
    assert again.origin["values_sha256"] == found.origin["values_sha256"]
    assert other.origin["values_sha256"] != found.origin["values_sha256"]

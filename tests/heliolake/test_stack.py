"""`heliolake stack`: releases as one zarr store, for whole frames or for the course of pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import heliolake
from cluster.home.home import Home
from heliolake import Connection
from lake.errors import BadInput
from pipeline import apply
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from pipeline.recipe import recipes
from tests.heliolake.conftest import Command

DAYS = ("hi2a_s4_20070405", "hi2a_s4_20070406")


def simulated(folder: Path, day: int, frames: int = 2, size: int = 64) -> list[Path]:
    start = datetime(2007, 4, day, 0, 9, 21, tzinfo=UTC)
    config = SimulationConfig(
        detector="HI2", spacecraft="A", frames=frames, size=size, exposures=20, stars=20, start=start
    )
    return write_series(folder / str(day), config)


@pytest.fixture(scope="module")
def lake(here: Command, home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A lake that holds two frames of each of two days, raw and processed."""
    folder = tmp_path_factory.mktemp("days")
    for day in (5, 6):
        here("ingest", *simulated(folder, day))
    with heliolake.connect(home.path) as connection:
        connection.process("stereo_hi-l1", observation="hi2a_s4_2007040*")
        yield connection


def test_releases_of_several_days_are_one_lazy_stack(lake: Connection) -> None:
    found = lake.search(observation="hi2a_s4_2007040*", level=1)
    stack = found.stack()
    assert stack["image"].chunks == ((1,) * 4, (64,), (64,))
    assert (np.diff(stack["time"].values) > np.timedelta64(0)).all()
    assert list(stack["release"].values) == [one.name for one in found for _ in range(2)]
    alone = np.concatenate([one.stack()["image"].values for one in found])
    np.testing.assert_array_equal(stack["image"].values, alone)


def test_levels_do_not_go_together(lake: Connection) -> None:
    with pytest.raises(BadInput, match="several levels") as refusal:
        lake.search(observation="hi2a_s4_2007040*").stack()
    assert refusal.value.found == "0, 1"
    with pytest.raises(BadInput, match="no frame matches"):
        lake.search(observation="hi2a_s4_2007040*", level=1)[:0].stack()


@pytest.mark.parametrize("use", ["frames", "series"])
def test_a_store_made_by_workers_holds_the_frames_of_the_releases(
    lake: Connection, here: Command, tmp_path: Path, use: str
) -> None:
    path = tmp_path / f"{use}.zarr"
    said = here("stack", "hi2a_s4_2007040*", "--level", 1, "--for", use, "-o", path)
    assert (said.code, said.out.strip()) == (0, str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = xr.open_zarr(path)
        straight = lake.search(observation="hi2a_s4_2007040*", level=1).stack()
        for name in ("image", "quality", "header", "source", "release", "time"):
            np.testing.assert_array_equal(found[name].values, straight[name].values)
    assert found["image"].attrs["units"]
    assert found["image"].dims == ("time", "y", "x")


def test_a_store_goes_through_a_recipe_like_the_files(
    lake: Connection, here: Command, tmp_path: Path
) -> None:
    path = tmp_path / "raw.zarr"
    here("stack", f"{DAYS[0]}.l0", "-o", path)
    recipe = recipes()["stereo_hi-l1"]
    made = apply(xr.open_zarr(path), recipe)
    straight = apply(lake.product(f"{DAYS[0]}.l0").stack(), recipe)
    np.testing.assert_array_equal(made["image"].values, straight["image"].values)
    assert list(made["header"].values) == list(straight["header"].values)


def test_new_frames_are_added_and_a_store_of_something_else_stays(
    lake: Connection, here: Command, tmp_path: Path
) -> None:
    path = tmp_path / "days.zarr"
    first = here("stack", f"{DAYS[0]}.l1", "-o", path, "--json").document()
    assert (first["frames"], first["new"], first["problems"]) == (2, 2, [])
    grown = here("stack", *(f"{day}.l1" for day in DAYS), "-o", path, "--json").document()
    assert grown["frames"] == 4
    again = here("stack", "hi2a_s4_2007040*", "--level", 1, "-o", path)
    assert "as it was asked for already" in again.err
    refused = here("stack", f"{DAYS[1]}.l1", "-o", path)
    assert refused.code == 2
    assert "--anew" in refused.err
    assert here("stack", f"{DAYS[1]}.l1", "-o", path, "--anew").code == 0
    assert xr.open_zarr(path).sizes["time"] == 2


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["nonsense.l1"], "no release"),
        (["hi2a_s4_2007040*"], "--level"),
        (["hi2a_s4_2007040*", "--level", 1, "--shape", "3x3"], "64 x 64"),
        (["hi2a_s4_2007040*", "--level", 1, "--shape", "wide"], "NYxNX"),
        (["hi2a_s4_2007040*", "--level", 1, "--for", "fun"], "frames or series"),
        (["hi2a_s4_2007040*", "--level", 1, "--since", "2030-01-01"], "widen the query"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_words(
    lake: Connection, here: Command, tmp_path: Path, words: list[object], advice: str
) -> None:
    said = here("stack", *words, "-o", tmp_path / "x.zarr")
    assert said.code == 2
    assert advice in " ".join(said.err.replace("│", " ").split())
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())


def test_a_store_has_a_name_that_says_what_it_is(lake: Connection, here: Command, tmp_path: Path) -> None:
    said = here("stack", f"{DAYS[0]}.l1", "-o", tmp_path / "day.nc")
    assert said.code == 2
    assert "day.zarr" in said.err


def test_a_frame_that_is_lost_is_nan_and_named(here: Command, home: Home, tmp_path: Path) -> None:
    files = simulated(tmp_path, 9)
    here("ingest", *files)
    with heliolake.connect(home.path) as connection:
        lost = connection.product("hi2a_s4_20070409.l0").paths[1]
    content = lost.read_bytes()
    lost.chmod(0o600)
    lost.write_bytes(content[:-2880] + bytes(2880)[::-1] if content[-1] else content[:-1] + b"x")
    try:
        said = here("stack", "hi2a_s4_20070409.l0", "-o", tmp_path / "s.zarr")
        assert said.code == 1
        assert lost.name in said.err
        found = xr.open_zarr(tmp_path / "s.zarr")["image"]
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()
    finally:
        lost.write_bytes(content)


def test_a_notebook_finds_its_store_again_until_it_is_thrown_away(lake: Connection, here: Command) -> None:
    here("cache", "--clear")  # others may have left some in the home
    found = lake.search(observation="hi2a_s4_2007040*", level=1)
    made = lake.stack(found, use="series")
    np.testing.assert_array_equal(made["image"].values, found.stack()["image"].values)
    lake.stack(found, use="series")
    (kept,) = here("cache", "--json").document()["stores"]
    assert (kept["frames"], kept["use"]) == (4, "series")
    assert "series" in here("cache").out
    assert here("cache", "--clear", "--json").document()["freed"] == kept["bytes"]
    assert "Nothing is kept" in here("cache").out


def test_xarray_opens_releases_by_name(lake: Connection, home: Home) -> None:
    opened = xr.open_dataset(
        f"lake:{DAYS[0]}.l1", engine="heliolake", home=home.path, drop_variables="header"
    )
    assert "header" not in opened
    expected = lake.product(f"{DAYS[0]}.l1").stack()["image"].values
    np.testing.assert_array_equal(opened["image"].values, expected)
    guessed = xr.open_dataset(f"lake:{DAYS[0]}.l1@v0001", home=home.path)
    np.testing.assert_array_equal(guessed["image"].values, expected)
    with pytest.raises(BadInput, match="no release"):
        xr.open_dataset("lake:nothing.l1", engine="heliolake", home=home.path)

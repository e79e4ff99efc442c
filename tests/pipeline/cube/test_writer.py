"""Stacks on disk: what was written is what is read, and nobody can write a part of a shard."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cube.finish import finish, layout_of, problems
from pipeline.cube.layout import Layout, Use, layout_for
from pipeline.cube.writer import create, frame_sizes, write_shards, write_span
from pipeline.errors import Fatal
from pipeline.outcome import Outcome, Status
from pipeline.stack import stack_of
from tests.toy import toy_frame

SIZE = (5, 7)
SMALL = Layout(use=Use.SERIES, span=4, chunk=4, tile={"y": 2, "x": 3}, along="y", band=2)
FRAMES = Layout(use=Use.FRAMES, span=4, chunk=2, tile={"y": 5, "x": 7}, along="x", band=7)


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def frames(count: int, **cards: object) -> xr.Dataset:
    rng = np.random.default_rng(count)
    made = [
        toy_frame(0.0, SIZE, FILENAME=f"f{number}.fits", **cards).replace(
            data=rng.normal(size=SIZE), quality=rng.integers(0, 511, SIZE)
        )
        for number in range(count)
    ]
    return stack_of(made)


def times(count: int) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.datetime64("2024-05-06T07:08:09.5", "ns") + np.arange(count) * np.timedelta64(60, "s")


def written(path: Path, stack: xr.Dataset, layout: Layout) -> xr.Dataset:
    count = stack.sizes["time"]
    create(path, stack, count, layout)
    for start, stop in layout.spans(count):
        write_span(path, stack.isel(time=slice(start, stop)), start, layout)
    finish(path, times(count), layout, {})
    return xr.open_zarr(path)


@pytest.mark.parametrize("layout", [SMALL, FRAMES], ids=lambda one: str(one.use))
@pytest.mark.parametrize("count", [1, 4, 7, 9])
def test_what_was_written_is_what_is_read(tmp_path: Path, layout: Layout, count: int) -> None:
    stack = frames(count)
    found = written(tmp_path / "s.zarr", stack, layout)
    for name in ("image", "quality", "header", "source", "outcome"):
        np.testing.assert_array_equal(found[name].values, stack[name].values)
    np.testing.assert_array_equal(found["time"].values, times(count))
    assert layout_of(tmp_path / "s.zarr") == layout


def test_frames_of_any_number_of_dimensions_are_kept(tmp_path: Path) -> None:
    data = np.random.default_rng(1).normal(size=(5, 2, 3, 9, 4)).astype(np.float32)
    texts = {name: ("time", frames(5)[name].values) for name in ("header", "source", "outcome")}
    stack = xr.Dataset(
        {
            "image": (("time", "stokes", "wavelength", "y", "x"), data),
            "quality": (("time", "x"), np.arange(20, dtype=np.uint16).reshape(5, 4)),
            **texts,
        }
    ).chunk({"time": 2})
    sizes = frame_sizes(stack)
    tile = {"stokes": 1, "wavelength": 3, "y": 2, "x": 4}
    layout = Layout(use=Use.SERIES, span=4, chunk=4, tile=tile, along="y", band=4)
    found = written(tmp_path / "s.zarr", stack, layout)
    assert found["image"].dims == stack["image"].dims
    assert sizes == dict(zip(stack["image"].dims[1:], (2, 3, 9, 4), strict=True))
    np.testing.assert_array_equal(found["image"].values, data)
    np.testing.assert_array_equal(found["quality"].values, stack["quality"].values)


def write(job: tuple[Path, xr.Dataset, int, Layout]) -> None:
    write_span(*job)


def test_writers_side_by_side_write_what_one_writes(tmp_path: Path) -> None:
    stack, layout = frames(39).compute(), SMALL
    path = tmp_path / "s.zarr"
    create(path, stack, 39, layout)
    jobs = [
        (path, stack.isel(time=slice(start, stop)).chunk({"time": 1}), start, layout)
        for start, stop in layout.spans(39)
    ]
    random.Random(3).shuffle(jobs)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as writers:
        list(writers.map(write, jobs))
    finish(path, times(39), layout, {})
    found = xr.open_zarr(path)
    np.testing.assert_array_equal(found["image"].values, stack["image"].values)
    np.testing.assert_array_equal(found["quality"].values, stack["quality"].values)


def test_every_shard_belongs_to_one_span_and_is_written_once(tmp_path: Path) -> None:
    stack, path = frames(9), tmp_path / "s.zarr"
    create(path, stack, 9, SMALL)
    owners: dict[Path, int] = {}
    for start, stop in SMALL.spans(9):
        before = {file: file.stat().st_mtime_ns for file in path.rglob("c/**/*") if file.is_file()}
        write_span(path, stack.isel(time=slice(start, stop)), start, SMALL)
        after = {file: file.stat().st_mtime_ns for file in path.rglob("c/**/*") if file.is_file()}
        touched = {file for file, when in after.items() if before.get(file) != when}
        assert touched
        assert not touched & owners.keys()
        owners |= dict.fromkeys(touched, start)
    assert len([file for file in owners if file.is_relative_to(path / "image")]) == 3 * 3


@pytest.mark.parametrize(("start", "count"), [(0, 3), (1, 4), (2, 4), (4, 5), (8, 2), (3, 1)])
def test_frames_that_are_no_span_are_refused_and_nothing_is_written(
    tmp_path: Path, start: int, count: int
) -> None:
    path = tmp_path / "s.zarr"
    create(path, frames(2), 9, SMALL)
    before = sorted(path.rglob("*"))
    with pytest.raises(Fatal, match="no span"):
        write_span(path, frames(count), start, SMALL)
    assert sorted(path.rglob("*")) == before


@given(
    start=st.integers(0, 8),
    count=st.integers(1, 9),
    low=st.integers(0, 4),
    height=st.integers(1, 5),
)
def test_only_whole_shards_can_be_written(start: int, count: int, low: int, height: int) -> None:
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(store, shape=(9, 5), dtype="f4", chunks=(2, 1), shards=(4, 2))
    region = (slice(start, start + count), slice(low, low + height))
    whole = all(
        part.start % step == 0 and (part.stop == size or (part.stop < size and part.stop % step == 0))
        for part, step, size in zip(region, (4, 2), (9, 5), strict=True)
    )
    if whole:
        write_shards(array, region, np.ones((count, height), np.float32))
        assert np.count_nonzero(array[:]) == count * height
    else:
        with pytest.raises(Fatal, match="corrupt"):
            write_shards(array, region, np.ones((count, height), np.float32))
        assert not np.any(array[:])


def test_what_the_writer_forbids_does_corrupt_without_a_word(tmp_path: Path) -> None:
    """Two writers of one shard: each has read it before the other wrote, as happens side by side."""
    made = zarr.create_array(tmp_path / "a", shape=(4,), dtype="f4", chunks=(1,), shards=(4,))
    shard = tmp_path / "a" / "c" / "0"
    made[0:2] = 1.0
    first = shard.read_bytes()
    shard.unlink()
    made[2:4] = 2.0
    shard.write_bytes(first)  # the slower of the two writes back what it had read
    assert np.array_equal(made[:], [1, 1, 0, 0])


def test_a_frame_that_failed_is_nan_and_says_why(tmp_path: Path) -> None:
    stack = frames(5).compute()
    stack["image"][2] = np.nan
    stack["outcome"][2] = Outcome(status=Status.QUARANTINED, reason="torn").model_dump_json()
    path = tmp_path / "s.zarr"
    create(path, stack, 5, FRAMES)
    for start, stop in FRAMES.spans(5):
        write_span(path, stack.isel(time=slice(start, stop)), start, FRAMES)
    finish(path, times(5), FRAMES, {})
    assert {name: one.reason for name, one in problems(path, FRAMES).items()} == {"f2.fits": "torn"}
    found = xr.open_zarr(path)
    assert np.isnan(found["image"][2]).all()
    assert np.isfinite(found["image"][3]).all()


WORLD = {"CRPIX1": 4.0, "CRPIX2": 3.0, "CRVAL1": 10.0, "CRVAL2": -20.0, "CDELT1": 0.5, "CDELT2": 2.0}
NAMED = {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec"}


def test_frames_that_share_their_coordinates_have_them_along_their_axes(tmp_path: Path) -> None:
    found = written(tmp_path / "s.zarr", frames(3, **WORLD, **NAMED), SMALL)
    np.testing.assert_allclose(found["x"], 10 + 0.5 * (np.arange(7) - 3))
    np.testing.assert_allclose(found["y"], -20 + 2 * (np.arange(5) - 2))
    assert found["x"].attrs["units"] == "arcsec"
    assert found["image"].attrs["units"] == "DN"
    assert found["quality"].attrs["flag_meanings"].split()[0] == "missing"
    assert "crpix" in found.coords


@pytest.mark.parametrize(
    "card",
    [
        {"CROTA2": 3.0},
        {"PC1_2": 0.1},
        {"CTYPE1": "HPLN-AZP"},
        {"CDELT1": 4000.0},
        {"CUNIT1": "?"},
        {"CDELT1": None},
    ],
)
def test_frames_that_are_turned_or_bent_say_so_one_by_one_only(
    tmp_path: Path, card: dict[str, object]
) -> None:
    found = written(tmp_path / "s.zarr", frames(3, **(WORLD | NAMED | card)), SMALL)
    assert "x" not in found.coords
    np.testing.assert_array_equal(found["crval"].values, [[10.0, -20.0]] * 3)


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize(
    "sizes",
    [
        {"y": 4096, "x": 4096},
        {"y": 64, "x": 64},
        {"y": 1, "x": 1},
        {"y": 3, "x": 30000},
        {"wavelength": 512},
        {"stokes": 4, "wavelength": 16, "y": 512, "x": 512},
    ],
    ids=str,
)
def test_layouts_keep_shards_whole_and_small(use: Use, sizes: dict[str, int]) -> None:
    layout = layout_for(use, sizes)
    shards, chunks = layout.shards(sizes), layout.chunks(tuple(sizes))
    assert all(shard % chunk == 0 for shard, chunk in zip(shards, chunks, strict=True))
    assert layout.span % layout.chunk == 0
    assert 4 * int(np.prod(shards)) <= 300 * 2**20
    if use is Use.FRAMES:
        assert chunks[1:] == tuple(sizes.values())
    else:
        assert layout.span >= min(16, 2**30 // (4 * int(np.prod(list(sizes.values())))))
        assert 4 * int(np.prod(chunks)) <= 2**20 or layout.span == 1024

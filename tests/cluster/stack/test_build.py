"""Stores are built beside their place: what lies there is whole, and grows without being read again."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import pipeline
from cluster.stack.build import Built, build
from cluster.stack.cache import StackCache
from cluster.stack.order import Order
from lake.errors import BadInput, Fatal
from pipeline.cube.layout import Layout, Use
from pipeline.cube.writer import write_span
from pipeline.outcome import Outcome, Status
from pipeline.recipe import Recipe
from pipeline.stack import as_objects, stack_of
from tests.toy import toy_frame

SIZE = (4, 6)
LAYOUTS = {
    Use.SERIES: Layout(use=Use.SERIES, span=4, chunk=4, tile={"y": 2, "x": 3}, along="x", band=3),
    Use.FRAMES: Layout(use=Use.FRAMES, span=4, chunk=2, tile={"y": 4, "x": 6}, along="x", band=6),
}
IMAGES = np.random.default_rng(5).normal(size=(40, *SIZE)).astype(np.float32)


class Source:
    """Frames of which every reading is noted."""

    def __init__(self, failing: tuple[int, ...] = (), stops_at: int = 10**9) -> None:
        self.read: list[int] = []
        self.failing = failing
        self.stops_at = stops_at

    def frames(self, start: int, stop: int) -> xr.Dataset:
        if start >= self.stops_at:
            raise KeyboardInterrupt
        numbers = range(start, stop)
        made = stack_of(
            [
                toy_frame(0.0, SIZE, FILENAME=f"f{n}.fits", EXPTIME=2.0).replace(data=IMAGES[n])
                for n in numbers
            ]
        )
        outcomes = [self.outcome(n).model_dump_json() for n in numbers]
        image = made["image"].data.map_blocks(self.noted, start, dtype=np.float32)
        return made.assign(
            image=(made["image"].dims, image),
            outcome=("time", as_objects(outcomes)),
            release=("time", as_objects(["toy:day.l0@v0001"] * len(numbers))),
            sha256=("time", as_objects([f"sum{n}" for n in numbers])),
        )

    def outcome(self, number: int) -> Outcome:
        broken = number in self.failing
        return Outcome(status=Status.QUARANTINED, reason="torn") if broken else Outcome()

    def noted(self, block: Any, start: int, block_info: Any = None) -> Any:
        if block_info is not None:
            self.read.append(start + block_info[0]["array-location"][0][0])
        return block


def order(count: int, use: Use = Use.SERIES, source: Source | None = None, first: int = 0) -> Order:
    source = source or Source()
    return Order(
        frames=lambda start, stop: source.frames(first + start, first + stop),
        sha256=[f"sum{n}" for n in range(first, first + count)],
        times=np.datetime64("2024-05-06", "ns") + np.arange(first, first + count) * np.timedelta64(60, "s"),
        layout=LAYOUTS[use],
        attributes={"instrument": "toy"},
    )


def images(path: Path) -> np.ndarray[Any, Any]:
    found = xr.open_zarr(path)
    np.testing.assert_array_equal(found["sha256"].values, [f"sum{n}" for n in range(found.sizes["time"])])
    return np.asarray(found["image"].values)


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("count", [1, 4, 11])
def test_a_store_holds_what_was_ordered_and_nothing_lies_beside_it(
    tmp_path: Path, use: Use, count: int
) -> None:
    made = build(order(count, use), tmp_path / "s.zarr")
    assert (made.frames, made.new, made.problems) == (count, count, {})
    np.testing.assert_array_equal(images(tmp_path / "s.zarr"), IMAGES[:count])
    assert [path.name for path in tmp_path.iterdir()] == ["s.zarr"]


def test_a_store_opened_again_goes_through_a_recipe(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "trace-l1", "instrument": "trace", "from_level": "0", "to_level": "1", "version": 1,
            "steps": [{"step": "normalise_exposure"}],
        }
    )  # fmt: skip
    build(order(5, Use.FRAMES), tmp_path / "s.zarr")
    stack = xr.open_zarr(tmp_path / "s.zarr")
    made = pipeline.apply(stack, recipe)
    straight = pipeline.apply(Source().frames(0, 5).drop_vars(["release", "sha256"]), recipe).compute()
    assert [Outcome.model_validate_json(str(one)).reason for one in made["outcome"].values] == [
        Outcome.model_validate_json(str(one)).reason for one in straight["outcome"].values
    ]
    np.testing.assert_array_equal(made["image"].values, IMAGES[:5] / 2)
    np.testing.assert_array_equal(made["image"].values, straight["image"].values)
    np.testing.assert_array_equal(made["time"].values, stack["time"].values)


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize(("before", "after"), [(4, 9), (6, 7), (3, 20), (8, 8)])
def test_a_store_grows_at_its_end_and_whole_spans_are_not_read_again(
    tmp_path: Path, use: Use, before: int, after: int
) -> None:
    path = tmp_path / "s.zarr"
    build(order(before, use), path)
    opened = xr.open_zarr(path)
    source = Source()
    made = build(order(after, use, source), path)
    assert made.frames == after
    if after > before:
        assert min(source.read) == before // 4 * 4
    else:
        assert not source.read
    np.testing.assert_array_equal(images(path), IMAGES[:after])
    np.testing.assert_array_equal(opened["image"].values, IMAGES[:before])  # who had it open reads on
    assert [one.name for one in tmp_path.iterdir()] == ["s.zarr"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (order(5, Use.FRAMES), "laid out for series"),
        (order(3), "1 of its 4 frames"),
        (order(5, first=1), "1 of its 4 frames"),
    ],
)
def test_a_store_that_holds_something_else_stays_unless_it_is_to_be_replaced(
    tmp_path: Path, other: Order, why: str
) -> None:
    path = tmp_path / "s.zarr"
    build(order(4), path)
    with pytest.raises(BadInput, match=why) as refusal:
        build(other, path)
    assert "--anew" in refusal.value.advice
    np.testing.assert_array_equal(images(path), IMAGES[:4])
    build(other, path, anew=True)
    assert xr.open_zarr(path).sizes["time"] == len(other.sha256)


def test_frames_between_those_of_a_store_are_not_added(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    build(order(4), path)
    turned = order(5)
    late = Order(turned.frames, [turned.sha256[4], *turned.sha256[:4]], turned.times, turned.layout)
    with pytest.raises(BadInput, match="lie in time before its last one"):
        build(late, path)


def test_what_is_no_stack_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    path.mkdir()
    (path / "thesis.tex").write_text("mine")
    with pytest.raises(BadInput, match="no stack of Heliolake"):
        build(order(2), path, anew=True)
    assert (path / "thesis.tex").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["s.zarr"]


def test_broken_off_it_is_not_there_and_given_again_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    with pytest.raises(KeyboardInterrupt):
        build(order(14, source=Source(stops_at=8)), path)
    assert not path.exists()
    source = Source()
    made = build(order(14, source=source), path)
    assert (made.frames, made.new, min(source.read)) == (14, 6, 8)
    np.testing.assert_array_equal(images(path), IMAGES[:14])
    assert [one.name for one in tmp_path.iterdir()] == ["s.zarr"]


def test_another_order_begins_anew_after_one_that_was_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    with pytest.raises(KeyboardInterrupt):
        build(order(14, source=Source(stops_at=8)), path)
    build(order(9, Use.FRAMES), path)
    np.testing.assert_array_equal(images(path), IMAGES[:9])


MOVES: dict[str, Callable[[Path], object]] = {
    "before the old one is back": lambda path: path.rename(path.parent / f".{path.name}.part" / "old"),
    "behind both moves": lambda path: (path.parent / f".{path.name}.part" / "old").mkdir(),
}


@pytest.mark.parametrize("moment", MOVES)
def test_a_crash_while_it_is_put_in_its_place_loses_nothing(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "s.zarr"
    build(order(6), path)
    with pytest.raises(KeyboardInterrupt):
        build(order(12, source=Source(stops_at=8)), path)
    MOVES[moment](path)
    made = build(order(12), path)
    assert made.frames == 12
    np.testing.assert_array_equal(images(path), IMAGES[:12])


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    part = tmp_path / ".s.zarr.part"
    part.mkdir()
    with (part / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another command is writing"):
            build(order(2), tmp_path / "s.zarr")
    assert build(order(2), tmp_path / "s.zarr").frames == 2


def test_nothing_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no frame"):
        build(order(0), tmp_path / "s.zarr")
    assert not list(tmp_path.iterdir())


def test_frames_that_fail_are_named_and_stores_of_nothing_else_not_made(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    made = build(order(6, source=Source(failing=(1, 5))), path)
    assert {name: one.reason for name, one in made.problems.items()} == {"f1.fits": "torn", "f5.fits": "torn"}
    again = build(order(6), path)
    assert (again.new, again.problems.keys()) == (0, made.problems.keys())
    with pytest.raises(Fatal, match="none of the 2 frames could be read: torn"):
        build(order(2, source=Source(failing=(0, 1))), tmp_path / "t.zarr")
    assert [one.name for one in tmp_path.iterdir()] == ["s.zarr"]


def test_a_full_disk_is_told_and_what_was_written_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def short_of_space(store: Path, stack: xr.Dataset, start: int, layout: Layout) -> None:
        if start >= 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(start)
        write_span(store, stack, start, layout)

    monkeypatch.setattr("cluster.stack.build.write_span", short_of_space)
    with pytest.raises(Fatal, match=r"The disk of .* is full.*goes on"):
        build(order(14), tmp_path / "s.zarr")
    monkeypatch.undo()
    assert build(order(14), tmp_path / "s.zarr").new == 6


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match=r"cannot be written.*-o"):
        build(order(2), tmp_path / "file" / "s.zarr")


def test_the_cache_makes_each_store_once_and_can_be_thrown_away(tmp_path: Path) -> None:
    cache = StackCache(tmp_path / "cache")
    source = Source()
    first: Built = cache.get(order(5, source=source))
    again = cache.get(order(5, source=source))
    assert first.path == again.path
    assert again.new == 0
    other = cache.get(order(6, Use.FRAMES))
    assert [one.path for one in cache.listing()] == [other.path, first.path]
    assert cache.clear() > 0
    assert cache.listing() == []
    assert not list((tmp_path / "cache").iterdir())


def test_a_store_half_made_is_never_taken_from_the_cache(tmp_path: Path) -> None:
    cache = StackCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        cache.get(order(14, source=Source(stops_at=8)))
    assert cache.listing() == []
    np.testing.assert_array_equal(images(cache.get(order(14)).path), IMAGES[:14])


def test_the_cache_gives_up_what_was_not_used_for_longest(tmp_path: Path) -> None:
    size = StackCache(tmp_path / "one").get(order(5)).path
    bytes_of_one = sum(file.stat().st_size for file in size.rglob("*") if file.is_file())
    cache = StackCache(tmp_path / "cache", most=int(2.5 * bytes_of_one))
    kept = [cache.get(order(count)).path for count in (5, 6)]
    for number, path in enumerate(kept):
        os.utime(path, (1000 - number, 1000 - number))
    last = cache.get(order(7)).path
    assert {one.path for one in cache.listing()} == {kept[0], last}

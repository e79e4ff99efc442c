"""Reductions: any tree of blocks gives what one block gives."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reduction import Reduced, ReductionKind, StackBlock, lazily, reduce
from pipeline.stack import as_objects, header_text


class Largest:
    """The largest value at every pixel."""

    def map(self, block: StackBlock) -> Reduced:
        good = block.quality == 0
        values = np.asarray(np.where(good, block.image, -np.inf).max(axis=0), dtype=np.float32)
        return Reduced(values, good.sum(axis=0).astype(np.int32), frozenset(block.sources))

    def combine(self, first: Reduced, second: Reduced) -> Reduced:
        return Reduced(
            np.maximum(first.values, second.values), first.count + second.count, first.used | second.used
        )

    def finish(self, partial: Reduced) -> Reduced:
        return partial


def stack(frames: int, chunk: int) -> xr.Dataset:
    rng = np.random.default_rng(frames)
    axes = ("time", "y", "x")
    data: dict[str, Any] = {
        "image": (axes, rng.random((frames, 3, 4)).astype(np.float32)),
        "quality": (axes, (rng.random((frames, 3, 4)) < 0.2).astype(np.uint16)),
        "source": ("time", np.array([f"frame {n}" for n in range(frames)], dtype=object)),
    }
    return xr.Dataset(data).chunk({"time": chunk})


@given(frames=st.integers(1, 12), chunk=st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_a_tree_of_blocks_gives_what_one_block_gives(frames: int, chunk: int) -> None:
    cut = stack(frames, chunk)
    names = tuple(f"frame {n}" for n in range(frames))
    whole = reduce(Largest(), [StackBlock(cut["image"].values, cut["quality"].values, names)])
    with dask.config.set(scheduler="synchronous"):
        found = lazily(Largest(), cut).compute()
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(found.count, whole.count)
    assert found.used == whole.used == frozenset(names)


def test_headers_are_at_hand_where_a_stack_has_them() -> None:
    class Exposures:
        def map(self, block: StackBlock) -> Reduced:
            total = sum(float(header["XPOSURE"]) for header in block.headers)
            return Reduced(np.full((3, 4), total, np.float32), np.ones((3, 4), np.int32), frozenset())

        def combine(self, first: Reduced, second: Reduced) -> Reduced:
            return Reduced(first.values + second.values, first.count, frozenset())

        def finish(self, partial: Reduced) -> Reduced:
            return partial

    texts = [header_text(fits.Header({"XPOSURE": 2.0**n})) for n in range(5)]
    cut = stack(5, 2).assign(header=("time", as_objects(texts))).chunk({"time": 2})
    with dask.config.set(scheduler="synchronous"):
        assert lazily(Exposures(), cut).compute().values[0, 0] == 31.0


def test_a_further_pass_asks_for_what_was_made_before_it() -> None:
    def again(_frames: int, before: Reduced) -> Largest:
        assert before.values[0, 0] == 7.0
        return Largest()

    kind = ReductionKind(
        name="twice",
        instrument="toy",
        level="1",
        need="flat",
        alike=(),
        prepare=lambda _frames: Largest(),
        write=lambda *_: fits.HDUList(),
        further=(again,),
    )
    made = Reduced(np.full((1, 1), 7.0, np.float32), np.ones((1, 1), np.int32), frozenset())
    assert kind.passes == 2
    assert isinstance(kind.reduction(0, 3, None), Largest)
    assert isinstance(kind.reduction(1, 3, made), Largest)
    with pytest.raises(ValueError, match="pass 1 of twice needs"):
        kind.reduction(1, 3, None)


def test_partials_are_joined_two_by_two() -> None:
    graph = lazily(Largest(), stack(8, 1)).dask
    joins = [key for key in graph if str(key).startswith("combine")]
    assert len(joins) == 7


def test_nothing_cannot_be_reduced() -> None:
    with pytest.raises(ValueError, match="at least one block"):
        reduce(Largest(), [])
    with pytest.raises(ValueError, match="at least one block"):
        lazily(Largest(), stack(2, 1).isel(time=slice(0, 0)))


def test_a_block_names_each_of_its_frames() -> None:
    image = np.zeros((2, 3, 4), dtype=np.float32)
    with pytest.raises(ValueError, match="one name for each frame"):
        StackBlock(image, image.astype(np.uint16), ("the only one",))

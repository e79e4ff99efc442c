"""Reductions: any tree of blocks gives what one block gives."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reduction import Reduced, StackBlock, lazily, reduce


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

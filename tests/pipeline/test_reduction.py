"""Reductions: any tree of blocks gives what one block gives."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.reduction import StackBlock, lazily, reduce


class Largest:
    """The largest value at every pixel, and how often partials were joined."""

    def map(self, block: StackBlock) -> NDArray[np.float32]:
        return np.asarray(np.where(block.quality == 0, block.image, -np.inf).max(axis=0), dtype=np.float32)

    def combine(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.maximum(first, second)

    def finish(self, partial: NDArray[np.float32]) -> NDArray[np.float32]:
        return partial


def stack(frames: int, chunk: int) -> xr.Dataset:
    rng = np.random.default_rng(frames)
    axes = ("time", "y", "x")
    data = {
        "image": (axes, rng.random((frames, 3, 4)).astype(np.float32)),
        "quality": (axes, (rng.random((frames, 3, 4)) < 0.2).astype(np.uint16)),
    }
    return xr.Dataset(data).chunk({"time": chunk})


@given(frames=st.integers(1, 12), chunk=st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_a_tree_of_blocks_gives_what_one_block_gives(frames: int, chunk: int) -> None:
    cut = stack(frames, chunk)
    whole = reduce(Largest(), [StackBlock(cut["image"].values, cut["quality"].values)])
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(lazily(Largest(), cut).compute(), whole)


def test_partials_are_joined_two_by_two() -> None:
    graph = lazily(Largest(), stack(8, 1)).dask
    joins = [key for key in graph if str(key).startswith("combine")]
    assert len(joins) == 7


def test_nothing_cannot_be_reduced() -> None:
    with pytest.raises(ValueError, match="at least one block"):
        reduce(Largest(), [])

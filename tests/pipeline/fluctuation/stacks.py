"""Chains, and stacks of series that they made."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline.fluctuation.chain import Chain
from pipeline.fluctuation.exact import simulated

START = np.datetime64("2020-01-01T00:00:00", "us")
#: Goes round more often one way than the other.
DRIVEN = Chain.of(
    np.array([[0.5, 0.35, 0.05, 0.1], [0.1, 0.5, 0.35, 0.05], [0.05, 0.1, 0.5, 0.35], [0.35, 0.05, 0.1, 0.5]])
)
#: Every transition is as frequent as its reverse.
BALANCED = Chain.of(np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6]]))


def stack_of(states: NDArray[Any], *, seconds: float = 45.0, width: int = 16) -> xr.Dataset:
    """A stack of images whose pixels take values that tell their states; `states` is (pixels, times)."""
    pixels, times = states.shape
    values = (states + np.random.default_rng(1).uniform(-0.3, 0.3, states.shape)).T
    image = values.reshape(times, pixels // width, width).astype(np.float32)
    time = START + (np.arange(times) * seconds * 1e6).astype("timedelta64[us]")
    return xr.Dataset({"image": (("time", "y", "x"), image, {"units": "G"})}, coords={"time": time})


def driven(pixels: int = 256, times: int = 120, seed: int = 1) -> xr.Dataset:
    """Of the driven chain."""
    return stack_of(simulated(DRIVEN, pixels, times, seed))

"""Statistics as the mission's level 1 has them (reduce_statistics2.pro 1.4, science.md §2)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.statistics import Statistics, largest_below, statistics

#: Values from which an image is "odd", and what is above this is cut then.
_ODD: Final = 0.1
_ODD_CUT: Final = 5e-5
_PERCENTILES: Final = (1, 10, 25, 50, 75, 90, 95, 98, 99)
#: What the scaled median has to reach.
_FEWEST_STEPS: Final = 1000.0

Cards = dict[str, tuple[float | int, str]]
#: Cards it gives; SOLARNET has other meanings for some of them.
NAMES: Final = (
    *("DATAMIN", "DATAMAX", "DATAZER", "DATASAT", "DSATVAL", "DSATMIN", "NSATMIN", "DATAAVG", "DATASIG"),
    *(f"DATAP{percent:02d}" for percent in _PERCENTILES),
)


def level_1_statistics(image: NDArray[np.float32], saturation: float | None = None) -> Cards:
    """Cards of an image in MSB; none where no value is above zero.

    Parameters
    ----------
    image
        float32; NaN counts like zero.
    saturation
        Value that counts as saturated (SATMAX); the largest by default.

    Notes
    -----
    All are of values above zero, but DATAZER, which counts the others, and NSATMIN, which counts those below
    DATAMIN that are not zero.
    """
    used = image[image > 0]
    if not used.size:
        return {}
    if used.max() >= _ODD:
        used = np.minimum(used, np.float32(_ODD_CUT))
    found = statistics(used, ranks=[math.floor(percent / 100.0 * used.size) for percent in _PERCENTILES])
    low, high = np.float32(found.minimum), np.float32(found.maximum)
    limit = high if saturation is None else np.float32(saturation)
    below, largest = largest_below(used, float(limit))
    # The largest that is not saturated, where the largest is.
    largest = largest if high == limit and below else float(high)
    sigma = found.rms * math.sqrt(used.size / max(used.size - 1, 1))
    return {
        "DATAMIN": (_plain(low), "Minimum Value Not Equal to Zero before BSCALE"),
        "DATAMAX": (_plain(largest), "Maximum Value before BSCALE"),
        "DATAZER": (int(image.size - used.size), "Number of Zero Pixels"),
        "DATASAT": (int(used.size - below), "Number of Saturated Pixels"),
        "DSATVAL": (_plain(limit), "Value used as saturated"),
        "DSATMIN": (_plain(low), "Minimum value in scaled image"),
        "NSATMIN": (
            int(np.count_nonzero(image < 0)),
            "Number of pixels cut off on lower end",
        ),
        "DATAAVG": (_plain(found.mean), "Mean of Image before BSCALE"),
        "DATASIG": (_plain(sigma), "Standard Deviation of Image before BSCALE"),
        **{
            f"DATAP{percent:02d}": (_plain(value), "Percentile Value")
            for percent, value in _percentiles(found).items()
        },
    }


def _plain(value: float | np.float32) -> float:
    """As single precision writes it."""
    return float(f"{float(value):.8g}")


def _percentiles(found: Statistics) -> dict[int, float]:
    """Percentiles from a histogram in steps of the power of ten that gives the median four digits.

    A percentile is the first bin up to which more than its share of pixels lies: that of the value at this
    rank. As in the program the search goes on behind the bin of the last one, so that no two percentiles are
    the same.
    """
    scale = 1.0
    while found.percentiles[50] * scale < _FEWEST_STEPS:
        scale *= 10.0
    last, place = int(found.maximum * scale), 0
    steps: dict[int, float] = {}
    for percent, value in zip(_PERCENTILES, found.at_ranks, strict=True):
        if place <= last:
            place = max(int(value * scale), place) + 1
        steps[percent] = (place - 1) / scale
    return steps

"""A spectrum on equal steps of wavelength: the one interpolation on its way."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from pipeline.instruments.kis_lars.facts import F64
from pipeline.quality import Quality

#: Order of the splines; at three pixels to a resolution element they are exact to some 1e-5 of the continuum.
_ORDER: Final = 5
#: Pixels on either side that a value of a spline depends on to more than a percent.
_REACH: Final = 3


class Gridded(NamedTuple):
    """A spectrum on a grid.

    Attributes
    ----------
    values
        NaN where the detector did not reach, or a pixel without a value lies near.
    quality
        Flags, uint16.
    """

    values: F64
    quality: NDArray[np.uint16]


def put(wavelength: F64, values: F64, quality: NDArray[np.uint16], grid: F64) -> Gridded:
    """Interpolate a spectrum.

    Parameters
    ----------
    wavelength, values, quality
        Of the pixels; wavelengths rise.
    grid
        Wavelengths wanted, rising.
    """
    held = np.isfinite(values) & ((quality & np.uint16(Quality.MISSING)) == 0)
    spline = make_interp_spline(wavelength[held], values[held], k=_ORDER)
    inside = (grid >= wavelength[0]) & (grid <= wavelength[-1])
    made = np.where(inside, spline(np.clip(grid, wavelength[0], wavelength[-1])), np.nan)
    nearest = np.clip(np.searchsorted(wavelength, grid), 1, len(wavelength) - 1)
    flags = _spread(quality, Quality.MISSING | Quality.SATURATED)[nearest]
    flags = flags | quality[nearest] | quality[nearest - 1]
    made = np.where((flags & np.uint16(Quality.MISSING)) != 0, np.nan, made)
    flags = np.where(inside, flags, np.uint16(Quality.OUTSIDE_FIELD))
    return Gridded(made, flags.astype(np.uint16))


def _spread(quality: NDArray[np.uint16], bits: Quality) -> NDArray[np.uint16]:
    """Flags of the pixels within reach."""
    chosen = quality & np.uint16(bits)
    padded = np.pad(chosen, _REACH)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1)
    return np.asarray(np.bitwise_or.reduce(windows, axis=1), dtype=np.uint16)

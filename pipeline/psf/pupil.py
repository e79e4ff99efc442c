"""The transfer function of a pupil: an annulus, its wavefront not quite plane; the mean over directions.

Of the annulus it is that of O'Neill (1956, J. Opt. Soc. Am. 46, 285; erratum 46, 1096). What a wavefront's
error takes from it is, to second order, half the variance of the difference of the wavefront with itself
shifted (Hopkins 1957, Proc. Phys. Soc. B 70, 449); its mean over directions is a sum over aberrations, each
its own function of the wavenumber, which is computed here once on a grid:

    T(v) exp[−½ Σ a² g(v)],    v in units of the cut-off.

Of wavefronts of 0.35 rad that is within 0.02 of what they make; of 0.7 rad it is a shape that can be fitted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

F64 = NDArray[np.float64]


class Opening(NamedTuple):
    """What is known of a telescope's aperture.

    Attributes
    ----------
    q
        λ/D in pixels.
    obstruction
        Diameter of the obstruction in the middle, in parts of the aperture's; `None` where it is not told.
    """

    q: float
    obstruction: float | None = None


#: Largest obstruction that is fitted, in parts of the diameter; that which is told may be larger.
MOST: Final = 0.5
#: The grid: samples along its side and along a pupil's radius; obstructions, wavenumbers.
_SIDE: Final = 256
_RADIUS: Final = 60
_OBSTRUCTIONS: Final = np.linspace(0.0, MOST, 6)
_V: Final = np.linspace(0.0, 1.0, 41)
#: Of the cut-off: beyond, too little of a pupil overlaps with itself for the grid.
_LAST: Final = 0.95


def annular(v: F64, obstruction: float) -> F64:
    """The transfer function of an annular aperture.

    Parameters
    ----------
    v
        Wavenumbers in units of the cut-off.
    obstruction
        Diameter of the obstruction in the middle, in parts of the aperture's.
    """
    v, e = np.clip(v, 0.0, 1.0), obstruction
    whole = _disk(v)
    if e < 1e-4:
        return whole
    # The overlap of the aperture with the obstruction, which is that of two disks.
    cosine = np.clip((1.0 + e**2 - 4.0 * v**2) / (2.0 * e), -1.0, 1.0)
    angle = np.arccos(cosine)
    ratio = (1.0 + e) / (1.0 - e)
    # atan2: at half a turn the tangent has no end.
    turned = np.arctan2(ratio * np.sin(0.5 * angle), np.cos(0.5 * angle))
    between = (
        2.0 * e * np.sin(angle) + (1.0 + e**2) * angle - 2.0 * (1.0 - e**2) * turned
    ) / np.pi - 2.0 * e**2
    found: F64 = (whole + e**2 * _disk(v / e) + between) / (1.0 - e**2)
    return found


def _disk(v: F64) -> F64:
    v = np.clip(v, 0.0, 1.0)
    found: F64 = (2.0 / np.pi) * (np.arccos(v) - v * np.sqrt(1.0 - v * v))
    return found


def aberrated(v: F64, obstruction: float, low: float, high: float) -> F64:
    """The mean over directions of the transfer function of an annular pupil with aberrations.

    Parameters
    ----------
    v
        Wavenumbers in units of the cut-off.
    obstruction
        As in `annular`.
    low, high
        Variances of the wavefront's error, rad²: of astigmatism and trefoil; of coma and spherical
        aberration.
    """
    v = np.clip(v, 0.0, 1.0)
    first, second = (spline.ev(v, obstruction) for spline in _losses())
    found: F64 = annular(v, obstruction) * np.exp(-0.5 * (low * first + high * second))
    return found


@lru_cache(maxsize=1)
def _losses() -> tuple[RectBivariateSpline, RectBivariateSpline]:
    """By wavenumber and obstruction: what 1 rad of low and of high aberrations take, to second order."""
    places = (np.arange(_SIDE) - _SIDE // 2) / _RADIUS
    x, y = np.meshgrid(places, places)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    along = np.sqrt(8.0) * (3.0 * r**3 - 2.0 * r)
    low = (
        (np.sqrt(6.0) * r**2 * np.cos(2 * angle), 1.0 / 3.0),
        (np.sqrt(6.0) * r**2 * np.sin(2 * angle), 1.0 / 3.0),
        (np.sqrt(8.0) * r**3 * np.cos(3 * angle), 1.0 / 3.0),
    )
    high = (
        (along * np.cos(angle), 1.0 / 3.0),
        (along * np.sin(angle), 1.0 / 3.0),
        (np.sqrt(5.0) * (6.0 * r**4 - 6.0 * r**2 + 1.0), 1.0 / 3.0),
    )
    shift = np.hypot(*np.meshgrid(scipy.fft.fftfreq(_SIDE), scipy.fft.fftfreq(_SIDE))) * _SIDE
    at = shift / (2.0 * _RADIUS)
    known = at < _LAST
    columns: list[list[F64]] = [[], []]
    for obstruction in _OBSTRUCTIONS:
        open_ = np.clip((1.0 - r) * _RADIUS + 0.5, 0.0, 1.0)
        if obstruction > 0:
            open_ -= np.clip((obstruction - r) * _RADIUS + 0.5, 0.0, 1.0)
        plain = scipy.fft.fft2(open_)
        overlap = scipy.fft.ifft2(np.abs(plain) ** 2).real[known]
        for column, orders in zip(columns, (low, high), strict=True):
            lost = np.zeros(overlap.shape)
            for shape, share in orders:
                once, twice = scipy.fft.fft2(open_ * shape), scipy.fft.fft2(open_ * shape**2)
                cross = scipy.fft.ifft2(twice * plain.conj() - np.abs(once) ** 2).real
                lost += share * 2.0 * cross[known]
            column.append(_by_wavenumber(at[known], lost / overlap))
    return (
        RectBivariateSpline(_V, _OBSTRUCTIONS, np.stack(columns[0], axis=1)),
        RectBivariateSpline(_V, _OBSTRUCTIONS, np.stack(columns[1], axis=1)),
    )


def _by_wavenumber(at: F64, values: F64) -> F64:
    """Means over rings of the grid, on `_V`."""
    ring = np.rint(at * 2.0 * _RADIUS).astype(np.int64)
    number = np.maximum(np.bincount(ring), 1)
    found: F64 = np.interp(_V, np.bincount(ring, at) / number, np.bincount(ring, values) / number)
    return found

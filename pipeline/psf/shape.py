"""How wide a PSF is: its profile, its width at half maximum, and the radii that encircle its light."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.psf.hankel import Series
from pipeline.psf.model import WING

F64 = NDArray[np.float64]


class Shape(NamedTuple):
    """Full width at half maximum, and radii of 50, 80 and 95 % of the light; pixels."""

    fwhm: float
    ee50: float
    ee80: float
    ee95: float


class Widths:
    """Measures transfer functions that are given at the nodes of a series."""

    def __init__(self, series: Series) -> None:
        self.radii: F64 = np.concatenate([np.arange(0.0, 20.0, 0.1), np.geomspace(20.0, WING, 120)])
        self._profile = series.profile(self.radii) @ series.between
        self._within = series.encircled(self.radii) @ series.between

    def profile(self, transfer: F64) -> F64:
        """The PSF at `radii`."""
        found: F64 = self._profile @ transfer
        return found

    def encircled(self, transfer: F64) -> F64:
        """The light within `radii`."""
        found: F64 = self._within @ transfer
        return found

    def __call__(self, transfer: F64) -> Shape:
        """Its widths."""
        return shape_of(self.radii, self.profile(transfer), self.encircled(transfer))

    def moved_by(self, transfer: F64, light: float) -> tuple[float, float]:
        """The part of themselves by which EE50 and EE80 move when the light within is off by some of all."""
        encircled = self.encircled(transfer)
        rising = np.maximum.accumulate(encircled / encircled[-1])
        moved = []
        for share in (0.5, 0.8):
            least, most, at = np.interp([share - light, share + light, share], rising, self.radii)
            moved.append(float(0.5 * (most - least) / at))
        return moved[0], moved[1]


def shape_of(radii: F64, profile: F64, encircled: F64) -> Shape:
    """Widths of a profile."""
    below = np.flatnonzero(profile < 0.5 * profile[0])
    at = int(below[0]) if below.size else radii.size - 1
    inside, outside = profile[at - 1] - 0.5 * profile[0], 0.5 * profile[0] - profile[at]
    half = radii[at - 1] + (radii[at] - radii[at - 1]) * inside / max(inside + outside, 1e-12)
    rising = np.maximum.accumulate(encircled / encircled[-1])
    within = [float(np.interp(share, rising, radii)) for share in (0.5, 0.8, 0.95)]
    return Shape(2.0 * float(half), *within)


def profile_of_kernel(kernel: F64) -> tuple[F64, F64, F64]:
    """Radii, azimuthal mean about the centroid, and encircled light of a PSF on pixels, resampled finely."""
    from scipy import ndimage

    size = kernel.shape[0]
    y, x = np.indices(kernel.shape)
    bright = np.where(kernel > 0.1 * kernel.max(), kernel, 0.0)
    cy, cx = float((y * bright).sum() / bright.sum()), float((x * bright).sum() / bright.sum())
    radii = np.concatenate([np.arange(0.0, 20.0, 0.05), np.geomspace(20.0, size // 2 - 1.0, 200)])
    angles = _angles()
    rows, columns = cy + np.outer(radii, np.sin(angles)), cx + np.outer(radii, np.cos(angles))
    mean = ndimage.map_coordinates(kernel, [rows, columns], order=5, mode="constant").mean(axis=1)
    steps = 0.5 * np.pi * (mean[1:] + mean[:-1]) * np.diff(radii**2)
    return radii, mean, np.concatenate([[0.0], np.cumsum(steps)])


@lru_cache(maxsize=1)
def _angles() -> F64:
    return np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)

"""The mean brightness around a circle, at every distance from it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.limb import Circle
from pipeline.kernels.sectors import sector_bins
from pipeline.psf.suns import Suns
from pipeline.psf.waves import Waves

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Distances from the edge of a circle that are told apart, pixels, and the bins' width.
INNER: Final = -400.0
OUTER: Final = 130.0
BIN: Final = 0.5
BINS: Final = int((OUTER - INNER) / BIN)
SECTORS: Final = 36
#: Bins near the edge, in which waves round the circle are told.
NEAR: Final = slice(int((-30.0 - INNER) / BIN), int((30.0 - INNER) / BIN))
#: Where the trend of a sector is taken off: inside the limb by more than it is blurred.
_TREND: Final = (-120.0, -14.0)
_OUTLIER: Final = 4.0
#: Standard deviation over median absolute deviation.
_NORMAL: Final = 1.4826


@dataclass(frozen=True)
class Rings:
    """Sums over frames of the mean brightness around a circle.

    Attributes
    ----------
    frames
        How many.
    weight, total, offset
        Frames that had a value in each bin, and the sums of it and of the mean distance of its pixels.
    white, smooth
        Sums of the variances of a frame's mean, from how its sectors differ: of what differs from bin to
        bin, and of the rest.
    radius
        Sum of the radii.
    waves
        How brightness goes round the circle near its edge.
    suns
        How many frames show the same structure.
    """

    frames: int
    weight: F64
    total: F64
    offset: F64
    white: F64
    smooth: F64
    radius: float
    waves: Waves
    suns: Suns = field(default_factory=Suns.none)

    @classmethod
    def none(cls) -> Rings:
        """Of no frame."""
        zero = np.zeros(BINS)
        return cls(0, zero, zero, zero, zero, zero, 0.0, Waves.none())

    def __add__(self, other: Rings) -> Rings:
        names = ("frames", "weight", "total", "offset", "white", "smooth", "radius", "waves", "suns")
        return Rings(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def shared(self) -> float:
        """By how much the variance of the mean is more than if no frames showed the same structure."""
        return self.frames / self.suns.different(self.frames) if self.frames else 1.0


def limb_rings(image: F32, sun: Circle) -> Rings:
    """The mean brightness around the Sun's limb, structure of the disk evened out sector by sector."""
    found = limb_sectors(image, sun)
    return Rings.none() if found is None else averaged(*found, sun.radius, SECTORS // 2)


def limb_sectors(image: F32, sun: Circle) -> tuple[NDArray[Any], F64, F64] | None:
    """The limb sector by sector, evened out, with numbers of pixels and their offsets; `None` if dark."""
    sums, numbers, offsets = sector_bins(image, sun.x, sun.y, sun.radius, INNER, BIN, BINS, SECTORS)
    sectors = sector_means(sums, numbers, offsets)
    place: F64 = np.asarray(INNER + BIN * (np.arange(BINS) + 0.5), np.float64)
    inside = (place > -0.6 * sun.radius) & (place < -20.0)
    scale = np.nanmedian(sectors[:, inside]) if inside.any() else np.nan
    if not scale > 0:
        return None
    return _evened(sectors / scale, place), numbers, offsets


def sector_means(sums: F64, numbers: F64, offsets: F64) -> F64:
    """Mean brightness by sector and bin, as if all sectors' pixels of a bin lay where they do in the mean."""
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # bins in which no sector has pixels
        sectors: F64 = np.where(numbers > 0, sums / numbers, np.nan)
        middles = offsets.sum(axis=0) / np.maximum(numbers.sum(axis=0), 1)
        steepness = np.gradient(np.nanmean(sectors, axis=0), BIN)
        sectors -= steepness * (offsets / numbers - middles)
    return sectors


def averaged(sectors: NDArray[Any], numbers: F64, offsets: F64, radius: float, fewest: int) -> Rings:
    """The mean over sectors of one frame; NaN in what is left out, `fewest` sectors in a bin that counts."""
    keep = np.isfinite(sectors)
    count = keep.sum(axis=0)
    good = count >= fewest
    mean = np.where(good, np.where(keep, sectors, 0.0).sum(axis=0) / np.maximum(count, 1), 0.0)
    apart = np.where(keep, sectors - mean, 0.0)
    number = np.maximum(count * (count - 1), 1)
    # Photons differ from bin to bin; structure of the Sun, which is blurred, does not.
    rough = apart - 0.5 * (np.roll(apart, 1, axis=1) + np.roll(apart, -1, axis=1))
    white = (rough**2).sum(axis=0) / 1.5 / number
    smooth = np.maximum((apart**2).sum(axis=0) / number - white, 0.0)
    offset = np.where(good, offsets.sum(axis=0) / np.maximum(numbers.sum(axis=0), 1), 0.0)
    weight = good.astype(float)
    return Rings(
        1,
        weight,
        mean * weight,
        offset * weight,
        white * weight,
        smooth * weight,
        radius,
        Waves.of(sectors[:, NEAR]),
    )


def _evened(sectors: NDArray[Any], place: F64) -> F64:
    """Sectors over the quadratic trend of their ratio to the median, those that still differ left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle: F64 = np.nanmedian(sectors, axis=0)
    trend = (place > _TREND[0]) & (place < _TREND[1]) & np.isfinite(middle) & (middle > 0)
    design = np.vander(place[trend] / 100.0, 3)
    found: F64 = sectors.astype(np.float64)
    rest = np.full((len(sectors), 2), np.nan)
    for n, sector in enumerate(sectors):
        ratio = sector[trend] / middle[trend]
        known = np.isfinite(ratio)
        if known.sum() < 0.8 * known.size:
            found[n] = np.nan
            continue
        fit = np.linalg.lstsq(design[known], ratio[known], rcond=None)[0]
        # Beyond where it was fitted the trend goes on as it was at its end: a parabola would run away.
        found[n] = sector / np.polyval(fit, np.clip(place, *_TREND) / 100.0)
        rest[n] = np.std(ratio[known] - design[known] @ fit), np.nanmean(found[n][place > 12.0])
    middles = np.nanmedian(rest, axis=0)
    spread = _NORMAL * np.nanmedian(np.abs(rest - middles), axis=0) + 1e-5
    found[np.any(~(rest - middles < _OUTLIER * spread), axis=1)] = np.nan
    return found

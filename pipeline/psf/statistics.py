"""What frames tell of their common PSF, in sums that are small however many frames there are.

Around a circle (the Sun's limb, or the edge of a body before it) the mean brightness at every distance; of
patches on the disk the mean power of every wavenumber and direction. The mean over a circle of an image that
an isotropic PSF blurred is what that PSF makes of the mean over the circle of the scene, exactly: of the
scene, nothing else has to be known.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pipeline.kernels.limb import Circle
from pipeline.kernels.sectors import sector_bins

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Distances from the edge of a circle that are told apart, pixels, and the bins' width.
INNER: Final = -400.0
OUTER: Final = 130.0
BIN: Final = 0.5
BINS: Final = int((OUTER - INNER) / BIN)
SECTORS: Final = 36
#: Of the power: wavenumbers up to 0.5 cycles per pixel, directions over half a turn.
WAVENUMBERS: Final = 48
DIRECTIONS: Final = 4
PATCH: Final = 192
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
    harmonics
        Sums of the cosine and sine parts of the first and third order, in bins, shape (4, bins).
    """

    frames: int
    weight: F64
    total: F64
    offset: F64
    white: F64
    smooth: F64
    radius: float
    harmonics: F64

    @classmethod
    def none(cls) -> Rings:
        """Of no frame."""
        zero = np.zeros(BINS)
        return cls(0, zero, zero, zero, zero, zero, 0.0, np.zeros((4, BINS)))

    def __add__(self, other: Rings) -> Rings:
        names = ("frames", "weight", "total", "offset", "white", "smooth", "radius", "harmonics")
        return Rings(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class Power:
    """Sums over frames of the power of patches, over the square of their mean.

    Attributes
    ----------
    frames
        How many.
    total, square
        Sums of the power in each bin, and of its square, shape (wavenumber, direction); per pixel.
    radius
        Sum of the disks' radii.
    """

    frames: int
    total: F64
    square: F64
    radius: float

    @classmethod
    def none(cls) -> Power:
        """Of no frame."""
        return cls(0, np.zeros((WAVENUMBERS, DIRECTIONS)), np.zeros((WAVENUMBERS, DIRECTIONS)), 0.0)

    def __add__(self, other: Power) -> Power:
        names = ("frames", "total", "square", "radius")
        return Power(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class Statistics:
    """All that is kept of frames: some tens of kB, of one frame as of a million."""

    limb: Rings
    edge: Rings
    power: Power

    @classmethod
    def none(cls) -> Statistics:
        """Of no frame."""
        return cls(Rings.none(), Rings.none(), Power.none())

    @property
    def radius(self) -> float:
        """Mean radius of the disk, pixels."""
        known = [(one.radius, one.frames) for one in (self.limb, self.power, self.edge) if one.frames]
        return known[0][0] / known[0][1] if known else 0.0

    @property
    def reach(self) -> float:
        """Radius beyond which nothing has to be followed, pixels."""
        largest = max((one.radius / one.frames for one in (self.limb, self.edge) if one.frames), default=0.0)
        return max(largest, self.radius) + 320.0

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(self.limb + other.limb, self.edge + other.edge, self.power + other.power)


def of_disk(image: F32, sun: Circle, *, sharp: bool = True) -> Statistics:
    """What a frame of the whole disk tells.

    Parameters
    ----------
    image
        Brightness; NaN where it was not measured.
    sun
        The disk.
    sharp
        Whether its limb is an edge; where it is not, as in Lyman α, it tells nothing of the PSF.
    """
    limb = limb_rings(image, sun) if sharp else Rings.none()
    return replace(Statistics.none(), limb=limb, power=disk_power(image, sun))


def limb_rings(image: F32, sun: Circle) -> Rings:
    """The mean brightness around the Sun's limb, structure of the disk evened out sector by sector."""
    sums, numbers, offsets = sector_bins(image, sun.x, sun.y, sun.radius, INNER, BIN, BINS, SECTORS)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # bins in which no sector has pixels
        sectors = np.where(numbers > 0, sums / numbers, np.nan)
        middles = offsets.sum(axis=0) / np.maximum(numbers.sum(axis=0), 1)
        steepness = np.gradient(np.nanmean(sectors, axis=0), BIN)
        # Pixels of a sector lie not where those of all sectors lie in the mean: seen at one place they agree.
        sectors -= steepness * (offsets / numbers - middles)
    place: F64 = np.asarray(INNER + BIN * (np.arange(BINS) + 0.5), np.float64)
    inside = (place > -0.6 * sun.radius) & (place < -20.0)
    scale = np.nanmedian(sectors[:, inside]) if inside.any() else np.nan
    if not scale > 0:
        return Rings.none()
    sectors = _evened(sectors / scale, place)
    keep = np.isfinite(sectors)
    count = keep.sum(axis=0)
    good = count >= SECTORS // 2
    mean = np.where(good, np.where(keep, sectors, 0.0).sum(axis=0) / np.maximum(count, 1), 0.0)
    apart = np.where(keep, sectors - mean, 0.0)
    number = np.maximum(count * (count - 1), 1)
    # Photons differ from bin to bin; structure of the Sun, which is blurred, does not.
    rough = apart - 0.5 * (np.roll(apart, 1, axis=1) + np.roll(apart, -1, axis=1))
    white = (rough**2).sum(axis=0) / 1.5 / number
    smooth = np.maximum((apart**2).sum(axis=0) / number - white, 0.0)
    offset = np.where(good, middles, 0.0)
    weight = good.astype(float)
    return Rings(
        1,
        weight,
        mean * weight,
        offset * weight,
        white * weight,
        smooth * weight,
        sun.radius,
        _harmonics(apart) * weight,
    )


def _harmonics(apart: F64) -> F64:
    """Cosine and sine parts of the first and third order of how sectors differ from their mean."""
    angles = 2.0 * np.pi * (np.arange(SECTORS) + 0.5) / SECTORS
    waves = np.stack([np.cos(angles), np.sin(angles), np.cos(3 * angles), np.sin(3 * angles)])
    found: F64 = 2.0 / SECTORS * waves @ apart
    return found


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


def disk_power(image: F32, sun: Circle) -> Power:
    """The power of nine patches on the disk, by wavenumber and direction."""
    size = patch_size(sun.radius)
    window = np.outer(np.hanning(size + 2)[1:-1], np.hanning(size + 2)[1:-1])
    window /= np.sqrt(np.mean(window**2))
    step = min(0.45 * sun.radius, 0.707 * sun.radius - 0.5 * size - 2)
    bins = _bins(size)
    numbers = np.bincount(bins.ravel(), minlength=WAVENUMBERS * DIRECTIONS + 1)[:-1]
    total, used = np.zeros(WAVENUMBERS * DIRECTIONS), 0
    y, x = (np.indices((size, size)) - 0.5 * (size - 1)) / size
    for across in (-1, 0, 1):
        for up in (-1, 0, 1):
            top, left = (round(c - 0.5 * size) for c in (sun.y + up * step, sun.x + across * step))
            if top < 0 or left < 0 or top + size > image.shape[0] or left + size > image.shape[1]:
                continue
            patch = image[top : top + size, left : left + size].astype(float)
            mean = patch.mean()
            if not mean > 0:  # NaN too
                continue
            patch = patch / mean - 1.0
            slope_x, slope_y = ((patch * one).mean() / (one**2).mean() for one in (x, y))
            power = np.abs(scipy.fft.rfft2((patch - slope_x * x - slope_y * y) * window)) ** 2 / size**2
            total += np.bincount(bins.ravel(), power.ravel(), WAVENUMBERS * DIRECTIONS + 1)[:-1]
            used += 1
    if not used:
        return Power.none()
    mean_power = (total / np.maximum(numbers * used, 1)).reshape(WAVENUMBERS, DIRECTIONS)
    return Power(1, mean_power, mean_power**2, sun.radius)


def patch_size(radius: float) -> int:
    """Pixels along a side of a patch: three of them, half overlapping, fit on the disk."""
    return min(PATCH, 2 * int(0.27 * radius))


def wavenumbers(size: int) -> tuple[F64, F64, NDArray[np.int64]]:
    """Mean wavenumber and direction of each bin, and how many modes it holds."""
    bins = _bins(size).ravel()
    ky, kx = np.meshgrid(scipy.fft.fftfreq(size), scipy.fft.rfftfreq(size), indexing="ij")
    number = np.bincount(bins, minlength=WAVENUMBERS * DIRECTIONS + 1)[:-1]
    k = np.bincount(bins, np.hypot(kx, ky).ravel(), WAVENUMBERS * DIRECTIONS + 1)[:-1]
    # Of directions θ and θ + π, which are one, the mean over 2θ.
    angle = np.arctan2(ky, kx).ravel()
    c, s = (
        np.bincount(bins, wave(2.0 * angle), WAVENUMBERS * DIRECTIONS + 1)[:-1] for wave in (np.cos, np.sin)
    )
    shape = (WAVENUMBERS, DIRECTIONS)
    return (
        (k / np.maximum(number, 1)).reshape(shape),
        (0.5 * np.arctan2(s, c)).reshape(shape),
        number.reshape(shape),
    )


def _bins(size: int) -> NDArray[np.int64]:
    """Which bin each mode of a patch is in; the last, which is not kept, for what is in none."""
    ky, kx = np.meshgrid(scipy.fft.fftfreq(size), scipy.fft.rfftfreq(size), indexing="ij")
    k, angle = np.hypot(kx, ky), np.arctan2(ky, kx) % np.pi
    ring = (k * 2.0 * WAVENUMBERS).astype(np.int64)
    direction = ((angle / np.pi + 0.5 / DIRECTIONS) * DIRECTIONS).astype(np.int64) % DIRECTIONS
    found: NDArray[np.int64] = np.where(
        (ring < WAVENUMBERS) & (k > 1.5 / size), ring * DIRECTIONS + direction, WAVENUMBERS * DIRECTIONS
    )
    return found

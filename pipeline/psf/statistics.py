"""What frames tell of their common PSF, in sums that are small however many frames there are.

Around a circle (the Sun's limb, or the edge of a body before it) the mean brightness at every distance; of
patches on the disk the mean power of every wavenumber and direction. The mean over a circle of an image that
an isotropic PSF blurred is what that PSF makes of the mean over the circle of the scene, exactly: of the
scene, nothing else has to be known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.kernels.limb import Circle
from pipeline.psf.occulter import Dark, of_occulted
from pipeline.psf.quarters import Quarters
from pipeline.psf.rings import Rings, limb_rings
from pipeline.psf.suns import Suns

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Of the power: wavenumbers up to 0.5 cycles per pixel, directions over half a turn.
WAVENUMBERS: Final = 48
DIRECTIONS: Final = 4
PATCH: Final = 192
#: Largest share of a patch that may be missing.
_GAPS: Final = 0.01


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
    dark: Dark
    power: Power
    quarters: Quarters

    @classmethod
    def none(cls) -> Statistics:
        """Of no frame."""
        return cls(Rings.none(), Rings.none(), Dark.none(), Power.none(), Quarters.none())

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
        names = ("limb", "edge", "dark", "power", "quarters")
        return Statistics(*(getattr(self, name) + getattr(other, name) for name in names))


def of_disk(
    image: F32, sun: Circle, *, sharp: bool = True, tiles: bool = False, day: float | None = None
) -> Statistics:
    """What a frame of the whole disk tells.

    Parameters
    ----------
    image
        Brightness; NaN where it was not measured.
    sun
        The disk.
    sharp
        Whether its limb is an edge; where it is not, as in Lyman α, it tells nothing of the PSF.
    tiles
        Whether each quarter of the field is kept for itself, too.
    day
        When it began: frames less than a day apart share what stands at the limb; `None`: with no other.
    """
    suns = Suns.of(day)
    limb = limb_rings(image, sun) if sharp else Rings.none()
    if limb.frames:
        limb = replace(limb, suns=suns)
    quarters = Quarters.of(image, sun, suns) if sharp and tiles else Quarters.none()
    return replace(Statistics.none(), limb=limb, power=disk_power(image, sun), quarters=quarters)


def of_occulted_disk(image: F32, body: Circle, sun: Circle, day: float | None = None) -> Statistics:
    """What a frame tells in which a dark body stands before the Sun; `day` as for `of_disk`."""
    edge, dark = of_occulted(image, body, sun)
    if edge.frames:
        edge = replace(edge, suns=Suns.of(day, body.x - sun.x, body.y - sun.y))
    return replace(Statistics.none(), edge=edge, dark=dark)


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
            patch = _whole(image[top : top + size, left : left + size])
            mean = 0.0 if patch is None else float(patch.mean())
            if patch is None or not mean > 0:
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


def _whole(patch: F32) -> F64 | None:
    """A patch whose missing pixels are the mean of their neighbours; `None` where too many are."""
    known = np.isfinite(patch)
    if known.mean() < 1.0 - _GAPS:
        return None
    values: F64 = np.where(known, patch, 0.0).astype(np.float64)
    if known.all():
        return values
    near, weight = (ndimage.uniform_filter(one, 5) for one in (values, known.astype(np.float64)))
    filled: F64 = np.where(known, values, near / np.maximum(weight, 0.04))
    return filled


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

"""Frames in which a dark body stands before the Sun: its edge tells of the core, its dark side of the wings.

The edge of the Moon, or of a planet in transit, is sharp where the Sun's own limb is not, as in Lyman α.
Along it brightness is averaged in sectors that lie before the disk. Deep in the dark there is nothing but
light that was scattered there: how much comes to which depth from which distance is a sum over the bright
side alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pipeline.kernels.limb import Circle
from pipeline.kernels.sectors import sector_bins
from pipeline.psf.rings import BIN, BINS, INNER, SECTORS, Rings, averaged, sector_means

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Depths in the dark that are told apart, and distances that light may come from; pixels.
DEPTHS: Final = np.array([6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 28.0, 36.0, 46.0, 60.0, 80.0, 110.0, 150.0])
DISTANCES: Final = np.geomspace(5.0, 200.0, 25)
#: Pixels that are taken together along each side where light comes from afar.
_COARSE: Final = 2
#: Distances from the edge at which a sector's brightness is measured; pixels.
_LEVEL: Final = (20.0, 45.0)
_FEWEST: Final = 4
#: Pixels by which the edge of a sector may lie elsewhere.
_ASTRAY: Final = 1.0


@dataclass(frozen=True)
class Dark:
    """Sums over frames of the brightness at depths in the dark, and of where light could come from.

    Attributes
    ----------
    frames
        How many.
    weight, total
        Frames in which a depth was seen, and the sums of its brightness.
    matrix
        Sums of the mean brightness at each distance from there, shape (depth, distance).
    """

    frames: int
    weight: F64
    total: F64
    matrix: F64

    @classmethod
    def none(cls) -> Dark:
        """Of no frame."""
        depths = DEPTHS.size - 1
        return cls(0, np.zeros(depths), np.zeros(depths), np.zeros((depths, DISTANCES.size - 1)))

    def __add__(self, other: Dark) -> Dark:
        names = ("frames", "weight", "total", "matrix")
        return Dark(*(getattr(self, name) + getattr(other, name) for name in names))


def of_occulted(image: F32, body: Circle, sun: Circle) -> tuple[Rings, Dark]:
    """What a frame tells by the edge of a body, and by its dark side."""
    sums, numbers, offsets = sector_bins(image, body.x, body.y, body.radius, INNER, BIN, BINS, SECTORS)
    place: F64 = np.asarray(INNER + BIN * (np.arange(BINS) + 0.5), np.float64)
    before = _before_the_disk(body, sun)
    level = (place > _LEVEL[0]) & (place < _LEVEL[1])
    scales = sums[:, level].sum(axis=1) / np.maximum(numbers[:, level].sum(axis=1), 1.0)
    usual = np.median(scales[before]) if before.any() else 0.0
    sectors = sector_means(np.where(before[:, None], sums, 0.0), numbers * before[:, None], offsets)
    used = before & (scales > 0.3 * usual) & (scales < 3.0 * usual)
    used &= _aligned(sectors / np.where(scales > 0, scales, 1.0)[:, None], place, used)
    if used.sum() < _FEWEST:
        return Rings.none(), Dark.none()
    kept = np.where(used[:, None], sectors / np.where(used, scales, 1.0)[:, None], np.nan)
    rings = averaged(
        kept, np.where(used[:, None], numbers, 0.0), offsets * used[:, None], body.radius, _FEWEST
    )
    edge = np.interp(np.arange(0.0, 16.0), place, rings.total)
    return rings, _dark(image / np.float32(usual), body, np.maximum(edge, 0.4))


def _aligned(sectors: F64, place: F64, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Sectors whose edge lies where most have it: bodies may be rugged, and something bright behind them."""
    near = (place > -12.0) & (place < 12.0)
    crossing = np.full(len(sectors), np.nan)
    for n in np.flatnonzero(used):
        smooth = np.convolve(np.nan_to_num(sectors[n, near]), np.full(5, 0.2), "same")
        half = 0.5 * float(np.mean(smooth[-10:-2]))
        below = np.flatnonzero(smooth[:-2] < half)
        crossing[n] = place[near][below[-1]] if below.size else np.nan
    middle = np.nanmedian(crossing[used]) if used.any() else np.nan
    found: NDArray[np.bool_] = np.abs(crossing - middle) < _ASTRAY
    return found


def _before_the_disk(body: Circle, sun: Circle) -> NDArray[np.bool_]:
    """Sectors of the body whose outside lies before the disk."""
    angles = 2.0 * np.pi * (np.arange(SECTORS) + 0.5) / SECTORS
    found = np.ones(SECTORS, bool)
    for away in (0.0, _LEVEL[1]):
        r = body.radius + away
        x, y = body.x + r * np.cos(angles) - sun.x, body.y + r * np.sin(angles) - sun.y
        found &= np.hypot(x, y) < 0.93 * sun.radius
    return found


def _dark(image: F32, body: Circle, edge: F64) -> Dark:
    """How bright the dark side is at each depth, and what shines on it from where."""
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    depth = body.radius - np.hypot(x - body.x, y - body.y)
    # The edge's own blur took light from the bright side; that light is put back where it came from.
    lost = np.interp(-depth, np.arange(edge.size), np.minimum(edge, 1.0))
    bright = np.where(depth < 0.0, np.nan_to_num(image) / np.where(depth < 0.0, lost, 1.0), 0.0)
    which = np.digitize(depth, DEPTHS) - 1
    which = np.where((which < 0) | (which >= DEPTHS.size - 1) | ~np.isfinite(image), DEPTHS.size - 1, which)
    number = np.bincount(which.ravel(), minlength=DEPTHS.size)[:-1]
    total = np.bincount(which.ravel(), np.nan_to_num(image).ravel(), DEPTHS.size)[:-1]
    seen = number > 200
    matrix = np.stack(list(_shining(_coarsened(bright), _coarsened_bins(which))), axis=1)
    weight = seen.astype(float)
    return Dark(1, weight, weight * total / np.maximum(number, 1), weight[:, None] * matrix)


def _shining(bright: F64, which: NDArray[np.int64]) -> Any:
    """For each distance the mean at each depth of the mean brightness so far away."""
    margin = int(DISTANCES[-1] / _COARSE) + 2
    shape = [scipy.fft.next_fast_len(n + margin, real=True) for n in bright.shape]
    spectrum = scipy.fft.rfft2(bright.astype(np.float32), s=shape)
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) * float(_COARSE) for n in shape)
    r = np.hypot(y[:, None], x[None, :])
    number = np.maximum(np.bincount(which.ravel(), minlength=DEPTHS.size), 1)
    for least, most in pairwise(DISTANCES):
        # Cells that a ring's edge divides count by the share that lies within.
        ring = np.clip((r - least) / _COARSE + 0.5, 0.0, 1.0) * np.clip((most - r) / _COARSE + 0.5, 0.0, 1.0)
        ring = (ring / ring.sum()).astype(np.float32)
        mean = scipy.fft.irfft2(spectrum * scipy.fft.rfft2(ring), s=shape)
        cut = mean[: bright.shape[0], : bright.shape[1]]
        yield (np.bincount(which.ravel(), cut.ravel(), DEPTHS.size) / number)[:-1]


def _coarsened(values: F64) -> F64:
    ny, nx = (n - n % _COARSE for n in values.shape)
    found: F64 = values[:ny, :nx].reshape(ny // _COARSE, _COARSE, nx // _COARSE, _COARSE).mean(axis=(1, 3))
    return found


def _coarsened_bins(which: NDArray[np.int64]) -> NDArray[np.int64]:
    ny, nx = (n - n % _COARSE for n in which.shape)
    return which[:ny:_COARSE, :nx:_COARSE]

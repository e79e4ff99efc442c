"""Images that are not what they should be: Lyman alpha that looks like visible light, and stripes.

Around the Earth's eclipse its air takes the Lyman alpha and leaves the visible light that the filter lets
through beside it: the disk grows dark towards its limb, and its contrasts vanish. Contamination leaves weak
stripes: a narrow peak of the spectrum, far above what structures of that size have in other directions.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import median_filter

from pipeline.instruments.aso_s_lst.facts import Disk
from pipeline.kernels.rings import ring_medians

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Pixels along a side that are enough for the course from centre to limb.
_COARSE: Final = 512
_RINGS: Final = 40
#: Parts of the rings (equal areas): the disk's middle, and where it is about to end.
_MIDDLE, _OUTSKIRTS = slice(0, 8), slice(30, 36)
#: Side of a square whose spectrum is looked at, at most; and squares along a side of the field.
_SQUARE, _ACROSS = 256, 5
#: Over the square's brightness: plage and spots are cut, or they would hide all that is weak.
_CUT: Final = 0.3
#: Waves in a square below which structures of the Sun are not to be told from stripes.
_FEWEST_WAVES: Final = 4


class Light(NamedTuple):
    """How a disk's brightness runs.

    Attributes
    ----------
    limb
        Brightness near the limb over that in the middle: about 1 in Lyman alpha, 0.4 to 0.6 in visible light.
    contrast
        Standard deviation of structures over the brightness at their distance from the centre.
    """

    limb: float
    contrast: float


class Stripes(NamedTuple):
    """The strongest wave of an image.

    Attributes
    ----------
    clearness
        Its power over that of other directions at the same period.
    amplitude
        Over the brightness.
    period, angle
        Pixels, and degrees of the wave's direction from the rows.
    """

    clearness: float
    amplitude: float
    period: float
    angle: float


_NO_LIGHT: Final = Light(math.nan, math.nan)
_NO_STRIPES: Final = Stripes(math.nan, math.nan, math.nan, math.nan)


def light_of(image: F32, disk: Disk) -> Light:
    """Course from centre to limb, and contrast, of a disk; NaN where none is seen."""
    factor = max(1, min(image.shape) // _COARSE)
    small = _binned(image, factor)
    x, y = ((place + 0.5) / factor - 0.5 for place in (disk.x, disk.y))
    medians = ring_medians(small, x, y, disk.radius / factor, _RINGS)
    seen = [medians[part][np.isfinite(medians[part])] for part in (_OUTSKIRTS, _MIDDLE)]
    if not all(one.size for one in seen) or not np.median(seen[1]) > 0:
        return _NO_LIGHT
    limb = float(np.median(seen[0]) / np.median(seen[1]))
    i, j = np.indices(small.shape)
    ring = (((j - x) ** 2 + (i - y) ** 2) * (_RINGS / (disk.radius / factor) ** 2)).astype(int)
    inside = (ring < _OUTSKIRTS.stop) & np.isfinite(small)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = small[inside] / medians[ring[inside]]
    ratio = ratio[np.isfinite(ratio)]
    return Light(limb, float(1.4826 * np.median(np.abs(ratio - 1.0)))) if ratio.size else _NO_LIGHT


def _binned(image: F32, factor: int) -> F32:
    rows, columns = (length // factor for length in image.shape)
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.ascontiguousarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def stripes_of(image: F32, disk: Disk) -> Stripes:
    """The strongest wave that runs through the whole disk; NaN where no disk is seen."""
    side = int(min(_SQUARE, 0.5 * disk.radius))
    window = np.outer(*[np.hanning(side)] * 2).astype(np.float32)
    power = np.zeros((side, side))
    number = 0
    for y in np.linspace(-0.6, 0.6, _ACROSS):
        for x in np.linspace(-0.6, 0.6, _ACROSS):
            top, left = int(disk.y + y * disk.radius) - side // 2, int(disk.x + x * disk.radius) - side // 2
            inside = top >= 0 and left >= 0 and math.hypot(x, y) < 0.75
            part = image[top : top + side, left : left + side] if inside else image[:0]
            if part.shape != (side, side):
                continue
            if not np.isfinite(part).any():
                continue
            middle = float(np.nanmedian(part))
            if not middle > 0:
                continue
            even = np.nan_to_num(np.clip(part / middle - 1.0, -_CUT, _CUT))
            power += np.abs(fft.fft2((even - even.mean()) * window)) ** 2
            number += 1
    if not power.any():
        return _NO_STRIPES
    return _strongest(power / number, side, float((window**2).mean()))


def _strongest(power: F64, side: int, window: float) -> Stripes:
    """The bin that stands out most of a spectrum's own neighbourhood and of its other directions."""
    ky, kx = np.meshgrid(fft.fftfreq(side) * side, fft.fftfreq(side) * side, indexing="ij")
    k = np.hypot(ky, kx)
    rings = np.minimum(np.rint(k), side // 2).astype(int)
    order = np.argsort(rings.ravel(), kind="stable")
    starts = np.searchsorted(rings.ravel()[order], np.arange(side // 2 + 2))
    values = power.ravel()[order]
    median = np.array([np.median(values[a:b]) if b > a else np.inf for a, b in pairwise(starts)])
    around = np.maximum(median_filter(power, size=11, mode="wrap"), median[rings])
    # Rows and columns of a detector differ by themselves: that is no stripe across the Sun.
    looked = (k >= _FEWEST_WAVES) & (k < side // 2) & (np.abs(ky) > 1) & (np.abs(kx) > 1)
    ratio = np.where(looked & np.isfinite(around) & (around > 0), power / around, 0.0)
    row, column = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    rows, columns = (np.arange(-1, 2) + at for at in (row, column))
    near = np.ix_(rows % side, columns % side)
    excess = float(np.maximum(power[near] - around[near], 0.0).sum())
    amplitude = 2.0 * math.sqrt(excess / (side**4 * window))
    angle = math.degrees(math.atan2(float(ky[row, column]), float(kx[row, column])))
    return Stripes(float(ratio[row, column]), amplitude, side / float(k[row, column]), angle % 180.0)

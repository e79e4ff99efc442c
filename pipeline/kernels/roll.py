"""By which angle one image of the Sun is turned against another: correlation of rings about its centre.

Both are sampled on the same rings; each ring is freed of its mean and of its coarsest variation (what a
centre that is a little off, or a gradient, leaves there) and brought to one spread, so that no bright region
decides alone. The correlation along the angle, summed over the rings, has its peak at the turn, whatever it
is.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from pipeline.read_only import read_only

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Angular orders that are left out, from 0 on.
_COARSEST: Final = 4
#: Standard deviations of a ring at which its values are cut.
_CUT: Final = 3.0
#: Parts that the rings are dealt out to, for the error.
_PARTS: Final = 4
_MOST_ANGLES, _MOST_RINGS = 8192, 96


class Roll(NamedTuple):
    """A turn.

    Attributes
    ----------
    degrees
        By which the moving image's angles have to be increased to be the reference's; -180 to 180.
    error
        One standard deviation, from parts of the rings.
    clearness
        Height of the peak over that of the next one; near 1 it may be chance.
    """

    degrees: float
    error: float
    clearness: float


def ring_places(radius: float, inner: float, outer: float) -> tuple[F64, F64]:
    """Distances and angles of the samples: about a pixel apart on the outermost ring.

    Parameters
    ----------
    radius
        Of the Sun in pixels.
    inner, outer
        Of the rings, in radii.

    Returns
    -------
    distance, angle
        Radii, shape (rings, 1), and radians, shape (1, angles).
    """
    angles = min(_MOST_ANGLES, fft.next_fast_len(int(2 * math.pi * outer * radius), real=True))
    rings = int(np.clip((outer - inner) * radius, 8, _MOST_RINGS))
    distance = inner + (np.arange(rings) + 0.5) * (outer - inner) / rings
    return distance[:, None], np.arange(angles)[None, :] * (2 * math.pi / angles)


def sampled(image: F32, x: F64, y: F64) -> F32:
    """An image between its pixels, linearly; NaN outside.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    x, y
        Places in pixels counted from 0, any one shape.
    """
    made = np.empty(x.shape, np.float32)
    _sampled(read_only(image), np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel(), made.ravel())
    return made


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled(image: F32, x: F64, y: F64, made: F32) -> None:
    ny, nx = image.shape
    for k in range(x.size):
        if not (0.0 <= x[k] <= nx - 1.0 and 0.0 <= y[k] <= ny - 1.0):
            made[k] = np.nan
            continue
        i, j = min(int(y[k]), ny - 2), min(int(x[k]), nx - 2)
        fy, fx = np.float32(y[k] - i), np.float32(x[k] - j)
        low = image[i, j] + fx * (image[i, j + 1] - image[i, j])
        high = image[i + 1, j] + fx * (image[i + 1, j + 1] - image[i + 1, j])
        made[k] = low + fy * (high - low)


def find_roll(moving: F32, reference: F32) -> Roll:
    """The turn between two images, from their rings.

    Parameters
    ----------
    moving, reference
        Sampled on the same rings and angles, shape (rings, angles); NaN does not count.
    """
    first, second = (fft.rfft(_even(rings), axis=1) for rings in (moving, reference))
    product = np.conj(first) * second
    number = moving.shape[1]
    place, clearness = _peak(fft.irfft(product.sum(axis=0), number))
    parts = [_peak(fft.irfft(product[part::_PARTS].sum(axis=0), number), place)[0] for part in range(_PARTS)]
    scatter = float(np.std(np.asarray(parts), ddof=1)) / math.sqrt(_PARTS)
    degree = 360.0 / number
    return Roll(math.remainder(place * degree, 360.0), scatter * degree, clearness)


def _even(rings: F32) -> F32:
    """Rings of mean 0 and one spread, without their coarsest variation; 0 where there is no value."""
    known = np.isfinite(rings)
    number = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, rings, 0).sum(axis=1, keepdims=True) / number
    values = np.where(known, rings - mean, 0).astype(np.float32)
    spectrum = fft.rfft(values, axis=1)
    spectrum[:, :_COARSEST] = 0
    values = np.where(known, fft.irfft(spectrum, rings.shape[1], axis=1), 0)
    for _ in range(2):
        spread = np.sqrt((values**2).sum(axis=1, keepdims=True) / number) + 1e-30
        values = np.clip(values / spread, -_CUT, _CUT)
    # A ring that is only seen in part counts in part.
    return np.asarray(values * (known.mean(axis=1, keepdims=True) > 0.3), dtype=np.float32)


def _peak(correlation: F32, near: float | None = None) -> tuple[float, float]:
    """Place of the highest peak (near one, if that is known) between samples; how far it stands out."""
    number = correlation.size
    if near is None:
        at = int(np.argmax(correlation))
    else:
        reach = np.arange(-8, 9) + round(near)
        at = int(reach[np.argmax(correlation[reach % number])]) % number
    before, here, behind = (float(correlation[(at + step) % number]) for step in (-1, 0, 1))
    bend = before - 2.0 * here + behind
    offset = 0.5 * (before - behind) / bend if bend < 0 else 0.0
    if near is not None:  # parts are compared: no jump from one end to the other
        at += number * round((near - at) / number)
        return at + offset, 0.0
    return at + offset, here / max(_next(np.roll(correlation, -at)), 1e-30)


def _next(correlation: F32) -> float:
    """The highest value of a correlation whose peak is its first, beyond the valleys beside that."""
    low = correlation < 0.3 * correlation[0]
    if not low.any():
        return float(correlation[0])
    first, last = int(np.argmax(low)), correlation.size - int(np.argmax(low[::-1]))
    return float(correlation[first:last].max())

"""Where a dark body stands before the Sun: the circle of its edge, found from the dark it leaves."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.kernels.limb import Circle

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Pixels that are looked at together at first.
_BLOCK: Final = 4
#: Of what is lit: below, it is dark; and shares of the disk that a body covers at least, at most.
_DARK: Final = 0.15
_COVERED: Final = (0.03, 0.85)
#: Share of the disk's radius within which edges are looked for: beyond, the Sun itself grows dark.
_WITHIN: Final = 0.92
#: Distances across the edge over which it is followed, in rounds; pixels.
_REACHES: Final = (24.0, 16.0, 10.0, 10.0, 10.0)
#: Median distance of points from the circle above which it is none: pixels, and share of the edge's width.
_SCATTER: Final = (0.45, 0.08)
_ANGLES: Final = 720
_FEWEST: Final = 60


def find_body(image: F32, sun: Circle) -> Circle | None:
    """The edge of a dark body before the disk, where brightness is half of what it is beyond.

    Parameters
    ----------
    image
        Brightness; NaN where it was not measured.
    sun
        The disk, to a few pixels.

    Returns
    -------
    Circle or None
        `None` where there is no such body.
    """
    circle, scatter = _coarsely(np.nan_to_num(image), sun), 0.0
    for reach in _REACHES:
        if circle is None:
            return None
        circle, scatter = _followed(np.nan_to_num(image), sun, circle, reach)
    return circle if scatter < 1.0 else None


def _coarsely(image: F32, sun: Circle) -> Circle | None:
    """From the border of the largest dark region on the disk."""
    ny, nx = (n - n % _BLOCK for n in image.shape)
    small = image[:ny, :nx].reshape(ny // _BLOCK, _BLOCK, nx // _BLOCK, _BLOCK).mean(axis=(1, 3))
    middle = 0.5 * (_BLOCK - 1)
    y, x = (_BLOCK * np.arange(n) + middle for n in small.shape)
    away = np.hypot(x[None, :] - sun.x, y[:, None] - sun.y) / sun.radius
    inside = away < 0.97
    lit = float(np.percentile(small[inside], 90)) if inside.any() else 0.0
    if not lit > 0:
        return None
    dark = (ndimage.median_filter(small, 3) < _DARK * lit) & inside
    regions, number = ndimage.label(dark)
    if not number:
        return None
    largest = regions == 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    if not _COVERED[0] < largest.sum() / inside.sum() < _COVERED[1]:
        return None
    border = largest & ~ndimage.binary_erosion(largest, border_value=1) & (away < _WITHIN)
    rows, columns = np.nonzero(border)
    return _through(x[columns], y[rows]) if rows.size >= _FEWEST // 3 else None


def _followed(image: F32, sun: Circle, circle: Circle, reach: float) -> tuple[Circle | None, float]:
    """A circle through where brightness passes half of what it is beyond, and how far off its points are."""
    angles = np.linspace(0.0, 2.0 * np.pi, _ANGLES, endpoint=False)
    offsets = np.arange(-reach, reach + 0.1, 0.25)
    r = circle.radius + offsets[None, :]
    x, y = circle.x + r * np.cos(angles)[:, None], circle.y + r * np.sin(angles)[:, None]
    before = np.hypot(x - sun.x, y - sun.y).max(axis=1) < _WITHIN * sun.radius
    before &= (x.min(axis=1) > 1) & (y.min(axis=1) > 1)
    before &= (x.max(axis=1) < image.shape[1] - 2) & (y.max(axis=1) < image.shape[0] - 2)
    if before.sum() < _FEWEST:
        return None, 0.0
    profiles = ndimage.map_coordinates(image, [y[before], x[before]], order=1)
    profiles = ndimage.uniform_filter1d(profiles, 5, axis=1)
    quarter = offsets.size // 4
    low, high = profiles[:, :quarter].mean(axis=1), profiles[:, -quarter:].mean(axis=1)
    half = (0.5 * (low + high))[:, None]
    above = profiles > half
    # From outside inwards, the first place that is no longer above.
    crossing = offsets.size - 1 - np.argmin(above[:, ::-1], axis=1)
    clear = (
        (high > 3.0 * np.abs(low))
        & (high > 0.3 * np.median(high))
        & (crossing < offsets.size - 1)
        & (crossing > 0)
    )
    if clear.sum() < _FEWEST:
        return None, 0.0
    rows, first = np.flatnonzero(clear), crossing[clear]
    below, over = half[rows, 0] - profiles[rows, first], profiles[rows, first + 1] - half[rows, 0]
    at = circle.radius + offsets[first] + 0.25 * below / np.maximum(below + over, 1e-9)
    kept = angles[before][clear]
    px, py = circle.x + at * np.cos(kept), circle.y + at * np.sin(kept)
    found = _through(px, py)
    if found is None:
        return None, 0.0
    scatter = float(np.median(np.abs(np.hypot(px - found.x, py - found.y) - found.radius)))
    steepest = np.abs(np.gradient(profiles[clear], 0.25, axis=1)).max(axis=1)
    width = float(np.median((high - low)[clear] / np.maximum(steepest, 1e-9)))
    return found, scatter / (_SCATTER[0] + _SCATTER[1] * width)


def _through(x: F64, y: F64) -> Circle | None:
    """The circle through points, those that lie far off left out."""
    used = np.ones(x.size, bool)
    found = None
    for _ in range(6):
        design = np.column_stack([2.0 * x, 2.0 * y, np.ones_like(x)])[used]
        cx, cy, rest = np.linalg.lstsq(design, (x**2 + y**2)[used], rcond=None)[0]
        found = Circle(float(cx), float(cy), float(np.sqrt(max(rest + cx**2 + cy**2, 1.0))))
        apart = np.hypot(x - cx, y - cy) - found.radius
        spread = 1.4826 * float(np.median(np.abs(apart[used]))) + 0.05
        used = np.abs(apart) < 3.0 * spread
        if used.sum() < 8:
            return None
    return found

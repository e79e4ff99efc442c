"""Rings about a disk's centre: the course of brightness from centre to limb, and division by it.

Rings have equal areas: ring `k` of `n` holds the pixels whose squared distance from the centre, in radii,
lies between ``k/n`` and ``(k+1)/n``. Medians leave spots, plage and filaments out, as long as they cover less
than half of a ring.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Beyond this squared distance blur bends the course, and no polynomial follows it.
_SMOOTH: Final = 0.97
_DEGREE: Final = 5


def ring_medians(image: F32, x: float, y: float, radius: float, rings: int = 200) -> F64:
    """The median of each ring, from the centre to the limb; NaN where a ring holds no value.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN does not count.
    x, y, radius
        The disk, pixels counted from 0.
    rings
        How many.
    """
    medians: F64 = _ring_medians(read_only(image), x, y, radius, rings)
    return medians


def smooth_course(medians: F64, degree: int = _DEGREE) -> tuple[F64, F64]:
    """Medians of rings without their noise: a polynomial in the cosine of the heliocentric angle.

    Parameters
    ----------
    medians
        As `ring_medians` makes them.
    degree
        Of the polynomial.

    Returns
    -------
    course, coefficients
        The course, one value for each ring; the outermost ones, which blur has bent, stay as they are. And
        the polynomial's coefficients, the constant first.
    """
    place = (np.arange(medians.size) + 0.5) / medians.size
    cosine = np.sqrt(1.0 - place)
    used = np.isfinite(medians) & (place < _SMOOTH)
    if used.sum() <= degree:
        return medians.copy(), np.full(degree + 1, np.nan)
    design = np.vander(cosine, degree + 1, increasing=True)
    coefficients = np.linalg.lstsq(design[used], medians[used], rcond=None)[0]
    smooth = design @ coefficients
    course = np.where((place < _SMOOTH) | ~np.isfinite(medians), smooth, medians)
    return np.asarray(course), np.asarray(coefficients)


def over_course(image: F32, x: float, y: float, radius: float, course: F64) -> F32:
    """An image over the course of brightness from centre to limb; NaN beyond the limb.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    x, y, radius
        The disk.
    course
        One value for each ring; between rings it runs straight.
    """
    result = np.full(image.shape, np.nan, np.float32)
    _over_course(read_only(image), x, y, radius, course.astype(np.float32), result)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _chord(row: int, x: float, y: float, radius: float, width: int) -> tuple[int, int]:
    """First pixel, and the one behind the last, of a row that lie on the disk."""
    left = radius * radius - (row - y) * (row - y)
    if left <= 0.0:
        return 0, 0
    half = math.sqrt(left)
    first, stop = max(0, math.ceil(x - half)), min(width, math.floor(x + half) + 1)
    return first, max(first, stop)


@njit(cache=True, nogil=True, error_model="numpy")
def _ring_medians(image: F32, x: float, y: float, radius: float, rings: int) -> F64:
    ny, nx = image.shape
    scale = rings / (radius * radius)
    counts = np.zeros(rings + 1, np.int64)
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        for j in range(first, stop):
            ring = int(((j - x) * (j - x) + (i - y) * (i - y)) * scale)
            if ring < rings and not np.isnan(image[i, j]):
                counts[ring + 1] += 1
    starts = np.cumsum(counts)
    values, fill = np.empty(starts[-1], np.float32), starts[:-1].copy()
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        for j in range(first, stop):
            ring = int(((j - x) * (j - x) + (i - y) * (i - y)) * scale)
            if ring < rings and not np.isnan(image[i, j]):
                values[fill[ring]] = image[i, j]
                fill[ring] += 1
    medians = np.full(rings, np.nan)
    for ring in range(rings):
        if starts[ring + 1] > starts[ring]:
            medians[ring] = np.median(values[starts[ring] : starts[ring + 1]])
    return medians


@njit(cache=True, nogil=True, error_model="numpy")
def _over_course(image: F32, x: float, y: float, radius: float, course: F32, result: F32) -> None:
    ny, nx = image.shape
    last = course.size - 1
    scale = np.float32(course.size / (radius * radius))
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        above = np.float32((i - y) * (i - y))
        for j in range(first, stop):
            along = np.float32(j - x)
            place = (along * along + above) * scale - np.float32(0.5)
            place = min(max(place, np.float32(0.0)), np.float32(last))
            ring = min(int(place), last - 1)
            part = place - np.float32(ring)
            value = course[ring] + part * (course[ring + 1] - course[ring])
            result[i, j] = image[i, j] / value

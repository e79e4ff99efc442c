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


def ring_medians(
    image: F32,
    x: float,
    y: float,
    radius: float,
    rings: int = 200,
    *,
    near: F64 | None = None,
    within: float = math.inf,
) -> F64:
    """The median of each ring, from the centre to the limb; NaN where a ring holds no value.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN does not count.
    x, y, radius
        The disk, pixels counted from 0.
    rings
        How many.
    near, within
        A course, one value for each of its rings, and by which part of it values may be off; those that are
        further off do not count.
    """
    course = np.ones(2) if near is None else near
    limit = math.inf if near is None else within
    values, starts = _by_ring(read_only(image), x, y, radius, rings, course.astype(np.float32), limit)
    medians = np.full(rings, np.nan)
    for ring, (first, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        held = values[first:stop]
        if held.size:
            held.sort()
            medians[ring] = 0.5 * (float(held[(held.size - 1) // 2]) + float(held[held.size // 2]))
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


def over_course(image: F32, x: float, y: float, radius: float, course: F64, out: F32 | None = None) -> F32:
    """An image over the course of brightness from centre to limb; NaN beyond the limb.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    x, y, radius
        The disk.
    course
        One value for each ring; between rings it runs straight.
    out
        Where the result is to be written.
    """
    result = np.empty(image.shape, np.float32) if out is None else out
    _over_course(read_only(image), x, y, radius, course.astype(np.float32), result)
    return result


def flag_disk(
    quality: NDArray[np.uint16],
    x: float,
    y: float,
    radius: float,
    *,
    sure: float,
    doubtful: int,
    outside: int,
) -> None:
    """Set flags beyond the limb, and between it and a part of the radius.

    Parameters
    ----------
    quality
        uint16, shape (ny, nx); changed.
    x, y, radius
        The disk.
    sure
        Part of the radius beyond which pixels are `doubtful`.
    doubtful, outside
        Bits of the outermost part of the disk, and of what lies beyond it.
    """
    _flag_disk(quality, x, y, radius, sure, np.uint16(doubtful), np.uint16(outside))


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
def _expected(place: np.float32, course: F32) -> np.float32:
    """The course at a place, counted in rings; between rings it runs straight."""
    last = course.size - 1
    place = min(max(place - np.float32(0.5), np.float32(0.0)), np.float32(last))
    ring = min(int(place), last - 1)
    value: np.float32 = course[ring] + (place - np.float32(ring)) * (course[ring + 1] - course[ring])
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _by_ring(
    image: F32, x: float, y: float, radius: float, rings: int, near: F32, within: float
) -> tuple[F32, NDArray[np.int64]]:
    """The values that count, ring by ring, and where each ring begins."""
    ny, nx = image.shape
    scale = rings / (radius * radius)
    finer, bound = np.float32(near.size / rings), np.float32(within)
    wanted = np.full((ny, nx), np.int16(-1))
    counts = np.zeros(rings + 1, np.int64)
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        above = (i - y) * (i - y)
        for j in range(first, stop):
            place = ((j - x) * (j - x) + above) * scale
            ring = int(place)
            off = image[i, j] / _expected(np.float32(place) * finer, near) - np.float32(1.0)
            # Whatever is no number is not near anything.
            if ring < rings and (abs(off) < bound):
                wanted[i, j] = ring
                counts[ring + 1] += 1
    starts = np.cumsum(counts)
    values, fill = np.empty(starts[-1], np.float32), starts[:-1].copy()
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        for j in range(first, stop):
            ring = wanted[i, j]
            if ring >= 0:
                values[fill[ring]] = image[i, j]
                fill[ring] += 1
    return values, starts


@njit(cache=True, nogil=True, error_model="numpy")
def _over_course(image: F32, x: float, y: float, radius: float, course: F32, result: F32) -> None:
    ny, nx = image.shape
    scale = np.float32(course.size / (radius * radius))
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        above = np.float32((i - y) * (i - y))
        result[i, :first] = np.nan
        result[i, stop:] = np.nan
        for j in range(first, stop):
            along = np.float32(j - x)
            result[i, j] = image[i, j] / _expected((along * along + above) * scale, course)


@njit(cache=True, nogil=True, error_model="numpy")
def _flag_disk(
    quality: NDArray[np.uint16],
    x: float,
    y: float,
    radius: float,
    sure: float,
    doubtful: np.uint16,
    outside: np.uint16,
) -> None:
    ny, nx = quality.shape
    for i in range(ny):
        first, stop = _chord(i, x, y, radius, nx)
        inner, end = _chord(i, x, y, sure * radius, nx)
        if end <= inner:
            inner = end = first
        for j in range(nx):
            if j < first or j >= stop:
                quality[i, j] |= outside
            elif j < inner or j >= end:
                quality[i, j] |= doubtful

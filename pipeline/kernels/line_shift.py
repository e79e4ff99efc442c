"""Depth and shift of a line of known shape from a few points across it, for every pixel of an image.

Each pixel's values are ``c₀ + c₁ t − d P(λ; v)``: a straight continuum, a depth and a shift, least squares by
Gauss and Newton. The shape and its derivative come as tables over the shift.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ROUNDS: Final = 12


class LineShift(NamedTuple):
    """Shift, its error and the depth, float32, shape (ny, nx); NaN where no line of that depth is."""

    shift: F32
    error: F32
    depth: F32


def line_shift(
    cube: F32, along: F64, shifts: F64, shapes: F64, noise: float, least_depth: float
) -> LineShift:
    """Depth and shift of a line.

    Parameters
    ----------
    cube
        float32, shape (points, ny, nx); about 1 in the continuum.
    along
        Where the points lie, for the slope of the continuum; shape (points,).
    shifts
        Evenly spaced shifts of the table.
    shapes
        Depth at each point of a line of depth 1, shape (shifts, points).
    noise
        One standard deviation of the cube's values.
    least_depth
        Depth below which no shift is given.
    """
    ny, nx = cube.shape[1:]
    made = np.full((3, ny, nx), np.nan, np.float32)
    slopes = np.gradient(shapes, shifts, axis=0)
    centred = (along - along.mean()) / np.ptp(along)
    _fit(
        read_only(np.ascontiguousarray(cube)),
        centred,
        float(shifts[0]),
        float(shifts[1] - shifts[0]),
        np.ascontiguousarray(shapes),
        np.ascontiguousarray(slopes),
        noise,
        least_depth,
        made,
    )
    return LineShift(made[0], made[1], made[2])


@njit(cache=True, nogil=True, error_model="numpy")
def _solved(matrix: F64, right: F64, size: int) -> bool:
    """Cholesky in place; the solution stands in `right`."""
    for k in range(size):
        for m in range(k):
            matrix[k, k] -= matrix[k, m] * matrix[k, m]
        if matrix[k, k] <= 1e-14:
            return False
        matrix[k, k] = math.sqrt(matrix[k, k])
        for i in range(k + 1, size):
            for m in range(k):
                matrix[i, k] -= matrix[i, m] * matrix[k, m]
            matrix[i, k] /= matrix[k, k]
    for k in range(size):
        for m in range(k):
            right[k] -= matrix[k, m] * right[m]
        right[k] /= matrix[k, k]
    for k in range(size - 1, -1, -1):
        for m in range(k + 1, size):
            right[k] -= matrix[m, k] * right[m]
        right[k] /= matrix[k, k]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _normal_equations(
    values: F64, along: F64, shape: F64, slope: F64, size: int, matrix: F64, right: F64
) -> None:
    """Of constant, continuum's slope, depth and, as the fourth, shift."""
    matrix[:], right[:] = 0.0, 0.0
    column = np.empty(4)
    for k in range(values.size):
        column[0], column[1], column[2], column[3] = 1.0, along[k], -shape[k], -slope[k]
        for a in range(size):
            right[a] += column[a] * values[k]
            for b in range(size):
                matrix[a, b] += column[a] * column[b]


@njit(cache=True, nogil=True, error_model="numpy")
def _pixel(
    values: F64, along: F64, first: float, step: float, shapes: F64, slopes: F64, least: float
) -> tuple[float, float, float]:
    """Shift, its error for values with an error of 1, and depth; a depth of 0 where there is no line."""
    last = shapes.shape[0] - 1
    matrix, right = np.empty((4, 4)), np.empty(4)
    shift, depth, change = 0.0, 0.0, 1e9
    for number in range(_ROUNDS):
        place = min(max((shift - first) / step, 0.0), last - 1e-9)
        at = int(place)
        part = place - at
        shape = shapes[at] + part * (shapes[at + 1] - shapes[at])
        slope = depth * (slopes[at] + part * (slopes[at + 1] - slopes[at]))
        # First with the line at rest: most pixels show none, and are done.
        size = 3 if number == 0 else 4
        _normal_equations(values, along, shape, slope, size, matrix, right)
        if not _solved(matrix, right, size):
            return 0.0, 0.0, 0.0
        depth = right[2]
        if number == 0:
            if depth < 0.5 * least:
                return 0.0, 0.0, 0.0
            continue
        change = right[3]
        shift += min(max(change, -10.0), 10.0)
        if abs(change) < 0.01:
            break
    inside = first < shift < first + step * last
    if depth < least or abs(change) > 0.1 or not inside:
        return 0.0, 0.0, 0.0
    # Of the inverse of the normal equations only the shift's own entry: 1 / L₄₄².
    return shift, 1.0 / matrix[3, 3], depth


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(
    cube: F32,
    along: F64,
    first: float,
    step: float,
    shapes: F64,
    slopes: F64,
    noise: float,
    least_depth: float,
    made: F32,
) -> None:
    points, ny, nx = cube.shape
    values = np.empty(points)
    for i in range(ny):
        for j in range(nx):
            total = 0.0
            for k in range(points):
                values[k] = cube[k, i, j]
                total += values[k]
            if not math.isfinite(total):
                continue
            shift, error, depth = _pixel(values, along, first, step, shapes, slopes, least_depth)
            if depth > 0.0:
                made[0, i, j], made[1, i, j], made[2, i, j] = shift, error * noise, depth

"""Resampling through a mesh of control points: linear between them, and between pixels.

A regular grid of control points lies over the output; each says where in the
input it is taken from. Between them the places are linear on triangles, two to
a cell, as IDL's WARP_TRI has it with a regular grid of tie points. An affine map
is a mesh of one cell.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.quality import Quality
from pipeline.read_only import read_only

#: A place this near to a pixel's centre takes nothing from the neighbours behind it (pixels).
_NEGLIGIBLE: Final = 1e-4
_OUTSIDE: Final = int(Quality.OUTSIDE_FIELD)


def warp(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    pitch: tuple[float, float],
    origin: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """An image taken from the places that a mesh says.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN where it has no value.
    quality
        `Quality` bits, same shape.
    x, y
        Columns and rows of the input, counted from zero, at the control points; shape (rows, columns) of
        points.
    pitch
        Output pixels between control points along x and y.
    origin
        Output pixel (x, y) on which the first control point lies.

    Returns
    -------
    image, quality
        Of the same shape. A pixel is NaN where any input pixel that it is made of has no value, and carries
        the flags of all of them; beyond the outermost pixel centres it is NaN and flagged `OUTSIDE_FIELD`.
    """
    made, flags = np.empty_like(image), np.empty_like(quality)
    places = np.ascontiguousarray(np.stack([x, y]), dtype=np.float64)
    _warp(read_only(image), read_only(quality), read_only(places), *pitch, *origin, made, flags)
    return made, flags


@njit(cache=True, nogil=True, error_model="numpy")
def _warp(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    places: NDArray[np.float64],
    pitch_x: float,
    pitch_y: float,
    origin_x: float,
    origin_y: float,
    made: NDArray[np.float32],
    flags: NDArray[np.uint16],
) -> None:
    ny, nx = image.shape
    last = places.shape[2] - 2
    for i in range(ny):
        v = (i - origin_y) / pitch_y
        row = min(max(math.floor(v), 0), places.shape[1] - 2)
        v -= row
        j = 0
        while j < nx:
            column = min(max(math.floor((j - origin_x) / pitch_x), 0), last)
            u = (j - origin_x) / pitch_x - column
            # The diagonal of a cell runs from its upper left to its lower right corner.
            lower = u + v <= 1.0
            border = 1.0 - v if lower else 1.0
            stop = nx
            if lower or column < last:
                behind = math.floor((column + border) * pitch_x + origin_x) + 1
                stop = max(min(nx, behind), j + 1)
            a, b = places[:, row, column], places[:, row, column + 1]
            c, d = places[:, row + 1, column], places[:, row + 1, column + 1]
            if lower:
                x, dx = a[0] + u * (b[0] - a[0]) + v * (c[0] - a[0]), (b[0] - a[0]) / pitch_x
                y, dy = a[1] + u * (b[1] - a[1]) + v * (c[1] - a[1]), (b[1] - a[1]) / pitch_x
            else:
                x, dx = d[0] + (1.0 - u) * (c[0] - d[0]) + (1.0 - v) * (b[0] - d[0]), (d[0] - c[0]) / pitch_x
                y, dy = d[1] + (1.0 - u) * (c[1] - d[1]) + (1.0 - v) * (b[1] - d[1]), (d[1] - c[1]) / pitch_x
            _run(image, quality, x, dx, y, dy, made[i, j:stop], flags[i, j:stop])
            j = stop


@njit(cache=True, nogil=True, error_model="numpy")
def _run(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    x: float,
    dx: float,
    y: float,
    dy: float,
    made: NDArray[np.float32],
    flags: NDArray[np.uint16],
) -> None:
    """Output pixels of one row whose places advance evenly."""
    ny, nx = image.shape
    for k in range(made.size):
        at_x, at_y = x + k * dx, y + k * dy
        if not (
            -_NEGLIGIBLE <= at_x <= nx - 1 + _NEGLIGIBLE and -_NEGLIGIBLE <= at_y <= ny - 1 + _NEGLIGIBLE
        ):
            made[k], flags[k] = np.float32(np.nan), np.uint16(_OUTSIDE)
            continue
        column, row = int(at_x + _NEGLIGIBLE), int(at_y + _NEGLIGIBLE)
        u, v = np.float32(at_x - column), np.float32(at_y - row)
        right, upper = min(column + 1, nx - 1), min(row + 1, ny - 1)
        if u <= _NEGLIGIBLE:
            right, u = column, np.float32(0.0)
        if v <= _NEGLIGIBLE:
            upper, v = row, np.float32(0.0)
        near, far = image[row], image[upper]
        below = near[column] + u * (near[right] - near[column])
        above = far[column] + u * (far[right] - far[column])
        made[k] = below + v * (above - below)
        flags[k] = quality[row, column] | quality[row, right] | quality[upper, column] | quality[upper, right]

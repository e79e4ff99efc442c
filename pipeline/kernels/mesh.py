"""Resampling through a mesh of control points: linear between them, and between pixels.

A regular grid of control points lies over the output; each says where in the
input it is taken from. Between them the places are linear on triangles, two to
a cell, as IDL's WARP_TRI has it with a regular grid of tie points. An affine map
is a mesh of one cell.

Where pixels are taken from (`places_of`) and taking them (`take`) are two things: of a
camera whose optics stay as they are the first is done once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.quality import Quality
from pipeline.read_only import read_only

#: A place this near to a pixel's centre takes nothing from the neighbours behind it (pixels).
_NEGLIGIBLE: Final = 1e-4
_OUTSIDE: Final = np.uint16(Quality.OUTSIDE_FIELD)
#: Pixels along a side of the blocks of which it is known whether any pixel is flagged.
_BLOCK: Final = 32
#: Pixels of a row that are dealt with together.
_CHUNK: Final = 64


@dataclass(frozen=True)
class Places:
    """Where each pixel of an output is taken from; 12 bytes for each.

    Attributes
    ----------
    at
        int32, index of the input pixel to the lower left, -1 beyond the outermost pixel centres.
    right, upper
        float32, the shares of the pixels beside and above; those that have none do not count.
    within
        Bounds of what a piece of a row looks at, in blocks: first and last row, first and last column; the
        first one is -1 where it lies outside in part, or at the upper or right edge. int32, shape (rows,
        pieces, 4).
    """

    at: NDArray[np.int32]
    right: NDArray[np.float32]
    upper: NDArray[np.float32]
    within: NDArray[np.int32]


def warp(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    pitch: tuple[float, float],
    origin: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """An image taken from the places that a mesh says: `take` from `places_of`."""
    return take(image, quality, places_of(image.shape, x, y, pitch, origin))


def places_of(
    shape: tuple[int, ...],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    pitch: tuple[float, float],
    origin: tuple[float, float] = (0.0, 0.0),
) -> Places:
    """Where the pixels of an image are taken from.

    Parameters
    ----------
    shape
        Of input and output, (ny, nx).
    x, y
        Columns and rows of the input, counted from zero, at the control points; shape (rows, columns) of
        points.
    pitch
        Output pixels between control points along x and y.
    origin
        Output pixel (x, y) on which the first control point lies.
    """
    ny, nx = shape
    made = Places(
        np.empty((ny, nx), np.int32),
        np.empty((ny, nx), np.float32),
        np.empty((ny, nx), np.float32),
        np.empty((ny, -(-nx // _CHUNK), 4), np.int32),
    )
    points = read_only(np.ascontiguousarray(np.stack([x, y]), dtype=np.float64))
    pairs = (float(pitch[0]), float(pitch[1])), (float(origin[0]), float(origin[1]))
    _find(points, *pairs, made.at, made.right, made.upper)
    _bound(read_only(made.at), made.within)
    for plane in vars(made).values():
        plane.flags.writeable = False
    return made


def take(
    image: NDArray[np.float32], quality: NDArray[np.uint16], places: Places
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """An image taken from places.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN where it has no value.
    quality
        `Quality` bits, same shape.
    places
        From where.

    Returns
    -------
    image, quality
        Of the same shape. A pixel is NaN where any input pixel that it is made of has no value, and carries
        the flags of all of them; beyond the outermost pixel centres it is NaN and flagged `OUTSIDE_FIELD`.
        That flag stands alone: nothing is said of what was not looked at.
    """
    values, marks = (read_only(np.ascontiguousarray(plane)) for plane in (image, quality))
    made, flags = np.empty(image.shape, np.float32), np.empty(image.shape, np.uint16)
    _take(values, marks, places.at, places.right, places.upper, places.within, made, flags)
    return made, flags


@njit(cache=True, nogil=True, error_model="numpy")
def _find(
    points: NDArray[np.float64],
    pitch: tuple[float, float],
    origin: tuple[float, float],
    at: NDArray[np.int32],
    right: NDArray[np.float32],
    upper: NDArray[np.float32],
) -> None:
    ny, nx = at.shape
    xs, ys = np.empty(nx), np.empty(nx)
    for i in range(ny):
        _find_row(points, pitch, origin, i, xs, ys)
        for j in range(nx):
            x, y = xs[j], ys[j]
            at[i, j], right[i, j], upper[i, j] = -1, 0.0, 0.0
            if not (-_NEGLIGIBLE <= x <= nx - 1 + _NEGLIGIBLE and -_NEGLIGIBLE <= y <= ny - 1 + _NEGLIGIBLE):
                continue
            column, row = int(x + _NEGLIGIBLE), int(y + _NEGLIGIBLE)
            u, v = np.float32(x - column), np.float32(y - row)
            at[i, j] = row * nx + column
            if u > _NEGLIGIBLE and column < nx - 1:
                right[i, j] = u
            if v > _NEGLIGIBLE and row < ny - 1:
                upper[i, j] = v


@njit(cache=True, nogil=True, error_model="numpy")
def _find_row(
    points: NDArray[np.float64],
    pitch: tuple[float, float],
    origin: tuple[float, float],
    i: int,
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
) -> None:
    """The places of a row: they advance evenly on each triangle that it crosses."""
    (pitch_x, pitch_y), (origin_x, origin_y) = pitch, origin
    last = points.shape[2] - 2
    v = (i - origin_y) / pitch_y
    row = min(max(math.floor(v), 0), points.shape[1] - 2)
    v -= row
    j = 0
    while j < xs.size:
        column = min(max(math.floor((j - origin_x) / pitch_x), 0), last)
        u = (j - origin_x) / pitch_x - column
        # The diagonal of a cell runs from its upper left to its lower right corner.
        lower = u + v <= 1.0
        border = 1.0 - v if lower else 1.0
        stop = xs.size
        if lower or column < last:
            behind = math.floor((column + border) * pitch_x + origin_x) + 1
            stop = max(min(xs.size, behind), j + 1)
        a, b = points[:, row, column], points[:, row, column + 1]
        c, d = points[:, row + 1, column], points[:, row + 1, column + 1]
        if lower:
            x, dx = a[0] + u * (b[0] - a[0]) + v * (c[0] - a[0]), (b[0] - a[0]) / pitch_x
            y, dy = a[1] + u * (b[1] - a[1]) + v * (c[1] - a[1]), (b[1] - a[1]) / pitch_x
        else:
            x, dx = d[0] + (1.0 - u) * (c[0] - d[0]) + (1.0 - v) * (b[0] - d[0]), (d[0] - c[0]) / pitch_x
            y, dy = d[1] + (1.0 - u) * (c[1] - d[1]) + (1.0 - v) * (b[1] - d[1]), (d[1] - c[1]) / pitch_x
        for k in range(stop - j):
            xs[j + k], ys[j + k] = x + k * dx, y + k * dy
        j = stop


@njit(cache=True, nogil=True, error_model="numpy")
def _bound(at: NDArray[np.int32], within: NDArray[np.int32]) -> None:
    """What each piece of a row looks at, in blocks."""
    ny, nx = at.shape
    for i in range(ny):
        for piece in range(within.shape[1]):
            bottom, top, left, right = ny, -1, nx, -1
            for j in range(piece * _CHUNK, min((piece + 1) * _CHUNK, nx)):
                row, column = (at[i, j] // nx, at[i, j] % nx) if at[i, j] >= 0 else (-1, -1)
                bottom, left = min(bottom, row), min(left, column)
                top, right = max(top, row + 1), max(right, column + 1)
            bounds = within[i, piece]
            bounds[0], bounds[1] = bottom // _BLOCK, top // _BLOCK
            bounds[2], bounds[3] = left // _BLOCK, right // _BLOCK
            if bottom < 0 or top >= ny or right >= nx:
                bounds[0] = -1


@njit(cache=True, nogil=True, error_model="numpy")
def _take(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    at: NDArray[np.int32],
    right: NDArray[np.float32],
    upper: NDArray[np.float32],
    within: NDArray[np.int32],
    made: NDArray[np.float32],
    flags: NDArray[np.uint16],
) -> None:
    ny, nx = image.shape
    values, marks, marked = image.ravel(), quality.ravel(), _marked(quality)
    # Pieces are counted through, not cut out: there are many, and each is short.
    places = at.ravel(), right.ravel(), upper.ravel()
    results, result_flags = made.ravel(), flags.ravel()
    for i in range(ny):
        for piece in range(within.shape[1]):
            first, stop = i * nx + piece * _CHUNK, i * nx + min((piece + 1) * _CHUNK, nx)
            bounds = within[i, piece]
            if bounds[0] < 0:
                _take_at_edge(values, marks, nx, places, first, stop, results, result_flags)
                continue
            _take_values(values, nx, places, first, stop, results)
            found = False
            for row in range(bounds[0], bounds[1] + 1):
                for column in range(bounds[2], bounds[3] + 1):
                    found |= marked[row, column]
            if found:
                _take_flags(marks, nx, places, first, stop, result_flags)
            else:
                for k in range(first, stop):
                    result_flags[k] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _take_values(
    values: NDArray[np.float32],
    nx: int,
    places: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]],
    first: int,
    stop: int,
    made: NDArray[np.float32],
) -> None:
    """Values of a piece of a row; all four neighbours are there, whether they count or not."""
    at, right, upper = places
    one, width = np.uint64(1), np.uint64(nx)
    for k in range(np.uint64(first), np.uint64(stop)):
        # Indices without a sign: none is counted from the end.
        here = np.uint64(np.uint32(at[k]))
        there = here + width
        u, v = right[k], upper[k]
        # What has no share may be NaN, and is left out.
        below = values[here] + u * (values[here + one if u > 0 else here] - values[here])
        above = values[there] + u * (values[there + one if u > 0 else there] - values[there])
        made[k] = below + v * (above - below) if v > 0 else below


@njit(cache=True, nogil=True, error_model="numpy")
def _take_flags(
    marks: NDArray[np.uint16],
    nx: int,
    places: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]],
    first: int,
    stop: int,
    flags: NDArray[np.uint16],
) -> None:
    at, right, upper = places
    for k in range(first, stop):
        here, east = at[k], 1 if right[k] > 0 else 0
        there = here + (nx if upper[k] > 0 else 0)
        found = marks[here] | marks[here + east] | marks[there] | marks[there + east]
        flags[k] = _OUTSIDE if found & _OUTSIDE else found


@njit(cache=True, nogil=True, error_model="numpy")
def _take_at_edge(
    values: NDArray[np.float32],
    marks: NDArray[np.uint16],
    nx: int,
    places: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]],
    first: int,
    stop: int,
    made: NDArray[np.float32],
    flags: NDArray[np.uint16],
) -> None:
    """Values and flags of a piece of a row beside which there may be nothing."""
    at, right, upper = places
    for k in range(first, stop):
        if at[k] < 0:
            made[k], flags[k] = np.float32(np.nan), _OUTSIDE
            continue
        here, east = at[k], 1 if right[k] > 0 else 0
        there = here + (nx if upper[k] > 0 else 0)
        below = values[here] + right[k] * (values[here + east] - values[here])
        above = values[there] + right[k] * (values[there + east] - values[there])
        made[k] = below + upper[k] * (above - below)
        _take_flags(marks, nx, places, k, k + 1, flags)


@njit(cache=True, nogil=True, error_model="numpy")
def _marked(quality: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Whether any pixel of each block is flagged."""
    ny, nx = quality.shape
    result = np.zeros((-(-ny // _BLOCK), -(-nx // _BLOCK)), dtype=np.bool_)
    for i in range(ny):
        for block in range(result.shape[1]):
            found = np.uint16(0)
            for flag in quality[i, block * _BLOCK : (block + 1) * _BLOCK]:
                found |= flag
            result[i // _BLOCK, block] |= found != 0
    return result

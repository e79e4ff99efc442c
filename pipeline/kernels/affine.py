"""Sampling of spline coefficients and of quality flags under an affine map.

For the small rotations and scales near one of a registration, consecutive
output pixels of a row read consecutive input pixels: the integer parts of
their positions advance together over runs of hundreds of pixels. Inside such
a run every load is contiguous and nothing branches, so the compiler turns
the sixteen taps into vector instructions without gathers. Any other affine
map goes through the same code with shorter runs, whose last vectors reach into
the next ones, which write these pixels anew.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.kernels.bspline import MARGIN

F32: TypeAlias = NDArray[np.float32]
U16: TypeAlias = NDArray[np.uint16]

#: A position this far beyond the outermost pixel centre is rounding, not outside (pixels).
EDGE_TOLERANCE: Final = 1e-6
#: Internal mark of a filled pixel; no `Quality` flag uses this bit.
FILLED: Final = 0x8000
#: Neighbours that enter with less than this distance from an integer position carry no flags (pixels).
_NEGLIGIBLE_SHIFT: Final = np.float32(1e-3)

_ONE: Final = np.float32(1.0)
_HALF: Final = np.float32(0.5)
#: Pixels that a vector instruction, or two, take at once.
_AT_ONCE: Final = 16
#: Pixels whose flags are looked at together.
_STRETCH: Final = 128
_SIXTH: Final = np.float32(1.0 / 6.0)
_TWO_THIRDS: Final = np.float32(2.0 / 3.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(start: float, step: float, last: int, width: int) -> tuple[int, int]:
    """First and one-past-last j in 0..width with 0 ≤ start + step·j ≤ last, within `EDGE_TOLERANCE`."""
    low, high = -EDGE_TOLERANCE, last + EDGE_TOLERANCE
    if abs(step) < 1e-12:
        return 0, width if low <= start <= high else 0
    near, far = (low - start) / step, (high - start) / step
    if step < 0.0:
        near, far = far, near
    first = int(max(0.0, min(math.ceil(near), float(width))))
    stop = int(max(0.0, min(math.floor(far) + 1.0, float(width))))
    return first, max(first, stop)


@njit(cache=True, nogil=True, error_model="numpy")
def _steps_within_pixel(fraction: float, step: float, most: int) -> int:
    """How many pixels, of `most`, a run has until the fractional position leaves 0..1."""
    room = 1.0 - fraction if step >= 0.0 else fraction
    return int(min(room / abs(step), most - 1.0)) + 1  # a step of 0 has room for infinitely many


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _spline_run(
    of: F32,
    row: np.uintp,
    column: np.uintp,
    out: F32,
    i: np.uintp,
    j: np.uintp,
    number: np.uintp,
    tx: np.float32,
    dtx: np.float32,
    ty: np.float32,
    dty: np.float32,
    low: np.float32,
    high: np.float32,
) -> None:
    """One run of pixels of row `i` from `j` on; its taps of the coefficients begin in `row` and `column`."""
    # Indices without a sign are not looked at for being negative, and slices would cost more than a run does.
    upper, above, top = row + np.uintp(1), row + np.uintp(2), row + np.uintp(3)
    for index in range(number):
        k = np.uintp(index)
        c0 = column + k
        c1, c2, c3 = c0 + np.uintp(1), c0 + np.uintp(2), c0 + np.uintp(3)
        x = tx + dtx * np.float32(k)
        rx = _ONE - x
        a0 = rx * rx * rx * _SIXTH
        a1 = _TWO_THIRDS - x * x * (_ONE - _HALF * x)
        a2 = _TWO_THIRDS - rx * rx * (_ONE - _HALF * rx)
        a3 = x * x * x * _SIXTH
        y = ty + dty * np.float32(k)
        ry = _ONE - y
        b0 = ry * ry * ry * _SIXTH
        value = b0 * (a0 * of[row, c0] + a1 * of[row, c1] + a2 * of[row, c2] + a3 * of[row, c3])
        b1 = _TWO_THIRDS - y * y * (_ONE - _HALF * y)
        value += b1 * (a0 * of[upper, c0] + a1 * of[upper, c1] + a2 * of[upper, c2] + a3 * of[upper, c3])
        b2 = _TWO_THIRDS - ry * ry * (_ONE - _HALF * ry)
        value += b2 * (a0 * of[above, c0] + a1 * of[above, c1] + a2 * of[above, c2] + a3 * of[above, c3])
        b3 = y * y * y * _SIXTH
        value += b3 * (a0 * of[top, c0] + a1 * of[top, c1] + a2 * of[top, c2] + a3 * of[top, c3])
        out[i, j + k] = min(max(value, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_spline(
    coefficients: F32,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    low: np.float32,
    high: np.float32,
    missing: np.float32,
    outside: np.uint16,
    out: F32,
    flags: U16,
) -> None:
    """Evaluate the spline at ``matrix · (x, y) + offset`` for every output pixel (x, y).

    Parameters
    ----------
    coefficients
        float32, with the margin of `spline_coefficients`.
    matrix, offset
        float64 (2, 2) and (2,), in (x, y) order, from output to input pixels
        counted from zero.
    low, high
        float32; results are clipped to this range.
    missing, outside
        Value (float32) and flag (uint16) of pixels beyond the outermost pixel centres.
    out, flags
        float32 and uint16, shape of the output; `out` is written, `flags` OR-ed.
    """
    ny, nx = coefficients.shape[0] - 2 * MARGIN, coefficients.shape[1] - 2 * MARGIN
    height, width = out.shape
    xx, xy, yx, yy = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    for i in range(height):
        x0, y0 = xy * i + offset[0], yy * i + offset[1]
        first_x, stop_x = _inside(x0, xx, nx - 1, width)
        first_y, stop_y = _inside(y0, yx, ny - 1, width)
        first = max(first_x, first_y)
        stop = max(first, min(stop_x, stop_y))
        out[i, :first] = missing
        out[i, stop:] = missing
        flags[i, :first] |= outside
        flags[i, stop:] |= outside
        j = first
        while j < stop:
            x, y = x0 + xx * j, y0 + yx * j
            column, row = math.floor(x), math.floor(y)
            tx, ty = x - column, y - row
            n = _steps_within_pixel(ty, yx, _steps_within_pixel(tx, xx - 1.0, stop - j))
            top, left = int(row) + MARGIN - 1, int(column) + MARGIN - 1
            # Whole vectors: what they write beyond the run the next writes anew; none reads beyond its row.
            whole = min(-(-n // _AT_ONCE) * _AT_ONCE, stop - j, coefficients.shape[1] - 3 - left)
            _spline_run(
                coefficients,
                np.uintp(top),
                np.uintp(left),
                out,
                np.uintp(i),
                np.uintp(j),
                np.uintp(max(n, whole)),
                np.float32(tx),
                np.float32(xx - 1.0),
                np.float32(ty),
                np.float32(yx),
                low,
                high,
            )
            j += n


@njit(cache=True, nogil=True, error_model="numpy")
def _flag_run(
    of: U16,
    row: np.uintp,
    column: np.uintp,
    flags: U16,
    i: np.uintp,
    j: np.uintp,
    number: np.uintp,
    tx: np.float32,
    dtx: np.float32,
    ty: np.float32,
    dty: np.float32,
) -> None:
    """Flags of one run; `FILLED` stays only where the nearest input pixel has it."""
    upper, one, last = row + np.uintp(1), np.uintp(1), int(number)
    for begin in range(0, last, _STRETCH):
        start, stop = np.uintp(begin), np.uintp(min(begin + _STRETCH, last))
        some = np.uint16(0)
        for index in range(start, stop + one):
            c = column + np.uintp(index)
            some |= of[row, c] | of[upper, c]
        if not some:  # most pixels have no flags, and so have most stretches of them
            continue
        for index in range(start, stop):
            k = np.uintp(index)
            c = column + k
            x, y = tx + dtx * np.float32(k), ty + dty * np.float32(k)
            west, east = x < _ONE - _NEGLIGIBLE_SHIFT, x > _NEGLIGIBLE_SHIFT
            south, north = y < _ONE - _NEGLIGIBLE_SHIFT, y > _NEGLIGIBLE_SHIFT
            found = of[row, c] if west and south else np.uint16(0)
            found |= of[row, c + one] if east and south else np.uint16(0)
            found |= of[upper, c] if west and north else np.uint16(0)
            found |= of[upper, c + one] if east and north else np.uint16(0)
            nearest = of[row if y < _HALF else upper, c if x < _HALF else c + one]
            flags[i, j + k] |= (found & np.uint16(0x7FFF)) | (nearest & np.uint16(FILLED))


@njit(cache=True, nogil=True, error_model="numpy")
def sample_flags(padded: U16, matrix: NDArray[np.float64], offset: NDArray[np.float64], flags: U16) -> None:
    """OR the flags of the up to four input pixels around each sample into `flags`.

    These are the pixels in the main lobe of the interpolating spline: they
    carry the value, while those beyond enter with the side lobes only.
    `padded` is the input quality with one pixel of zeros on every side; the
    other arguments are those of `sample_spline`.
    """
    ny, nx = padded.shape[0] - 2, padded.shape[1] - 2
    height, width = flags.shape
    xx, xy, yx, yy = matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]
    for i in range(height):
        x0, y0 = xy * i + offset[0], yy * i + offset[1]
        first_x, stop_x = _inside(x0, xx, nx - 1, width)
        first_y, stop_y = _inside(y0, yx, ny - 1, width)
        j = max(first_x, first_y)
        stop = min(stop_x, stop_y)
        while j < stop:
            x, y = x0 + xx * j, y0 + yx * j
            column, row = math.floor(x), math.floor(y)
            tx, ty = x - column, y - row
            n = _steps_within_pixel(ty, yx, _steps_within_pixel(tx, xx - 1.0, stop - j))
            bottom, left = int(row) + 1, int(column) + 1
            _flag_run(
                padded,
                np.uintp(bottom),
                np.uintp(left),
                flags,
                np.uintp(i),
                np.uintp(j),
                np.uintp(n),
                np.float32(tx),
                np.float32(xx - 1.0),
                np.float32(ty),
                np.float32(yx),
            )
            j += n

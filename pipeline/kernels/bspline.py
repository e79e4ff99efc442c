"""Cubic B-spline coefficients of an image: the exact recursive prefilter.

Unser, Aldroubi & Eden 1993 (IEEE Trans. Signal Processing 41, 821), with the
whole-sample symmetric ("mirror") continuation that scipy.ndimage uses before
an affine transform of mode "constant", and therefore sunpy and aiapy too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Pixels of mirrored margin around the coefficients, so that no sample inside the image needs a bounds check.
MARGIN: Final = 2

_POLE: Final = np.float32(np.sqrt(3.0) - 2.0)
_GAIN: Final = np.float32(6.0)
# 16 float32 fill one 64-byte cache line and one AVX-512 register; 64 columns of 4096 rows fit the L2 cache.
_ROWS_AT_ONCE: Final = 16
_COLUMNS_AT_ONCE: Final = 64


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _filter_lines(lines: NDArray[np.float32], count: int, width: int) -> None:
    """Filter `width` signals of length `count` stored side by side in `lines` (count, width), in place."""
    if count == 1:  # the mirror of a single sample is a constant, and its coefficient is the sample
        return
    pole = _POLE
    pole_n = pole ** (count - 1)
    weight = pole
    for r in range(width):
        lines[0, r] += pole_n * lines[count - 1, r]
    for i in range(1, count - 1):
        for r in range(width):
            lines[0, r] += weight * (lines[i, r] + pole_n * lines[count - 1 - i, r])
        weight *= pole
        if abs(weight) < np.float32(1e-12):  # far below float32 rounding
            break
    start = _GAIN / (np.float32(1.0) - pole_n * pole_n)
    for r in range(width):
        lines[0, r] *= start
    for i in range(1, count):
        for r in range(width):
            lines[i, r] = _GAIN * lines[i, r] + pole * lines[i - 1, r]
    end = pole / (pole * pole - np.float32(1.0))
    for r in range(width):
        lines[count - 1, r] = (pole * lines[count - 2, r] + lines[count - 1, r]) * end
    for i in range(count - 2, -1, -1):
        for r in range(width):
            lines[i, r] = pole * (lines[i + 1, r] - lines[i, r])


@njit(cache=True, nogil=True, error_model="numpy")
def _filter_rows(image: NDArray[np.float32], inner: NDArray[np.float32]) -> None:
    """Filter along x from `image` into `inner`, 16 rows at a time, turned upright to fill SIMD lanes."""
    ny, nx = image.shape
    lines = np.empty((nx, _ROWS_AT_ONCE), np.float32)
    for top in range(0, ny, _ROWS_AT_ONCE):
        rows = min(_ROWS_AT_ONCE, ny - top)
        for left in range(0, nx, _ROWS_AT_ONCE):
            right = min(left + _ROWS_AT_ONCE, nx)
            for r in range(rows):
                for j in range(left, right):
                    lines[j, r] = image[top + r, j]
        _filter_lines(lines, nx, _ROWS_AT_ONCE)
        for left in range(0, nx, _ROWS_AT_ONCE):
            right = min(left + _ROWS_AT_ONCE, nx)
            for r in range(rows):
                for j in range(left, right):
                    inner[top + r, j] = lines[j, r]


@njit(cache=True, nogil=True, error_model="numpy")
def _filter_columns(inner: NDArray[np.float32]) -> None:
    """Filter along y in place, in strips of columns that stay in the cache for both passes."""
    ny, nx = inner.shape
    for left in range(0, nx, _COLUMNS_AT_ONCE):
        width = min(_COLUMNS_AT_ONCE, nx - left)
        _filter_lines(inner[:, left : left + width], ny, width)


@njit(cache=True, nogil=True, error_model="numpy")
def _mirrored(index: int, count: int) -> int:
    """Index into 0..count−1 of a position beyond the edge, without repeating the edge pixel."""
    if count == 1:
        return 0
    period = 2 * (count - 1)
    index = abs(index) % period
    return min(index, period - index)


@njit(cache=True, nogil=True, error_model="numpy")
def _mirror_margin(padded: NDArray[np.float32], margin: int) -> None:
    rows, columns = padded.shape
    ny, nx = rows - 2 * margin, columns - 2 * margin
    for k in range(1, margin + 1):
        for i in range(margin, margin + ny):
            padded[i, margin - k] = padded[i, margin + _mirrored(-k, nx)]
            padded[i, margin + nx - 1 + k] = padded[i, margin + _mirrored(nx - 1 + k, nx)]
    for k in range(1, margin + 1):
        for j in range(columns):
            padded[margin - k, j] = padded[margin + _mirrored(-k, ny), j]
            padded[margin + ny - 1 + k, j] = padded[margin + _mirrored(ny - 1 + k, ny), j]


def spline_coefficients(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cubic B-spline coefficients of an image, with a mirrored margin.

    Parameters
    ----------
    image
        float32, shape (ny, nx), finite everywhere: the recursion would carry
        one NaN along its whole row and column.

    Returns
    -------
    NDArray[np.float32]
        Shape (ny + 2·`MARGIN`, nx + 2·`MARGIN`); element (i + MARGIN, j +
        MARGIN) belongs to pixel (i, j). Agrees with
        ``scipy.ndimage.spline_filter(image, 3, mode="mirror")`` to float32
        rounding.
    """
    ny, nx = image.shape
    padded = np.empty((ny + 2 * MARGIN, nx + 2 * MARGIN), np.float32)
    inner = padded[MARGIN : MARGIN + ny, MARGIN : MARGIN + nx]
    _filter_rows(image, inner)
    _filter_columns(inner)
    _mirror_margin(padded, MARGIN)
    return padded

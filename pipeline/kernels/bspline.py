"""Cubic B-spline coefficients of an image, with a mirrored edge.

Unser, Aldroubi & Eden 1993 (IEEE Trans. Signal Processing 41, 821), with the
whole-sample symmetric ("mirror") continuation that scipy.ndimage uses before
an affine transform of mode "constant", and therefore sunpy and aiapy too.

Along a row the two-sided exponential Σ z^|k| x[i+k] is summed by doubling
(1, 2, 4, 8 and 16 terms on either side), which runs in SIMD lanes where the
usual recursion would wait for itself; the terms left out are z^16 = 7·10⁻¹⁰
of the sum, below float32 rounding. Along columns the recursion advances all
columns of a row at once, so the image is read and written once downwards and
once upwards.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

#: Pixels of mirrored margin around the coefficients, so that no sample inside the image needs a bounds check.
MARGIN: Final = 2

F32: TypeAlias = NDArray[np.float32]

_POLE: Final = np.float32(np.sqrt(3.0) - 2.0)
_GAIN: Final = np.float32(6.0)
#: −z/(1−z²): turns the two-sided exponential into the inverse of the sampled cubic B-spline (1, 4, 1)/6.
_TWO_SIDED: Final = np.float32(-_POLE / (1.0 - np.float64(_POLE) ** 2))
_TERMS: Final = 16
_PIECE: Final = 512


@njit(cache=True, nogil=True, error_model="numpy")
def _mirrored(index: int, count: int) -> int:
    """Index into 0..count−1 of a position beyond the edge, without repeating the edge pixel."""
    if count == 1:
        return 0
    period = 2 * (count - 1)
    index = abs(index) % period
    return min(index, period - index)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _add(one: F32, weight: np.float32, other: F32, out: F32) -> None:
    # Slices instead of shifted indices: an index that may be negative keeps the loop out of SIMD lanes.
    for j in range(out.size):
        out[j] = one[j] + weight * other[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _filter_piece(image: F32, out: F32, work: F32) -> None:
    """Filter a piece of a row; `image` reaches `_TERMS` pixels farther than `out` on both sides."""
    n, margin, end = out.size, _TERMS, image.size
    one, two, before = work[0, :end], work[1, :end], work[2, :n]
    z1 = _POLE
    z2 = z1 * z1
    z4 = z2 * z2
    z8 = z4 * z4
    _add(image[1:], z1, image[: end - 1], one[1:])
    _add(one[2:], z2, one[: end - 2], two[2:])
    _add(two[4:], z4, two[: end - 4], one[4:])
    _add(one[margin:], z8, one[margin - 8 :], before)
    _add(image[: end - 1], z1, image[1:], one[: end - 1])
    _add(one[: end - 3], z2, one[2:], two[: end - 3])
    _add(two[: end - 7], z4, two[4:], one[: end - 7])
    gain = _GAIN * _TWO_SIDED
    here, after, far = image[margin:], one[margin:], one[margin + 8 :]
    for j in range(n):
        # Both sums hold the pixel itself; it counts once.
        out[j] = gain * (before[j] + after[j] + z8 * far[j] - here[j])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _filter_row(row: F32, out: F32, mirrored: F32, work: F32) -> None:
    """Filter one row in pieces whose intermediate sums stay in the L1 cache."""
    n, margin = row.size, _TERMS
    mirrored[margin : margin + n] = row
    for k in range(1, margin + 1):
        mirrored[margin - k] = row[_mirrored(-k, n)]
        mirrored[margin + n - 1 + k] = row[_mirrored(n - 1 + k, n)]
    for left in range(0, n, _PIECE):
        right = min(left + _PIECE, n)
        _filter_piece(mirrored[left : right + 2 * margin], out[left:right], work)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _step_down(above: F32, row: F32) -> None:
    for j in range(row.size):
        row[j] = _GAIN * row[j] + _POLE * above[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _step_up(below: F32, row: F32) -> None:
    for j in range(row.size):
        row[j] = _POLE * (below[j] - row[j])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _filter_image(image: F32, padded: F32, margin: int) -> None:
    """Coefficients of `image` inside `padded`: rows and the downward recursion in one sweep, then upwards."""
    ny, nx = image.shape
    left, right = margin, margin + nx
    mirrored = np.empty(nx + 2 * _TERMS, np.float32)
    work = np.empty((3, _PIECE + 2 * _TERMS), np.float32)
    head = min(ny, 2 * _TERMS)
    for i in range(head):
        _filter_row(image[i], padded[margin + i, left:right], mirrored, work)
    if ny == 1:  # a constant continued is its own spline
        return
    start = np.zeros(nx, np.float32)
    weight = _GAIN
    for k in range(2 * _TERMS):
        source = padded[margin + _mirrored(k, ny), left:right]
        for j in range(nx):
            start[j] += weight * source[j]
        weight *= _POLE
    padded[margin, left:right] = start
    for i in range(1, ny):
        row = padded[margin + i, left:right]
        if i >= head:
            _filter_row(image[i], row, mirrored, work)
        _step_down(padded[margin + i - 1, left:right], row)
    last = _POLE / (_POLE * _POLE - np.float32(1.0))
    row, above = padded[margin + ny - 1, left:right], padded[margin + ny - 2, left:right]
    for j in range(nx):
        row[j] = last * (_POLE * above[j] + row[j])
    for i in range(ny - 2, -1, -1):
        _step_up(padded[margin + i + 1, left:right], padded[margin + i, left:right])


@njit(cache=True, nogil=True, error_model="numpy")
def _mirror_margin(padded: F32, margin: int) -> None:
    rows, columns = padded.shape
    ny, nx = rows - 2 * margin, columns - 2 * margin
    for k in range(1, margin + 1):
        for i in range(margin, margin + ny):
            padded[i, margin - k] = padded[i, margin + _mirrored(-k, nx)]
            padded[i, margin + nx - 1 + k] = padded[i, margin + _mirrored(nx - 1 + k, nx)]
    for k in range(1, margin + 1):
        padded[margin - k] = padded[margin + _mirrored(-k, ny)]
        padded[margin + ny - 1 + k] = padded[margin + _mirrored(ny - 1 + k, ny)]


def spline_coefficients(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cubic B-spline coefficients of an image, with a mirrored margin.

    Parameters
    ----------
    image
        float32, shape (ny, nx), finite everywhere: the recursion would carry
        one NaN along its whole column.

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
    _filter_image(read_only(np.ascontiguousarray(image)), padded, MARGIN)
    _mirror_margin(padded, MARGIN)
    return padded

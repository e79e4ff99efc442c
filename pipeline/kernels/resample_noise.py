"""The uncertainty behind the resampling of an image by an affine map.

The value of an output pixel is a weighted sum of input pixels whose weights
are those of the cardinal cubic spline η (Unser, Aldroubi & Eden 1993, see
`pipeline.kernels.bspline`), one factor along each axis. For independent noise
its variance is the sum of input variances with the squared weights. η falls
by 0.268 per pixel: of its infinitely many taps the inner six hold all but
2·10⁻⁴ of the sum of squares. What is left out besides is said where the
result is described.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.kernels.affine import EDGE_TOLERANCE
from pipeline.kernels.fill import fill_gaps
from pipeline.kernels.resample import AffineMap

_TAPS: Final = 6
_BEFORE: Final = 2  # taps to the left of the pixel a sample lies in or on
_PHASES: Final = 1024  # positions within a pixel for which weights are kept
_POLE: Final = math.sqrt(3.0) - 2.0

#: What `resample_uncertainty` leaves out, for the header of a product.
APPROXIMATION: Final = (
    "squared weights of the cubic spline on independent pixels; the correlation of neighbours that the "
    "interpolation makes, clipping and filled gaps are left out"
)


def resample_uncertainty(
    uncertainty: NDArray[np.float32], onto: AffineMap, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """One standard deviation of what `pipeline.kernels.resample.resample` gives.

    Parameters
    ----------
    uncertainty
        One standard deviation of the input image, float32, shape (ny, nx);
        NaN where it is not known. The noise of its pixels counts as independent.
    onto
        The map from output to input pixels.
    shape
        Shape (rows, columns) of the output.

    Returns
    -------
    NDArray[np.float32]
        NaN beyond the outermost input pixels. Where a gap is among the taps, the
        mean variance around it stands for its own.

    Notes
    -----
    Interpolated neighbours share input pixels, so that their noise is
    correlated: the mean of many is less certain than these values suggest.
    Where the output is coarser by 1.5 or more, whole blocks are averaged
    first, as the image is.
    """
    variance = np.square(uncertainty, dtype=np.float32)
    factor = int(np.floor(onto.step + 0.5))
    if factor > 1:
        variance = _mean_variance(variance, factor)
        onto = onto.scaled_input(factor)
    unknown = ~np.isfinite(variance)
    if unknown.all():
        return np.full(shape, np.nan, np.float32)
    if unknown.any():
        variance = fill_gaps(variance, unknown)
    padded = np.pad(variance, _TAPS, mode="reflect" if min(variance.shape) > 1 else "edge")
    result = np.empty(shape, np.float32)
    matrix, offset = np.asarray(onto.matrix, np.float64), np.asarray(onto.offset, np.float64)
    _sample(padded, _squared_weights(), matrix, offset, result)
    return result


def _mean_variance(variance: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Variance of the mean of each whole block's known pixels; NaN where a block has none."""
    rows, columns = variance.shape[0] // factor, variance.shape[1] // factor
    blocks = variance[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, np.float32(0.0)).sum(axis=(1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1) ** 2, np.nan).astype(np.float32)


@lru_cache(maxsize=1)
def _squared_weights() -> NDArray[np.float32]:
    """η² at the taps for every position within a pixel; float32, shape (`_PHASES` + 1, `_TAPS`)."""
    positions = np.arange(_PHASES + 1)[:, None] / _PHASES - (np.arange(_TAPS) - _BEFORE)
    weights = np.zeros_like(positions)
    for k in range(-16, 17):  # z^16 is below float32 rounding
        distance = np.abs(positions - k)
        inner = 2.0 / 3.0 - distance**2 * (1.0 - distance / 2.0)
        outer = np.maximum(2.0 - distance, 0.0) ** 3 / 6.0
        weights += _POLE ** abs(k) * np.where(distance < 1.0, inner, outer)
    weights *= -6.0 * _POLE / (1.0 - _POLE**2)
    return np.square(weights).astype(np.float32)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _sample(
    padded: NDArray[np.float32],
    weights: NDArray[np.float32],
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    ny, nx = padded.shape[0] - 2 * _TAPS, padded.shape[1] - 2 * _TAPS
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            x = matrix[0, 0] * j + matrix[0, 1] * i + offset[0]
            y = matrix[1, 0] * j + matrix[1, 1] * i + offset[1]
            if (
                x < -EDGE_TOLERANCE
                or y < -EDGE_TOLERANCE
                or x > nx - 1 + EDGE_TOLERANCE
                or y > ny - 1 + EDGE_TOLERANCE
            ):
                out[i, j] = np.nan
                continue
            column, row = math.floor(x), math.floor(y)
            across = weights[int((x - column) * _PHASES + 0.5)]
            up = weights[int((y - row) * _PHASES + 0.5)]
            left, top = column + _TAPS - _BEFORE, row + _TAPS - _BEFORE
            total = np.float32(0.0)
            for m in range(_TAPS):
                line = np.float32(0.0)
                for n in range(_TAPS):
                    line += across[n] * padded[top + m, left + n]
                total += up[m] * line
            out[i, j] = math.sqrt(total)

"""Filling pixels without a value from their neighbourhood, so that filters can run over them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, minimum_filter

# The response of the spline prefilter falls by 0.268 per pixel: after twelve pixels it is below float32
# rounding, so what stands deeper inside a gap cannot be seen outside it.
_ROUNDS: Final = 12
_BLOCK: Final = 16


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    image: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64], rest: np.float32
) -> None:
    ny, nx = image.shape
    found = np.empty(rows.size, np.float32)
    pending = rows.size
    for _ in range(_ROUNDS):
        for p in range(pending):
            total, count = 0.0, 0
            for i in range(max(rows[p] - 1, 0), min(rows[p] + 2, ny)):
                for j in range(max(columns[p] - 1, 0), min(columns[p] + 2, nx)):
                    if abs(image[i, j]) < np.inf:
                        total += image[i, j]
                        count += 1
            found[p] = np.float32(total / count) if count else np.float32(np.nan)
        # Written only now, so that the result does not depend on the order of the pixels.
        left = 0
        for p in range(pending):
            if not np.isnan(found[p]):
                image[rows[p], columns[p]] = found[p]
            else:
                rows[left], columns[left] = rows[p], columns[p]
                left += 1
        pending = left
        if pending == 0:
            break
    for p in range(pending):
        image[rows[p], columns[p]] = rest


def fill_gaps(image: NDArray[np.float32], was_gap: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A copy with gaps filled by the mean of their neighbours, from the rim of each gap inwards.

    Parameters
    ----------
    image
        float32, shape (ny, nx), finite wherever it is no gap.
    was_gap
        bool, same shape; not everywhere true.

    Returns
    -------
    NDArray[np.float32]
        Finite everywhere. Pixels more than twelve pixels away from any value
        get the mean of all values. The filled values are there for filters to
        run over; whoever uses them has to flag them.
    """
    filled = image.copy()
    filled[was_gap] = np.nan
    rows, columns = np.nonzero(was_gap)
    _fill(filled, rows, columns, np.float32(image[~was_gap].mean(dtype=np.float64)))
    return filled


def continued(image: NDArray[np.float32], was_gap: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A copy whose gaps go on as what is nearest to them; for filters that reach far.

    Parameters
    ----------
    image, was_gap
        As for `fill_gaps`.

    Returns
    -------
    NDArray[np.float32]
        As `fill_gaps`, but what lies more than twelve pixels from any value gets the mean of the nearest
        block of 16 × 16 pixels that has some: beside a dark sky nothing bright is made up.
    """
    filled = fill_gaps(image, was_gap)
    deep = minimum_filter(was_gap, 2 * _ROUNDS + 1)
    if not deep.any():
        return filled
    rows, columns = (-(-size // _BLOCK) for size in image.shape)
    padding = [(0, count * _BLOCK - size) for count, size in zip((rows, columns), image.shape, strict=True)]
    shape = (rows, _BLOCK, columns, _BLOCK)
    seen = np.pad(~was_gap, padding).reshape(shape)
    values = np.pad(np.where(was_gap, np.float32(0.0), image), padding).reshape(shape)
    count = seen.sum(axis=(1, 3))
    means = values.sum(axis=(1, 3), dtype=np.float64) / np.maximum(count, 1)
    nearest = distance_transform_edt(count == 0, return_distances=False, return_indices=True)
    at = np.nonzero(deep)
    filled[at] = means[tuple(nearest)][at[0] // _BLOCK, at[1] // _BLOCK]
    return filled

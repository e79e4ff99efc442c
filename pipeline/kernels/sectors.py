"""Pixels about a circle, sorted into sectors and distances."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def sector_bins(
    image: F32, x: float, y: float, radius: float, inner: float, width: float, bins: int, sectors: int
) -> tuple[F64, F64, F64]:
    """Sums, numbers and mean offsets from the bins' middles of pixels about a circle, in sectors and bins."""
    sums = np.zeros((sectors, bins))
    numbers = np.zeros((sectors, bins))
    offsets = np.zeros((sectors, bins))
    for i in range(image.shape[0]):
        dy = i - y
        for j in range(image.shape[1]):
            value = image[i, j]
            if not np.isfinite(value):
                continue
            dx = j - x
            place = (np.sqrt(dx * dx + dy * dy) - radius - inner) / width
            b = int(np.floor(place))
            if b < 0 or b >= bins:
                continue
            s = int((np.arctan2(dy, dx) / (2.0 * np.pi) + 1.0) * sectors) % sectors
            sums[s, b] += value
            numbers[s, b] += 1.0
            offsets[s, b] += (place - b - 0.5) * width
    return sums, numbers, offsets

"""How brightness goes round a circle, at every distance from it: the waves that fit its sectors best.

A PSF that is wider in one direction than across it, or that is lopsided, shows at an edge by the edge's own
direction. Sectors in which nothing was seen, as of a body that stands half beside the disk, are left out of
normal equations, so that frames whose edges run elsewhere tell the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Orders of the waves, each with a cosine and a sine; order 0 is the mean.
ORDERS: Final = (1, 2, 3)
_WAVES: Final = 1 + 2 * len(ORDERS)
#: Worst condition of normal equations that are solved: beyond, too little of the circle was seen.
_CONDITION: Final = 50.0


@dataclass(frozen=True)
class Waves:
    """Normal equations of waves round a circle, summed over frames.

    Attributes
    ----------
    matrix
        Shape (wave, wave, bin).
    vector
        Shape (wave, bin).
    square
        Of the values, shape (bin,).
    """

    matrix: F64
    vector: F64
    square: F64

    @classmethod
    def none(cls) -> Waves:
        """Of no frame; as many bins as any."""
        return cls(np.zeros((_WAVES, _WAVES, 1)), np.zeros((_WAVES, 1)), np.zeros(1))

    @classmethod
    def of(cls, sectors: NDArray[Any]) -> Waves:
        """Of the sectors of one frame, shape (sector, bin), counted from the x axis; NaN where not seen."""
        basis = _basis(2.0 * np.pi * (np.arange(len(sectors)) + 0.5) / len(sectors))
        seen = np.isfinite(sectors)
        values = np.where(seen, sectors, 0.0)
        matrix = np.einsum("is,js,sb->ijb", basis, basis, seen.astype(np.float64), optimize=True)
        return cls(matrix, basis @ values, (values**2).sum(axis=0))

    def __add__(self, other: Waves) -> Waves:
        names = ("matrix", "vector", "square")
        return Waves(*(getattr(self, name) + getattr(other, name) for name in names))

    def solved(self) -> tuple[F64, F64]:
        """Height of each wave in each bin and its standard deviation, shape (wave, bin); NaN if not seen."""
        bins = self.vector.shape[1]
        height, error = np.full((_WAVES, bins), np.nan), np.full((_WAVES, bins), np.nan)
        for b in range(bins):
            matrix = self.matrix[..., b]
            number = matrix[0, 0]
            if number <= 2 * _WAVES or np.linalg.cond(matrix) > _CONDITION:
                continue
            inverse = np.linalg.inv(matrix)
            height[:, b] = inverse @ self.vector[:, b]
            rest = max(float(self.square[b] - self.vector[:, b] @ height[:, b]), 0.0) / (number - _WAVES)
            error[:, b] = np.sqrt(rest * np.diag(inverse))
        return height, error


def _basis(angles: F64) -> F64:
    rows = [np.ones_like(angles)]
    for order in ORDERS:
        rows += [np.cos(order * angles), np.sin(order * angles)]
    return np.stack(rows)

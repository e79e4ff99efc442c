"""Images behind ideal polarisers at -60, 0 and 60 degrees: total and polarised brightness."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SQUARE_ROOT_3: Final = math.sqrt(3.0)


class Stokes(NamedTuple):
    """What three images say: total brightness, and Q and U about the polariser's zero."""

    total: NDArray[np.float32]
    q: NDArray[np.float32]
    u: NDArray[np.float32]

    @property
    def polarised(self) -> NDArray[np.float32]:
        """Polarised brightness."""
        return np.hypot(self.q, self.u)

    @property
    def degree(self) -> NDArray[np.float32]:
        """Degree of polarisation; NaN where there is no light."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.total > 0, self.polarised / self.total, np.float32(np.nan))

    @property
    def angle(self) -> NDArray[np.float32]:
        """Degrees of the plane of polarisation from the polariser's zero."""
        return np.degrees(0.5 * np.arctan2(self.u, self.q)).astype(np.float32)


def stokes(minus: NDArray[np.float32], zero: NDArray[np.float32], plus: NDArray[np.float32]) -> Stokes:
    """Ideal polarisers at -60, 0 and 60 degrees.

    ``tB = 2/3 ΣI``, ``Q = 2/3 (2 I₀ − I₊ − I₋)``, ``U = 2/√3 (I₊ − I₋)``.
    """
    third = np.float32(2.0 / 3.0)
    return Stokes(
        third * (minus + zero + plus),
        third * (np.float32(2.0) * zero - plus - minus),
        np.float32(2.0 / _SQUARE_ROOT_3) * (plus - minus),
    )

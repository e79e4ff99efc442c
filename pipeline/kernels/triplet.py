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


class AlongLimb(NamedTuple):
    """What of a polarisation lies along the limb, as light that electrons scattered does.

    Attributes
    ----------
    polarised
        Brightness polarised along the limb less that across it: no noise adds to its mean, as it does to that
        of `Stokes.polarised`.
    zero
        Degrees of the polariser's zero from north, to the east: where polarisation is along the limb.
    significance
        Height over that of directions at random, standard deviations.
    """

    polarised: NDArray[np.float32]
    zero: float
    significance: float


def along_limb(
    light: Stokes, west: NDArray[np.float64], north: NDArray[np.float64], usable: NDArray[np.bool_]
) -> AlongLimb:
    """The part of a polarisation that lies along the limb, wherever the polariser's zero stands.

    Where the zero is, and in which sense angles grow, is found of the image itself: one number of all pixels,
    so that it has hardly any noise.

    Parameters
    ----------
    light
        Q and U about the polariser's zero.
    west, north
        Of each pixel from the Sun's centre.
    usable
        Pixels that count in the search.
    """
    polarisation = light.q.astype(np.complex128) + 1j * light.u
    turn = np.exp(-2j * np.arctan2(-west, north))
    counted = usable & np.isfinite(polarisation)
    scatter = math.sqrt(float(np.sum(np.abs(polarisation[counted]) ** 2)))
    sums = [complex(np.sum(polarisation[counted] * sense[counted])) for sense in (turn, turn.conj())]
    forward = abs(sums[0]) >= abs(sums[1])
    total, sense = (sums[0], turn) if forward else (sums[1], turn.conj())
    phase = math.atan2(total.imag, total.real)
    zero = math.degrees(0.5 * (math.pi - phase if forward else phase - math.pi)) % 180.0
    along = (polarisation * sense * complex(math.cos(phase), -math.sin(phase))).real
    return AlongLimb(along.astype(np.float32), zero, abs(total) / scatter if scatter > 0 else 0.0)


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

"""Images behind ideal polarisers at -60, 0 and 60 degrees: total and polarised brightness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
#: Degrees of the polarisers, in the order of the formulas.
ANGLES: Final = (-60.0, 0.0, 60.0)
_SQUARE_ROOT_3: Final = math.sqrt(3.0)


class Stokes(NamedTuple):
    """What three images say: total brightness, and Q and U about the polariser's zero."""

    total: F32
    q: F32
    u: F32

    @property
    def polarised(self) -> F32:
        """Polarised brightness."""
        return np.hypot(self.q, self.u)

    @property
    def degree(self) -> F32:
        """Degree of polarisation; NaN where there is no light."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.total > 0, self.polarised / self.total, np.float32(np.nan))

    @property
    def angle(self) -> F32:
        """Degrees of the plane of polarisation from the polariser's zero."""
        return np.degrees(0.5 * np.arctan2(self.u, self.q)).astype(np.float32)


class AlongLimb(NamedTuple):
    """What of a polarisation lies along the limb, as light that electrons scattered does.

    Attributes
    ----------
    polarised
        Brightness polarised along the limb less that across it: no noise adds to its mean, as it does to that
        of `Stokes.polarised`.
    cosine, sine
        What Q and U were multiplied with: of twice the limb's angle from the polariser's zero.
    zero
        Degrees of the polariser's zero from north, to the east: where polarisation is along the limb.
    zero_error
        Standard deviation of `zero`, degrees, by what is polarised neither along nor across the limb, taken
        for noise that is independent from pixel to pixel; NaN without light.
    significance
        Height over that of directions at random, standard deviations.
    """

    polarised: F32
    cosine: F32
    sine: F32
    zero: float
    zero_error: float
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
        Of each pixel from the Sun's centre; the two stretched to the image's shape.
    usable
        Pixels that count in the search.
    """
    x, y = (one.astype(np.float32) for one in (west, north))
    squared = x**2 + y**2
    squared[squared == 0.0] = np.float32(np.inf)  # the Sun's centre has no limb
    # Cosine and sine of twice the position angle, from north to the east.
    c = (y**2 - x**2) / squared
    c[np.isinf(squared)] = np.float32(1.0)
    s = np.float32(-2.0) * x * y / squared
    del squared
    counted = usable & np.isfinite(light.q) & np.isfinite(light.u)
    q, u = (np.where(counted, one, np.float32(0.0)) for one in (light.q, light.u))
    qc, us, uc, qs = (_sum(one, other) for one, other in ((q, c), (u, s), (u, c), (q, s)))
    ahead, back = complex(qc + us, uc - qs), complex(qc - us, uc + qs)
    forward = abs(ahead) >= abs(back)
    total = ahead if forward else back
    phase = math.atan2(total.imag, total.real)
    if not forward:
        s = -s
    zero = math.degrees(0.5 * (math.pi - phase if forward else phase - math.pi)) % 180.0
    cosine: F32 = np.asarray(math.cos(phase) * c - math.sin(phase) * s, np.float32)
    sine: F32 = np.asarray(math.cos(phase) * s + math.sin(phase) * c, np.float32)
    del c, s
    across: F32 = np.asarray(u * cosine - q * sine, np.float32)
    scatter = math.sqrt(_sum(q, q) + _sum(u, u))
    error = math.sqrt(_sum(across, across)) / abs(total) if abs(total) > 0 else math.nan
    return AlongLimb(
        light.q * cosine + light.u * sine,
        cosine,
        sine,
        zero,
        math.degrees(0.5 * error),
        abs(total) / scatter if scatter > 0 else 0.0,
    )


def _sum(one: F32, other: F32) -> float:
    return float(np.einsum("i,i->", one.ravel(), other.ravel(), dtype=np.float64))


def noise(sigmas: Sequence[F32], cosine: F32, sine: F32) -> F32:
    """Standard deviation of ``Q cosine + U sine``, the noise of the three images independent.

    ``Q cos w + U sin w = 4/3 Σ I_k cos(2 a_k - w)`` of images behind polarisers at the angles `a_k`.

    Parameters
    ----------
    sigmas
        Of the images at -60, 0 and 60 degrees, float32, one shape.
    cosine, sine
        Of w at each pixel.
    """
    variance: F32 = np.zeros_like(sigmas[0])
    for sigma, angle in zip(sigmas, ANGLES, strict=True):
        doubled = math.radians(2.0 * angle)
        share = np.float32(math.cos(doubled)) * cosine + np.float32(math.sin(doubled)) * sine
        variance += (share * sigma) ** 2
    return np.float32(4.0 / 3.0) * np.sqrt(variance)


def stokes(minus: F32, zero: F32, plus: F32) -> Stokes:
    """Ideal polarisers at -60, 0 and 60 degrees.

    ``tB = 2/3 ΣI``, ``Q = 2/3 (2 I₀ − I₊ − I₋)``, ``U = 2/√3 (I₊ − I₋)``.
    """
    third = np.float32(2.0 / 3.0)
    return Stokes(
        third * (minus + zero + plus),
        third * (np.float32(2.0) * zero - plus - minus),
        np.float32(2.0 / _SQUARE_ROOT_3) * (plus - minus),
    )

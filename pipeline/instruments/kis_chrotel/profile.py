"""The He I line at 1083 nm as ChroTel's filter sees it, between its positions.

The triplet, thin, each component a Gaussian; the filter's passband a Gaussian of 1.4 Å. Both together are a
Gaussian about each component, whose width is the filter's for the most part.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.kis_chrotel import facts

F64 = NDArray[np.float64]

#: Full width at half maximum of the line itself, Ångström: some 10 km/s, thermal and turbulent.
LINE_WIDTH: Final = 0.8
_SIGMA: Final = facts.SIGMA * math.hypot(facts.CHANNELS["he"].width, LINE_WIDTH)
#: Ångström per km/s.
SHIFT: Final = 10830.3 / facts.LIGHT


def shape(wavelength: float | F64, velocity: float | F64, sigma: float = _SIGMA) -> F64:
    """Depth at a setting of the filter, for a line of depth 1 in its centre.

    Parameters
    ----------
    wavelength
        Ångström.
    velocity
        km/s away from the observer.
    sigma
        Of a component behind the filter, Ångström.
    """
    moved = np.asarray(wavelength) - np.asarray(velocity) * SHIFT
    made = sum(share * np.exp(-0.5 * ((moved - centre) / sigma) ** 2) for centre, share in facts.TRIPLET)
    return np.asarray(made / _PEAK)


_PEAK: Final = max(
    sum(
        share * math.exp(-0.5 * ((10830.0 + 0.01 * k - centre) / _SIGMA) ** 2)
        for centre, share in facts.TRIPLET
    )
    for k in range(60)
)


def transmitted(wavelength: float, depth: F64, velocity: F64) -> F64:
    """Brightness at a setting of the filter over that beside the line."""
    return np.asarray(1.0 - depth * shape(wavelength, velocity))

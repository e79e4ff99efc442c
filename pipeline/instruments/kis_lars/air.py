"""Wavelengths in vacuum and in standard air.

Ciddor (1996), Applied Optics 35, 1566, equation 1: dry air of 15 °C, 101325 Pa and 450 ppm CO₂, which
laboratory wavelengths of spectral lines are given in. The formula of FITS paper III (Greisen et al. 2006) for
AWAV is for another air, of 0 °C: with it velocities would be wrong by 4.6 km/s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def refraction(vacuum: F64) -> F64:
    """Index of refraction of standard air at wavelengths in vacuum, Å."""
    square = (1e4 / np.asarray(vacuum, dtype=np.float64)) ** 2
    return np.asarray(1.0 + 1e-8 * (5_792_105.0 / (238.0185 - square) + 167_917.0 / (57.362 - square)))


def in_air(vacuum: F64) -> F64:
    """Wavelengths in air of wavelengths in vacuum, Å."""
    return np.asarray(vacuum / refraction(vacuum))


def in_vacuum(air: F64) -> F64:
    """Wavelengths in vacuum of wavelengths in air, Å."""
    vacuum = np.asarray(air, dtype=np.float64)
    # The index hardly changes: each turn gains six digits.
    for _ in range(3):
        vacuum = air * refraction(vacuum)
    return vacuum

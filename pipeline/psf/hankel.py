"""Circular scenes seen through an isotropic PSF, as sums over Fourier–Bessel terms on a large disk.

A plain trapezoid over wavenumbers is wrong here (it leaves an offset of a tenth of the brightness): the
transform of a disk oscillates as fast as the sum does. The series is exact for what vanishes beyond `reach`.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, special

F64 = NDArray[np.float64]

#: Cycles per pixel up to which transfer functions are followed: beyond what pixels let through.
HIGHEST: Final = 0.8
#: Nodes and weights by which a bin's mean is taken.
_NODES: Final = np.array([-0.3872983346, 0.0, 0.3872983346])
_WEIGHTS: Final = np.array([5.0, 8.0, 5.0]) / 18.0


class Series:
    """The Fourier–Bessel series on a disk.

    Parameters
    ----------
    reach
        Radius of the disk, pixels: beyond the scene's own radius and that of the PSF together.
    """

    def __init__(self, reach: float) -> None:
        self.reach = reach
        zeros = _zeros(int(2.0 * reach * HIGHEST))
        self.k: F64 = zeros / (2.0 * np.pi * reach)
        """Wavenumbers of the terms, cycles per pixel."""
        self.norm: F64 = 1.0 / (np.pi * reach**2 * special.j1(zeros) ** 2)

        # Transfer functions are smooth: fewer wavenumbers hold them, close together where wings are.
        fine = np.concatenate([np.arange(0.0, 0.02, 0.0005), np.arange(0.02, 0.06, 0.0025)])
        self.nodes: F64 = np.concatenate([fine, np.arange(0.06, HIGHEST + 0.011, 0.01)])
        """Wavenumbers at which transfer functions are given."""
        self.between: F64 = interpolate.CubicSpline(self.nodes, np.eye(self.nodes.size))(self.k)
        """The matrix that takes them from there to the terms."""

    def profile(self, radii: F64, widths: F64 | float = 0.0, order: int = 0) -> F64:
        """The matrix that gives the means over rings of what has a transform; shape (radius, k).

        Of an order above 0, those of the waves round the circle that a transform has, up to a sign.
        """
        found: F64 = np.zeros((radii.size, self.k.size))
        nodes = zip(_NODES, _WEIGHTS, strict=True) if np.any(widths) else [(0.0, 1.0)]
        bessel = special.j0 if order == 0 else partial(special.jn, order)
        for node, weight in nodes:
            at = np.abs(radii + node * widths)
            found += weight * bessel(2.0 * np.pi * np.outer(at, self.k))
        return found * self.norm

    def encircled(self, radii: F64) -> F64:
        """The matrix that gives what lies within radii; shape (radius, k)."""
        found: F64 = special.j1(2.0 * np.pi * np.outer(radii, self.k)) * radii[:, None] / self.k * self.norm
        return found

    def disk(self, radius: float, power: float) -> F64:
        """The transform of μ to a power on a disk, μ the cosine of the heliocentric angle."""
        x, order = 2.0 * np.pi * self.k * radius, 0.5 * power + 1.0
        factor = np.pi * radius**2 * special.gamma(order) * 2.0**order
        found: F64 = factor * special.jv(order, x) / x**order
        return found

    def of_rings(self, radii: F64, values: F64) -> F64:
        """The transform of what is known on evenly spaced radii; `values` (radius, anything)."""
        weights = 2.0 * np.pi * radii * (radii[1] - radii[0])
        found: F64 = special.j0(2.0 * np.pi * np.outer(self.k, radii)) @ (weights[:, None] * values)
        return found


@lru_cache(maxsize=8)
def _zeros(number: int) -> F64:
    """Zeros of J0 (McMahon's expansion, its error below 1e-9 from the tenth on)."""
    first = special.jn_zeros(0, min(number, 20))
    b = np.pi * (np.arange(21, number + 1) - 0.25)
    rest = b + 1 / (8 * b) - 31 / (384 * b**3) + 3779 / (15360 * b**5)
    found: F64 = np.concatenate([first, rest])
    return found

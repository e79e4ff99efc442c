"""Stokes profiles of a Milne–Eddington atmosphere in float64, without a shortcut (Unno, Rachkovsky).

The absorption matrix of every wavelength and pixel is set up with all Zeeman components and Voigt and
Faraday–Voigt functions from the complex error function, and the 4 × 4 system is solved as it stands. Slow,
and sharing nothing with any inversion: that is what it is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import wofz

from pipeline.instruments.kis_gris.lines import Line
from pipeline.instruments.kis_gris.simulate.zeeman import F64, pattern

#: Å per gauss and Å² of a Landé factor of 1: e / (4π m c²).
LARMOR: Final = 4.66864e-13
_LIGHT: Final = 299792.458  # km/s


class Atmosphere(NamedTuple):
    """What a Milne–Eddington atmosphere is made of, one value for each pixel.

    Attributes
    ----------
    field
        Gauss.
    inclination
        Degrees from the line of sight, 0 towards the observer.
    azimuth
        Degrees from the positive Q direction.
    velocity
        km/s along the line of sight, away from the observer.
    continuum
        Intensity of the continuum, over that of the quiet Sun at disk centre.
    gradient
        Share of the source function's gradient in it: S1 / (S0 + S1).
    """

    field: F64
    inclination: F64
    azimuth: F64
    velocity: F64
    continuum: F64
    gradient: F64


class Opacity(NamedTuple):
    """A line as the atmosphere absorbs it: Doppler width in Å, damping, strength over the continuum's."""

    line: Line
    width: float
    damping: float
    strength: float


def stokes(wavelengths: F64, atmosphere: Atmosphere, opacities: Sequence[Opacity]) -> F64:
    """Stokes profiles.

    Parameters
    ----------
    wavelengths
        Å, shape (n,).
    atmosphere
        Arrays of one shape.
    opacities
        Lines; where they overlap they add up.

    Returns
    -------
    ndarray
        Shape (4, n, \\*shape), over the quiet Sun's continuum.
    """
    shape = atmosphere.field.shape
    flat = Atmosphere(*(np.asarray(one, dtype=np.float64).reshape(1, -1) for one in atmosphere))
    matrix = _matrix(wavelengths[:, None], flat, opacities)
    unit = np.zeros((*matrix.shape[:-1], 1))
    unit[..., 0, 0] = 1.0
    emerging = np.linalg.solve(matrix, unit)[..., 0]
    source, slope = flat.continuum * (1.0 - flat.gradient), flat.continuum * flat.gradient
    result = slope[..., None] * emerging
    result[..., 0] += source
    return np.moveaxis(result, -1, 0).reshape(4, wavelengths.size, *shape)


def _matrix(wavelengths: F64, atmosphere: Atmosphere, opacities: Sequence[Opacity]) -> F64:
    """The absorption matrix over that of the continuum, shape (n, pixels, 4, 4)."""
    size = (wavelengths.shape[0], atmosphere.field.shape[1])
    eta, rho = np.zeros((4, *size)), np.zeros((4, *size))
    gamma, chi = np.radians(atmosphere.inclination), np.radians(2.0 * atmosphere.azimuth)
    sine2, cosine = np.sin(gamma) ** 2, np.cos(gamma)
    for one in opacities:
        profiles = _profiles(wavelengths, atmosphere, one)
        for part, of_kind in ((eta, profiles.real), (rho, profiles.imag)):
            blue, centre, red = 0.5 * one.strength * of_kind
            sigma = 0.5 * (blue + red)
            part[0] += centre * sine2 + sigma * (1.0 + cosine**2)
            part[1] += (centre - sigma) * sine2 * np.cos(chi)
            part[2] += (centre - sigma) * sine2 * np.sin(chi)
            part[3] += (red - blue) * cosine
    matrix = np.empty((*size, 4, 4))
    for index in range(4):
        matrix[..., index, index] = 1.0 + eta[0]
        matrix[..., 0, index] = matrix[..., index, 0] = eta[index] if index else 1.0 + eta[0]
    for (row, column), turned in {(1, 2): rho[3], (3, 1): rho[2], (2, 3): rho[1]}.items():
        matrix[..., row, column], matrix[..., column, row] = turned, -turned
    return matrix


def _profiles(wavelengths: F64, atmosphere: Atmosphere, one: Opacity) -> NDArray[np.complex128]:
    """Voigt and Faraday–Voigt functions of the blue σ, the π and the red σ components, as complex numbers."""
    rest, width = one.line.wavelength, one.width
    if one.line.lower is None or one.line.upper is None:
        raise ValueError(f"{one.line.name} {rest} has no levels to split")
    centre = rest * (1.0 + atmosphere.velocity / _LIGHT)
    splitting = LARMOR * rest**2 * atmosphere.field
    made = np.zeros((3, wavelengths.shape[0], atmosphere.field.shape[1]), dtype=np.complex128)
    for kind, shift, share in pattern(one.line.lower, one.line.upper):
        away = (wavelengths - centre - shift * splitting) / width
        made[1 - kind] += share * wofz(away + 1j * one.damping)
    return made


def strength_for(depth: float, damping: float, gradient: float) -> float:
    """The strength that gives a line without field a depth; the depth is below the gradient's share."""
    share = depth / gradient
    return share / (1.0 - share) / float(wofz(1j * damping).real)

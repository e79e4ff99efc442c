"""Crosstalk between Stokes parameters, by what is known of the Sun's: no polarised continuum, and symmetry.

Without gradients along the line of sight Zeeman profiles of Q and U are even about the centre of a line and
those of V are odd, magneto-optical effects included. What is odd in Q and U has leaked from V, what is even
in V from Q and U (the idea of Schlichenmaier & Collados 2002, A&A 381, 668, by correlations).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.kis_gris.lines import Line

F64 = NDArray[np.float64]

#: Places on each side of a line's centre at which profiles are compared.
_PLACES: Final = 40


class Leak(NamedTuple):
    """What leaks, with its standard errors.

    Attributes
    ----------
    from_v
        Of V into Q and U.
    into_v
        Of Q and U into V.
    """

    from_v: tuple[float, float]
    from_v_error: tuple[float, float]
    into_v: tuple[float, float]
    into_v_error: tuple[float, float]

    def undone(self, polarised: F64, *, linear: bool = True, circular: bool = True) -> F64:
        """Q, U and V, shape (3, …), without it."""
        mixing = np.eye(3)
        if linear:
            mixing[:2, 2] = self.from_v
        if circular:
            mixing[2, :2] = self.into_v
        return np.asarray(np.tensordot(np.linalg.inv(mixing), polarised, axes=1))


def from_intensity(over_intensity: F64, degree: int) -> F64:
    """What of I is in a Stokes parameter, smooth along the slit.

    Parameters
    ----------
    over_intensity
        Mean over the continuum of the parameter over I, shape (y,); NaN where nothing was measured.
    degree
        Of the polynomial along the slit.
    """
    rows = np.linspace(-1.0, 1.0, over_intensity.size)
    held = np.isfinite(over_intensity)
    if held.sum() <= degree:
        return np.zeros_like(over_intensity)
    return np.asarray(np.polyval(np.polyfit(rows[held], over_intensity[held], degree), rows))


def parted(stokes: F64, wavelengths: F64, lines: Sequence[Line], reach: float) -> tuple[F64, F64]:
    """Even and odd parts of Q, U and V about the centres of lines, over the continuum.

    Parameters
    ----------
    stokes
        Shape (4, wavelength, pixels), finite.
    wavelengths
        Å, evenly spaced and rising.
    lines
        Whose profiles.
    reach
        Å on each side.

    Returns
    -------
    even, odd
        Shape (3, places, lines x pixels).
    """
    even, odd = [], []
    away = (np.arange(_PLACES) + 0.5) * reach / _PLACES
    for line in lines:
        inside = np.abs(wavelengths - line.wavelength) <= 1.4 * reach
        if inside.sum() < 5 or wavelengths[0] > line.wavelength - 1.6 * reach:
            continue
        if wavelengths[-1] < line.wavelength + 1.6 * reach:
            continue
        edge = np.maximum(stokes[0][inside][[0, -1]].mean(axis=0), 1e-9)
        # Squared, for the far wings are noise, which would move the centre about.
        depth = np.clip(1.0 - stokes[0][inside] / edge, 0.0, None) ** 2
        centre = (wavelengths[inside, None] * depth).sum(axis=0) / np.maximum(depth.sum(axis=0), 1e-9)
        right = _at(stokes[1:], wavelengths, centre + away[:, None])
        left = _at(stokes[1:], wavelengths, centre - away[:, None])
        even.append(0.5 * (right + left) / edge)
        odd.append(0.5 * (right - left) / edge)
    if not even:
        return np.zeros((3, _PLACES, 0)), np.zeros((3, _PLACES, 0))
    return np.concatenate(even, axis=2), np.concatenate(odd, axis=2)


def _at(values: F64, wavelengths: F64, places: F64) -> F64:
    """Values between pixels by cubic interpolation (Catmull and Rom), shape (3, places, pixels)."""
    position = (places - wavelengths[0]) / (wavelengths[1] - wavelengths[0])
    whole = np.clip(np.floor(position).astype(int), 1, wavelengths.size - 3)
    t = position - whole
    pixel = np.arange(values.shape[2])[None, :]
    before, first, second, behind = (values[:, whole + step, pixel] for step in (-1, 0, 1, 2))
    slope_first, slope_second = 0.5 * (second - before), 0.5 * (behind - first)
    change = second - first
    return np.asarray(
        first
        + t * slope_first
        + t**2 * (3.0 * change - 2.0 * slope_first - slope_second)
        + t**3 * (slope_first + slope_second - 2.0 * change)
    )


def leak_of(even: F64, odd: F64) -> Leak:
    """What leaks between V and Q, U.

    Parameters
    ----------
    even, odd
        As `parted` gives them.

    Notes
    -----
    Least squares; standard errors from how much the profiles of single pixels pull, so that centres of lines
    that are a little off, which move a whole profile, are counted as well as noise.
    """
    into_v, into_v_error = _solved(even[:2], even[2])
    from_q, from_q_error = _solved(odd[2:], odd[0])
    from_u, from_u_error = _solved(odd[2:], odd[1])
    return Leak(
        (float(from_q[0]), float(from_u[0])),
        (float(from_q_error[0]), float(from_u_error[0])),
        (float(into_v[0]), float(into_v[1])),
        (float(into_v_error[0]), float(into_v_error[1])),
    )


def _solved(given: F64, seen: F64) -> tuple[F64, F64]:
    """Coefficients of `given`, shape (n, places, pixels), in `seen`, and their standard errors."""
    normal = np.einsum("ixp,jxp->ij", given, given) + 1e-30 * np.eye(len(given))
    found = np.linalg.solve(normal, np.einsum("ixp,xp->i", given, seen))
    rest = seen - np.tensordot(found, given, axes=1)
    pulls = np.einsum("ixp,xp->ip", given, rest)
    inverse = np.linalg.inv(normal)
    return found, np.sqrt(np.diag(inverse @ (pulls @ pulls.T) @ inverse))

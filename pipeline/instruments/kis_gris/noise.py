"""Noise of Q, U and V, measured where the spectrum has nothing in it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.kis_gris.lines import CONTINUUM, Region

#: Standard deviation of normal numbers over their median absolute deviation.
_ROBUST: Final = 1.4826
#: Root of the sum of squares of 1, -2, 1.
_SECOND: Final = 6.0**0.5
_FEWEST: Final = 5
#: Spectra that noise is measured by, about.
_SPECTRA: Final = 20000


class Noise(NamedTuple):
    """Noise of a Stokes parameter over the continuum.

    Attributes
    ----------
    white
        From one wavelength to the next: what counting leaves.
    whole
        Of the continuum, with what is slower, such as fringes.
    """

    white: float
    whole: float


def continuum_mask(wavelengths: NDArray[np.float64], region: Region | None) -> NDArray[np.bool_]:
    """Which wavelengths lie in continuum windows; all where the region is not known, or none lies in one."""
    inside = np.zeros(wavelengths.size, dtype=bool)
    for low, high in CONTINUUM[region] if region else ():
        inside |= (wavelengths >= low) & (wavelengths <= high)
    return inside if inside.sum() >= _FEWEST else np.ones_like(inside)


def noise_of(values: NDArray[np.floating], continuum: float, inside: NDArray[np.bool_]) -> Noise | None:
    """The noise of one Stokes parameter.

    Parameters
    ----------
    values
        Shape (wavelength, y, x); NaN where nothing was measured.
    continuum
        Intensity of the continuum.
    inside
        Wavelengths that lie in the continuum.

    Returns
    -------
    Noise or None
        None where too little was measured.
    """
    runs = np.flatnonzero(inside[:-2] & inside[1:-1] & inside[2:])
    if not runs.size or not continuum > 0:
        return None
    flat = values.reshape(values.shape[0], -1)
    flat = flat[:, :: max(1, flat.shape[1] // _SPECTRA)]
    curved = flat[runs] - 2.0 * flat[runs + 1] + flat[runs + 2]
    held = curved[np.isfinite(curved)]
    level = flat[inside]
    there = np.isfinite(level).all(axis=0)
    if held.size < _FEWEST or not there.any():
        return None
    white = _ROBUST * float(np.median(np.abs(held))) / _SECOND
    whole = float(np.median(np.std(level[:, there], axis=0)))
    return Noise(white / continuum, whole / continuum)

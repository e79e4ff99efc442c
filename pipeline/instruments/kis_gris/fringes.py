"""Polarised fringes: waves along the wavelength whose periods all rows share, and whose phases none does."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: How finely periods are looked for, in parts of the spectrum's resolution of them.
_FINE: Final = 6.0


class Fringes(NamedTuple):
    """What was found.

    Attributes
    ----------
    periods
        Å.
    waves
        Their sum, in the shape of the spectra.
    """

    periods: tuple[float, ...]
    waves: F64


def fringes_of(
    spectra: F64,
    wavelengths: F64,
    free: NDArray[np.bool_],
    *,
    shortest: float,
    longest: float,
    most: int,
    surely: float,
) -> Fringes:
    """The waves in spectra.

    Parameters
    ----------
    spectra
        Shape (wavelength, n): polarisation over intensity of all rows and Stokes parameters; finite.
    wavelengths
        Å.
    free
        Wavelengths without polarised lines, where waves are measured.
    shortest, longest
        Å of their periods.
    most
        How many there may be.
    surely
        By how many standard deviations more than noise a period has to explain.

    Notes
    -----
    Periods are found one by one where the sum over all spectra of what a wave explains is largest; amplitudes
    and phases of all of them are then fitted together in each spectrum, with a level that is not taken away.
    """
    at = wavelengths - wavelengths.mean()
    span = float(np.ptp(at[free])) if free.any() else 0.0
    longest = min(longest, 0.6 * span)
    nothing = Fringes((), np.zeros_like(spectra))
    if free.sum() < 20 or longest <= shortest:
        return nothing
    rates = np.arange(1.0 / longest, 1.0 / shortest, 1.0 / (_FINE * span))
    # Of each rate a cosine and a sine, at right angles to each other and to a level.
    waves = np.concatenate([np.linalg.qr(_basis(at[free], [rate]))[0][:, 1:].T for rate in rates])
    found: list[float] = []
    for _ in range(most):
        rest = spectra[free] - _fit(at[free], spectra[free], found)
        noise = np.median(np.abs(np.diff(rest, axis=0)), axis=0) * 1.4826 / np.sqrt(2.0)
        explained = np.sum((waves @ (rest / np.maximum(noise, 1e-12))) ** 2, axis=1)
        power = explained.reshape(-1, 2).sum(axis=1) / (2.0 * spectra.shape[1])
        best = int(np.argmax(power))
        if power[best] < 1.0 + surely / np.sqrt(spectra.shape[1]):
            break
        found.append(_sharpened(rates, power, best))
    if not found:
        return nothing
    basis = _basis(at, found)
    weights = np.linalg.lstsq(basis[free], spectra[free], rcond=None)[0]
    return Fringes(tuple(1.0 / rate for rate in found), basis[:, 1:] @ weights[1:])


def _basis(at: F64, rates: list[float]) -> F64:
    waves = [part(2.0 * np.pi * rate * at) for rate in rates for part in (np.cos, np.sin)]
    return np.column_stack([np.ones_like(at), *waves])


def _fit(at: F64, spectra: F64, rates: list[float]) -> F64:
    basis = _basis(at, rates)
    return np.asarray(basis @ np.linalg.lstsq(basis, spectra, rcond=None)[0])


def _sharpened(rates: F64, power: F64, best: int) -> float:
    """The rate between two of the search at which most is explained: the top of a parabola."""
    if not 0 < best < rates.size - 1:
        return float(rates[best])
    left, middle, right = power[best - 1 : best + 2]
    bend = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(rates[best] + np.clip(shift, -1.0, 1.0) * (rates[1] - rates[0]))

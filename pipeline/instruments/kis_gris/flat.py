"""The detector's gain from a flat of the quiet Sun: the flat without the Sun's own spectrum in it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.signal import savgol_filter

F64 = NDArray[np.float64]

#: Of the middle flat: pixels outside are no pixels.
_ALIVE: Final = (0.3, 2.0)
#: Robust standard deviations of the dark beyond which a pixel is stuck.
_STUCK: Final = 8.0
_ROBUST: Final = 1.4826
_CONTINUUM_DEGREE: Final = 3
_ROUNDS: Final = 12


class Gain(NamedTuple):
    """The response of a detector.

    Attributes
    ----------
    gain
        Shape (wavelength, rows of all beams), around 1; NaN of pixels that cannot be used.
    level
        Numbers that the quiet Sun's continuum makes with a gain of 1.
    spectrum
        The quiet Sun's mean spectrum over its continuum, shape (wavelength,).
    """

    gain: F64
    level: float
    spectrum: F64


def gain_of(flat: F64, dark: F64, beams: int, *, deepest: float = 0.006, smooth: int = 5) -> Gain:
    """The gain from mean flat and mean dark.

    Parameters
    ----------
    flat, dark
        Shape (wavelength, rows of all beams), of as many images each.
    beams
        Spectra above one another.
    deepest
        What of the continuum is not yet a line.
    smooth
        Wavelengths over which the mean profile of a line is smoothed (Savitzky and Golay, degree 2), for it
        bears the mean of the gain of all rows too.

    Notes
    -----
    The mean spectrum of a beam over a polynomial through its continuum is the Sun's profile; what remains of
    the flat without it is gain, slope of the spectrograph's transmission and dust on the slit. Outside of
    lines the profile is 1, so that fixed patterns stay in the gain to the last bit.
    """
    light = flat - dark
    middle = float(np.nanmedian(light))
    low, high = _ALIVE
    black = float(np.nanmedian(dark))
    spread = _ROBUST * float(np.nanmedian(np.abs(dark - black)))
    dead = ~np.isfinite(light) | (light < low * middle) | (light > high * middle)
    dead |= np.abs(dark - black) > _STUCK * max(spread, 1e-9)
    light = np.where(dead, np.nan, light)
    spectra = [_beam(part) for part in np.split(light, beams, axis=1)]
    spectrum = np.mean([one / continuum for one, continuum, _ in spectra], axis=0)
    profile = _profile(spectrum, deepest, smooth)
    level = float(np.mean([np.median(continuum) * np.median(rows) for _, continuum, rows in spectra]))
    return Gain(light / (profile[:, None] * level), level, spectrum)


def _beam(light: F64) -> tuple[F64, F64, F64]:
    """Mean spectrum of a beam, its continuum, and the brightness of its rows over their mean."""
    rows = np.nanmedian(light, axis=0)
    share = rows / np.mean(rows)
    spectrum = np.nanmean(light / share, axis=1)
    filled = np.where(np.isfinite(spectrum), spectrum, np.nanmedian(spectrum))
    return filled, continuum_of(filled), share


def continuum_of(spectrum: F64, degree: int = _CONTINUUM_DEGREE) -> F64:
    """A polynomial through the continuum of a spectrum, which lines are left out of."""
    at = np.linspace(-1.0, 1.0, spectrum.size)
    used = np.ones(spectrum.size, dtype=bool)
    fitted: F64 = np.full(spectrum.size, float(np.median(spectrum)))
    for _ in range(_ROUNDS):
        weights = np.polynomial.chebyshev.chebfit(at[used], spectrum[used], degree)
        fitted = np.asarray(np.polynomial.chebyshev.chebval(at, weights), dtype=np.float64)
        away = spectrum - fitted
        spread = _ROBUST * float(np.median(np.abs(away[used])))
        now = (away > -2.0 * spread) & (away < 4.0 * spread)
        if now.sum() < 4 * (degree + 1) or (now == used).all():
            break
        used = now
    return fitted


def _profile(spectrum: F64, deepest: float, smooth: int) -> F64:
    """The Sun's profile: 1 where there is no line."""
    window = smooth if smooth % 2 else smooth + 1
    smoothed = savgol_filter(spectrum, window, 2) if window >= 5 else spectrum
    scatter = _ROBUST * float(np.median(np.abs(np.diff(spectrum)))) / np.sqrt(2.0)
    lines = smoothed < 1.0 - max(deepest, 2.0 * scatter)
    lines = binary_dilation(lines, iterations=3)
    return np.where(lines, np.minimum(smoothed, 1.0), 1.0)

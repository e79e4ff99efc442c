"""The comb: which modes an exposure shows, and where on the detector.

The frequency of mode n is ``f₀ + n·f_rep``. A mode is far narrower than the spectrograph can tell, so each
line of an exposure is the spectrograph's own profile; its middle is found by fitting a Gaussian over a
constant.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.kis_lars.facts import F64, LIGHT, RESOLVING_POWER, Nominal

#: Lines fainter than this part of a bright one are not fitted.
_FAINTEST: Final = 0.1
#: Of the distance of two modes: how far from a peak no higher one may be.
_ALONE: Final = 0.35
#: The number of a mode is taken only if the header's wavelengths tell it this well, in modes.
_CERTAIN: Final = 0.3
_TURNS: Final = 12
#: Pixels: a line whose place is less sure than that is none.
_SURE: Final = 0.2
#: How many times wider or narrower than the spectrograph's profile a line may be.
_LIKE: Final = 2.0
_SIGMAS_PER_FWHM: Final = 2.0 * math.sqrt(2.0 * math.log(2.0))


class Comb(NamedTuple):
    """Frequencies of a comb.

    Attributes
    ----------
    offset, spacing
        ``f₀`` and ``f_rep``, Hz.
    """

    offset: float
    spacing: float

    def wavelength(self, mode: F64) -> F64:
        """Vacuum wavelengths of modes, Å."""
        return np.asarray(LIGHT * 1e10 / (self.offset + mode * self.spacing))

    def mode(self, wavelength: F64) -> F64:
        """The number, with a fraction, of the mode at a vacuum wavelength, Å."""
        return np.asarray((LIGHT * 1e10 / wavelength - self.offset) / self.spacing)


class CombLines(NamedTuple):
    """Lines of an exposure of the comb.

    Attributes
    ----------
    mode
        Their numbers.
    position, error
        Pixels, counted from 0, and one standard deviation.
    width
        Full width at half maximum, pixels.
    spoilt
        How many more there were, with saturated or missing pixels.
    """

    mode: F64
    position: F64
    error: F64
    width: F64
    spoilt: int


class NoComb(Exception):
    """What keeps an exposure of the comb from being used, as a clause."""


def measure(spectrum: F64, bad: NDArray[np.bool_], comb: Comb, nominal: Nominal) -> CombLines:
    """Fit all lines of an exposure and say which modes they are.

    Parameters
    ----------
    spectrum
        Counts, one for each pixel.
    bad
        Pixels that are saturated or have no value; lines that touch one are left out.
    comb
        Its frequencies.
    nominal
        Wavelengths known well enough to tell two modes apart.

    Raises
    ------
    NoComb
        When there are no lines, or the header's wavelengths do not tell their numbers.
    """
    length = len(spectrum)
    centre = float(nominal.at(np.array(length / 2.0)))
    apart = abs(centre**2 * comb.spacing / (LIGHT * 1e10) / nominal.step)
    fwhm = centre / RESOLVING_POWER / abs(nominal.step)
    half = max(3, min(math.ceil(1.5 * fwhm) + 1, int(_ALONE * apart)))
    values = np.where(bad, 0.0, spectrum)
    peaks = _peaks(values, bad, apart, half)
    if len(peaks) == 0:
        raise NoComb("it shows no line of the comb")
    windows = peaks[:, None] + np.arange(-half, half + 1)
    clean = ~bad[windows].any(axis=1)
    spoilt = int(np.count_nonzero(~clean))
    if not clean.any():
        raise NoComb(f"all its {spoilt} lines are saturated or lost")
    position, error, width = _fitted(windows[clean].astype(np.float64), values[windows[clean]], fwhm)
    good = np.isfinite(error) & (np.abs(position - peaks[clean]) < half) & (error < _SURE)
    good &= (width > fwhm / _LIKE) & (width < fwhm * _LIKE)
    if np.count_nonzero(good) < 2:
        raise NoComb("it shows no line of the comb")
    position, error, width = position[good], error[good], width[good]
    mode = _numbers(comb.mode(nominal.at(position)))
    if len(np.unique(mode)) < len(mode):
        raise NoComb("its lines do not lie as those of the comb do")
    return CombLines(mode, position, error, width, spoilt)


def _peaks(values: F64, bad: NDArray[np.bool_], apart: float, half: int) -> NDArray[np.int64]:
    """Highest pixels of lines; a saturated line is one of them."""
    filled = np.where(bad, values.max(initial=0.0), values)
    smooth = np.convolve(filled, (0.25, 0.5, 0.25), mode="same")
    floor, top = np.percentile(smooth, (20.0, 98.0))
    reach = int(_ALONE * apart)
    inside = np.arange(max(half, 1), len(values) - max(half, 1))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(smooth, reach, mode="edge"), 2 * reach + 1)
    highest = smooth[inside] >= around[inside].max(axis=1)
    found = inside[highest & (smooth[inside] > floor + _FAINTEST * (top - floor))]
    # Of pixels equally high the first.
    kept: NDArray[np.int64] = found[np.diff(found, prepend=-reach - 1) > reach]
    return kept


def _fitted(pixels: F64, counts: F64, fwhm: float) -> tuple[F64, F64, F64]:
    """Gaussians over a constant, all lines at once (Gauss–Newton): position, its error, full width.

    Weights are those of photons; the scale of the errors comes from what the fit leaves.
    """
    number, points = pixels.shape
    floor, top = counts.min(axis=1), counts.max(axis=1)
    p = np.stack([top - floor, (pixels * counts).sum(1) / counts.sum(1)], axis=1)
    p[:, 1] = pixels[np.arange(number), counts.argmax(axis=1)]
    p = np.concatenate([p, np.full((number, 1), fwhm / _SIGMAS_PER_FWHM), floor[:, None]], axis=1)
    weight = 1.0 / np.maximum(counts, 0.02 * top[:, None] + 1e-12)
    inverse = np.zeros((number, 4, 4))
    for _ in range(_TURNS):
        away = (pixels - p[:, 1:2]) / p[:, 2:3]
        shape = np.exp(-0.5 * away**2)
        slope = p[:, :1] * shape * away / p[:, 2:3]
        jacobian = np.stack([shape, slope, slope * away, np.ones_like(shape)], axis=2)
        left = counts - p[:, :1] * shape - p[:, 3:]
        normal = np.einsum("lpi,lp,lpj->lij", jacobian, weight, jacobian)
        inverse = np.linalg.pinv(normal)
        change = np.einsum("lij,lpj,lp,lp->li", inverse, jacobian, weight, left)
        change[:, 1] = np.clip(change[:, 1], -1.0, 1.0)
        change[:, 2] = np.clip(change[:, 2], -0.3 * p[:, 2], 0.3 * p[:, 2])
        p = p + change
    scale = (weight * left**2).sum(axis=1) / (points - 4)
    error = np.sqrt(np.maximum(scale * inverse[:, 1, 1], 0.0))
    wrong = ~np.isfinite(p).all(axis=1) | (p[:, 0] <= 0) | (np.abs(p[:, 2]) > points / 2)
    return p[:, 1], np.where(wrong, np.nan, error), np.abs(p[:, 2]) * _SIGMAS_PER_FWHM


def _numbers(rough: F64) -> F64:
    """Whole numbers of modes from those that the header's wavelengths give.

    Neighbours differ by a whole number, however wrong the zero is; what is left in common must be small.
    """
    relative = np.concatenate([[0.0], np.cumsum(np.rint(np.diff(rough)))])
    common = float(np.median(rough - relative))
    if abs(common - round(common)) > _CERTAIN:
        raise NoComb(
            "the header's wavelengths do not tell which modes its lines are: they lie "
            f"{common - round(common):+.2f} of the modes' distance off"
        )
    return relative + round(common)

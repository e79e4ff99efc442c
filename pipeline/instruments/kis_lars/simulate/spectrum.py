"""The Sun's spectrum as the spectrograph would resolve it, on fine steps of wavelength in air, at rest."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from pipeline.instruments.kis_lars.facts import F64, LIGHT, RESOLVING_POWER
from pipeline.instruments.kis_lars.simulate.config import SHAPES, STEP, CycleConfig

#: Å.
_FINE: Final = 0.00025
#: Gaussian widths that a line reaches to either side.
_WINGS: Final = 6.0


class Fine(NamedTuple):
    """A spectrum on fine, equal steps."""

    wavelength: F64
    intensity: F64

    def at(self, wavelength: F64) -> F64:
        """Intensity at wavelengths."""
        made: F64 = CubicSpline(self.wavelength, self.intensity)(wavelength)
        return made


def sun(config: CycleConfig, first: float, last: float) -> Fine:
    """Lines whose bisectors bend as configured, blurred by the spectrograph and its pixels."""
    wavelength = np.arange(first, last, _FINE)
    intensity = np.ones_like(wavelength)
    for rest, (depth, width) in SHAPES.items():
        if first < rest < last:
            intensity -= _line(config, rest, depth, width, wavelength)
    return Fine(wavelength, _blurred(intensity, 0.5 * (first + last)))


def _line(config: CycleConfig, rest: float, depth: float, width: float, wavelength: F64) -> F64:
    """What a line takes away: a Gaussian each of whose depths is shifted by the bisector there."""
    out = np.linspace(-_WINGS, _WINGS, 6001)
    part = np.exp(-0.5 * out**2)
    shift = config.velocity + config.core.get(rest, 0.0) + config.bend.get(rest, 0.0) * (1.0 - part) ** 2
    places = rest * (1.0 + shift / LIGHT) + width * out
    made: F64 = CubicSpline(places, depth * part)(wavelength)
    return np.where((wavelength > places[0]) & (wavelength < places[-1]), made, 0.0)


def _blurred(intensity: F64, wavelength: float) -> F64:
    sigma = wavelength / RESOLVING_POWER / (2.0 * math.sqrt(2.0 * math.log(2.0))) / _FINE
    reach = math.ceil(6.0 * sigma)
    gauss = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    pixel = round(STEP / _FINE)
    # An even number of fine steps to a pixel: the outermost count half.
    box = np.ones(pixel + 1)
    box[[0, -1]] = 0.5
    kernel = np.convolve(gauss / gauss.sum(), box / box.sum())
    padded = np.pad(intensity, len(kernel) // 2, mode="edge")
    return np.convolve(padded, kernel, mode="valid")


class LineTruth(NamedTuple):
    """What a line's profile, blurred and without noise, has: m/s."""

    core: float
    bisector: F64
    mean: float


def truth(fine: Fine, rest: float, depths: F64) -> LineTruth:
    """Core and bisector of a line, read off the fine spectrum.

    Parameters
    ----------
    fine
        The spectrum.
    rest
        Wavelength at rest.
    depths
        Of the bisector, parts of the way from the continuum to the core.
    """
    near = np.abs(fine.wavelength - rest) < 0.4
    wavelength, intensity = fine.wavelength[near], fine.intensity[near]
    lowest = int(np.argmin(intensity))
    bend, slope, _ = np.polyfit(
        wavelength[lowest - 8 : lowest + 9] - rest, intensity[lowest - 8 : lowest + 9], 2
    )
    levels = 1.0 - depths * (1.0 - intensity[lowest])
    left = np.interp(-levels, -intensity[: lowest + 1], wavelength[: lowest + 1])
    right = np.interp(levels, intensity[lowest:], wavelength[lowest:])
    speeds = LIGHT * (0.5 * (left + right) - rest) / rest
    return LineTruth(LIGHT * -slope / (2.0 * bend) / rest, speeds, float(speeds.mean()))

"""Simulated cycles, in memory or as FITS files, with their truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.special import erf

from pipeline.instruments.kis_lars import air, facts, sight
from pipeline.instruments.kis_lars.comb import Comb
from pipeline.instruments.kis_lars.facts import F64, LIGHT
from pipeline.instruments.kis_lars.lines import within
from pipeline.instruments.kis_lars.simulate import config as assumed
from pipeline.instruments.kis_lars.simulate import light, spectrum
from pipeline.instruments.kis_lars.simulate.config import CycleConfig

_NOTE: Final = "SIMULATED by Heliolake from a model of the Sun's lines; this is no observation."
#: Å: the fine spectrum reaches so far beyond the detector.
_MARGIN: Final = 1.5
_DEPTHS: Final = np.arange(5, 98) / 100.0


class Truth(NamedTuple):
    """What is behind a cycle.

    Attributes
    ----------
    wavelength
        In vacuum, as observed, of the pixels at the time of the Sun's exposure, Å.
    stretch
        Wavelengths observed over those at rest on the Sun's surface.
    fine
        The Sun's spectrum at rest, in air, resolved as the spectrograph does.
    lines
        Velocities by wavelength at rest.
    """

    wavelength: F64
    stretch: float
    fine: spectrum.Fine
    lines: Mapping[float, spectrum.LineTruth]


class SimulatedCycle(NamedTuple):
    """Exposures by their phase, ``before``, ``sun`` and ``after``, with headers, and their truth."""

    exposures: Mapping[str, tuple[NDArray[np.float32], fits.Header]]
    truth: Truth


def simulate(config: CycleConfig) -> SimulatedCycle:
    """A cycle; the same configuration gives the same bytes."""
    middle = config.start + timedelta(seconds=0.5 * config.exposure)
    # Where nothing is said of the pointing the telescope looked at the centre.
    way = light.path(middle, 1.0 if config.mu is None else config.mu, config.angle)
    times = {facts.BEFORE: -config.gap, facts.SUN: 0.0, facts.AFTER: config.gap}
    random = np.random.default_rng((config.seed, config.sequence, config.cycle))
    made = {}
    for phase, seconds in times.items():
        wavelength = _wavelengths(config, seconds)
        counts = _comb(config, wavelength) if phase != facts.SUN else _sun(config, wavelength, way.stretch)
        exact = config.photons == 0
        read = counts if exact else random.normal(counts, np.sqrt(counts + 25.0))
        data = np.minimum(read, assumed.SATURATED).astype(np.float32)
        made[phase] = data, _header(config, phase, seconds, way)
    return SimulatedCycle(made, _truth(config, way.stretch))


def _wavelengths(config: CycleConfig, seconds: float) -> F64:
    """True wavelengths of the pixels, seconds from the middle of the Sun's exposure."""
    place = np.linspace(-1.0, 1.0, assumed.PIXELS)
    centre = assumed.FIRST[config.region] + 0.5 * assumed.STEP * (assumed.PIXELS - 1)
    half = 0.5 * assumed.STEP * (assumed.PIXELS - 1)
    straight = half * (place + assumed.BEND[0] * (place**2 - 0.3) + assumed.BEND[1] * place**3)
    hours = seconds / 3600.0
    speed = config.drift * hours + config.jerk * hours**2
    apart = centre**2 * facts.COMB_SPACING / (LIGHT * 1e10)
    return np.asarray((centre + straight + config.shift * apart) * (1.0 + speed / LIGHT))


def _comb(config: CycleConfig, wavelength: F64) -> F64:
    """Lines of the comb on a faint background, each the spectrograph's profile over the width of pixels."""
    comb = Comb(assumed.COMB_OFFSET, facts.COMB_SPACING)
    modes = np.arange(
        math.floor(comb.mode(wavelength[-1:])[0]) - 1, math.ceil(comb.mode(wavelength[:1])[0]) + 2
    )
    pixel = np.arange(assumed.PIXELS, dtype=np.float64)
    sigma = wavelength.mean() / facts.RESOLVING_POWER / (2.0 * math.sqrt(2.0 * math.log(2.0))) / assumed.STEP
    random = np.random.default_rng((config.seed, 8))
    counts = np.full(assumed.PIXELS, 0.01 * config.comb_photons)
    step = np.gradient(wavelength)
    for mode in modes:
        line = comb.wavelength(np.array([float(mode)]))[0]
        at = np.interp(line, wavelength, pixel)
        # From the nearest pixel: a straight line of wavelengths is exact to 1e-9 of a pixel there.
        near = int(np.clip(round(at), 0, assumed.PIXELS - 1))
        centre = near + (line - wavelength[near]) / step[near]
        bright = config.comb_photons * random.uniform(0.5, 1.0)
        edges = (np.arange(near - 12, near + 14) - 0.5 - centre) / (math.sqrt(2.0) * sigma)
        share = 0.5 * np.diff(erf(edges))
        inside = (np.arange(near - 12, near + 13) >= 0) & (np.arange(near - 12, near + 13) < assumed.PIXELS)
        counts[np.arange(near - 12, near + 13)[inside]] += bright * share[inside]
    return counts


def _sun(config: CycleConfig, wavelength: F64, stretch: float) -> F64:
    rest = air.in_air(wavelength / stretch)
    fine = spectrum.sun(config, float(rest[0]) - _MARGIN, float(rest[-1]) + _MARGIN)
    place = np.linspace(-1.0, 1.0, assumed.PIXELS)
    blaze = 1.0 + 0.06 * place - 0.03 * place**2
    return np.asarray(fine.at(rest) * blaze * (config.photons or 2.5e7))


def _truth(config: CycleConfig, stretch: float) -> Truth:
    wavelength = _wavelengths(config, 0.0)
    rest = air.in_air(wavelength / stretch)
    fine = spectrum.sun(config, float(rest[0]) - _MARGIN, float(rest[-1]) + _MARGIN)
    known = within(float(rest[0]) + 0.5, float(rest[-1]) - 0.5)
    return Truth(
        wavelength,
        stretch,
        fine,
        {line.wavelength: spectrum.truth(fine, line.wavelength, _DEPTHS) for line in known},
    )


def _header(config: CycleConfig, phase: str, seconds: float, way: light.Path) -> fits.Header:
    begin = config.start + timedelta(seconds=seconds)
    place = dict(zip("XYZ", sight.geocentric(*facts.VTT), strict=True))
    cards: dict[str, Any] = {
        "FILENAME": config.filename(phase),
        "TELESCOP": "VTT",
        "INSTRUME": "LARS",
        "OBJECT": "quiet Sun" if phase == facts.SUN else "laser frequency comb",
        "LEVEL": "0",
        "DATE-OBS": f"{begin:%Y-%m-%dT%H:%M:%S}.{begin.microsecond // 1000:03d}",
        "EXPTIME": config.exposure,
        "SEQUENCE": config.sequence,
        "CYCLE": config.cycle,
        "PHASE": phase,
        "REGION": config.region,
        "BUNIT": "DN",
        "SATLEVEL": assumed.SATURATED,
        "COMBF0": assumed.COMB_OFFSET,
        "COMBFREP": facts.COMB_SPACING,
        "CTYPE1": "WAVE",
        "CUNIT1": "Angstrom",
        "CRPIX1": 1.0,
        "CRVAL1": assumed.FIRST[config.region],
        "CDELT1": assumed.STEP,
        **{f"OBSGEO-{axis}": round(value, 2) for axis, value in place.items()},
    }
    if config.mu is not None:
        for axis, (kind, value) in enumerate((("HPLN-TAN", way.west), ("HPLT-TAN", way.north)), start=2):
            cards |= {f"CTYPE{axis}": kind, f"CUNIT{axis}": "arcsec", f"CRPIX{axis}": 1.0}
            cards |= {f"CRVAL{axis}": round(value, 6), f"CDELT{axis}": 10.0}
    header = fits.Header()
    for name, value in cards.items():
        header[name] = value
    header["SIMULATD"] = (True, "simulated spectrum, no observation")
    header.add_comment(_NOTE)
    header.add_comment(f"Assumed, without a document: {assumed.ASSUMED}")
    return header


def write(folder: Path, cycle: SimulatedCycle, *, without: tuple[str, ...] = ()) -> list[Path]:
    """Write the exposures of a cycle as FITS files, but for those of some phases."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for phase, (data, header) in cycle.exposures.items():
        if phase not in without:
            path = folder / str(header["FILENAME"])
            fits.PrimaryHDU(data[None, None, :], header).writeto(path, overwrite=True, checksum=True)
            made.append(path)
    return made

"""Other inversion codes on the same pixels: pyMilne where it is built, and scipy's least squares always.

pyMilne (J. de la Cruz Rodríguez, github.com/jaimedelacruz/pyMilne, MIT) is C++ with a Python module. Build it
anywhere (its README says how) and name the folder in ``HELIOLAKE_PYMILNE``.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import wofz

from bench.inversion.pixels import NOISE, Case
from pipeline.inversion.lines import Line, line

F64 = NDArray[np.float64]
PLACE: Final = "HELIOLAKE_PYMILNE"
#: pyMilne's names of lines, and the wavelengths it has for them.
_LINES: Final = {
    "Fe I 6173.3": (6173, 6173.3340),
    "Fe I 6301.5": (6301, 6301.4995),
    "Fe I 6302.5": (6302, 6302.4931),
}
#: Strength of 6302.5 over 6301.5 in pyMilne: the ratio of its gf values.
_RATIO: Final = 10.0 ** (-1.160 + 0.718)
#: What pyMilne's example begins with, and the classical start of scipy's.
_START: Final = (750.0, 1.0, 0.39, 0.25, 0.02, 30.0, 0.1, 0.8, 0.2)
_SCIPY_START: Final = (750.0, 1.0, 0.25, np.log(0.03), np.log(10.0), np.log(0.2), 0.4, 0.3, 0.7, 0.7)
_SCALES: Final = (1000.0, *(9 * [1.0]))


class Peer(NamedTuple):
    """What another code found: field, inclination and azimuth in G and degrees, and χ² of each pixel."""

    field: F64
    inclination: F64
    azimuth: F64
    chi2: F64


def why_not() -> str:
    """Why pyMilne cannot be run here; empty where it can."""
    folder = os.environ.get(PLACE)
    if not folder:
        return f"pyMilne is not here; build it and name its folder in {PLACE}"
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        importlib.import_module("MilneEddington")
    except ImportError as error:
        return f"pyMilne in {folder} cannot be loaded: {error}"
    return ""


def with_its_lines(case: Case) -> Case:
    """The case with pyMilne's wavelengths and strengths of lines."""
    made = [
        dataclasses.replace(line(name), wavelength=_LINES[name][1], strength=_RATIO if number else 1.0)
        for number, name in enumerate(case.lines)
    ]
    return dataclasses.replace(case, replaced=tuple(made))


def milne(case: Case) -> Any:
    """pyMilne for a case, in double precision on one thread."""
    atmosphere = case.atmosphere
    psf = atmosphere.psf if atmosphere.psf.size else None
    with quietly():
        return importlib.import_module("MilneEddington").MilneEddington(
            [[np.array(atmosphere.wavelengths), psf]], [_LINES[name][0] for name in case.lines], nthreads=1
        )


def milne_profiles(code: Any, unknowns: F64) -> F64:
    """Its synthetic profiles of our unknowns."""
    with quietly():
        made = code.synthesize(models(unknowns))
    return np.asarray(made[0])


def models(unknowns: F64) -> F64:
    """Our unknowns as pyMilne's models, shape (1, pixels, 9)."""
    order = unknowns[:, [0, 1, 6, 2, 3, 4, 5, 7, 8]].copy()
    order[:, 4:7] = np.exp(order[:, 4:7])
    return order[None]


def milne_inverted(code: Any, data: NDArray[Any]) -> Peer:
    """What it finds with its own starts, three of them at random, as its example has them."""
    start = np.tile(np.array(_START), (1, len(data), 1))
    sigma = np.full(data.shape[1:], NOISE)
    with quietly():
        model, fitted, _ = code.invert(
            start, data[None].astype(np.float64), sigma, nRandom=4, nIter=30, chi2_thres=1.0
        )
    return Peer(
        model[0, :, 0],
        np.degrees(model[0, :, 1]),
        np.degrees(model[0, :, 2]),
        _chi2(data, np.asarray(fitted[0]), 9),
    )


def scipy_inverted(case: Case, data: NDArray[Any]) -> Peer:
    """Least squares by trust regions with numerical derivatives, from one start, pixel by pixel."""
    atmosphere = case.atmosphere
    psf, stray = atmosphere.psf, atmosphere.stray
    half, step = psf.size // 2, float(np.diff(atmosphere.wavelengths).mean())
    wide = atmosphere.wavelengths[0] + step * np.arange(-half, atmosphere.wavelengths.size + half)
    unknowns = atmosphere.unknowns

    def profiles(p: F64) -> F64:
        made = closed_form(atmosphere.lines, wide, p[:9])
        if psf.size:
            made = np.stack([np.convolve(row, psf, "valid") for row in made])
        if stray is not None:
            made = p[9] * made
            made[0] += (1.0 - p[9]) * stray
        return made

    found, fitted = [], []
    for one in data.astype(np.float64):
        best = least_squares(
            lambda p, one=one: ((profiles(p) - one) / NOISE).ravel(),
            np.array(_SCIPY_START[:unknowns]),
            x_scale=np.array(_SCALES[:unknowns]),
            max_nfev=60,
        )
        found.append(best.x)
        fitted.append(profiles(best.x))
    p = np.array(found)
    return Peer(
        np.abs(p[:, 0]),
        np.degrees(p[:, 1]) % 180,
        np.degrees(p[:, 6]) % 180,
        _chi2(data, np.array(fitted), unknowns),
    )


def closed_form(lines: Sequence[Line], wavelengths: F64, p: F64) -> F64:
    """The same solution in plain numpy, with scipy's Voigt function."""
    field, gamma, velocity, width, strength, damping, chi, surface, gradient = p
    phi = np.zeros((3, wavelengths.size), complex)
    for one in lines:
        doppler = np.exp(np.clip(width, -12, 2)) * one.wavelength / lines[0].wavelength
        centre = one.wavelength * (1 + velocity / 299792.458)
        for part in one.components():
            away = wavelengths - centre + part.shift * 4.66864e-13 * one.wavelength**2 * field
            share = part.strength * one.strength / lines[0].strength
            phi[part.kind] += share * wofz(away / doppler + 1j * np.exp(np.clip(damping, -12, 4)))
    sine, cosine, h = np.sin(gamma) ** 2, np.cos(gamma), 0.5 * np.exp(np.clip(strength, -12, 12))
    sigma = 0.5 * (phi[0] + phi[2])
    e = 1 + h * (phi[1].real * sine + sigma.real * (1 + cosine**2))
    q, r = h * sine * (phi[1] - sigma).real, h * sine * (phi[1] - sigma).imag
    v, s = h * cosine * (phi[2] - phi[0]).real, h * cosine * (phi[2] - phi[0]).imag
    w, m = q * r + v * s, r * r + s * s
    over = gradient / (e**2 * (e**2 - q**2 - v**2 + m) - w**2)
    q1, u1 = -over * (e**2 * q + r * w), over * e * (v * r - q * s)
    turn_c, turn_s = np.cos(2 * chi), np.sin(2 * chi)
    return np.stack(
        [
            surface + over * e * (e**2 + m),
            turn_c * q1 - turn_s * u1,
            turn_s * q1 + turn_c * u1,
            -over * (e**2 * v + s * w),
        ]
    )


def _chi2(data: NDArray[Any], fitted: NDArray[Any], unknowns: int) -> F64:
    squares = ((data - fitted).astype(np.float64) ** 2).sum(axis=(1, 2)) / NOISE**2
    return np.asarray(squares / (data[0].size - unknowns))


@contextmanager
def quietly() -> Iterator[None]:
    """Without what C++ prints to both streams."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(nothing, number)
        yield
    finally:
        for number, one in zip((1, 2), kept, strict=True):
            os.dup2(one, number)
            os.close(one)
        os.close(nothing)

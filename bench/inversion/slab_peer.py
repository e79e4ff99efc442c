"""A slab of helium with plain numpy and scipy: matrix exponentials, numerical derivatives, pixel by pixel."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import least_squares
from scipy.special import wofz

from bench.inversion.peer import Peer
from bench.inversion.pixels import DAMPING, NOISE, SlabCase
from pipeline.inversion import helium
from pipeline.inversion.forms import LIGHT

F64 = NDArray[np.float64]
#: B, γ, v, ln Δ, ln τ, χ, S and the background's level, the damping being held.
_START: Final = (800.0, 1.0, 0.0, np.log(0.28), 0.0, 0.4, 0.4, 1.0)
_SCALES: Final = (1000.0, 1.0, 5.0, 1.0, 1.0, 1.0, 0.3, 0.3)


def slab_inverted(case: SlabCase, data: NDArray[Any]) -> Peer:
    """Least squares by trust regions with numerical derivatives, from one start."""
    wavelengths = case.model.wavelengths
    found, fitted = [], []
    for one in data.astype(np.float64):
        best = least_squares(
            lambda p, one=one: ((profiles(wavelengths, p) - one) / NOISE).ravel(),
            np.array(_START),
            x_scale=np.array(_SCALES),
            max_nfev=60,
        )
        found.append(best.x)
        fitted.append(profiles(wavelengths, best.x))
    p = np.array(found)
    squares = ((data - np.array(fitted)).astype(np.float64) ** 2).sum(axis=(1, 2)) / NOISE**2
    return Peer(
        np.abs(p[:, 0]),
        np.degrees(p[:, 1]) % 180,
        np.degrees(p[:, 5]) % 180,
        squares / (data[0].size - len(_START)),
    )


def profiles(wavelengths: F64, p: F64) -> F64:
    """Stokes profiles, shape (4, wavelengths), of a slab above the continuum."""
    field, gamma, velocity, width, depth, chi, source, level = p
    known = helium.pattern()
    at = min(abs(field) / known.spacing, known.nodes.shape[2] - 1.001)
    node, part = int(at), at - int(at)
    between = (1 - part) * known.nodes[:, :, node] + part * known.nodes[:, :, node + 1]
    phi = np.zeros((3, wavelengths.size), complex)
    moved = wavelengths - helium.REFERENCE * (1 + velocity / LIGHT)
    for kind, (shift, strength) in zip(known.kind, between, strict=True):
        phi[kind] += strength * wofz((moved + shift) / np.exp(np.clip(width, -6, 2)) + 1j * DAMPING)
    mean, sine, h = 0.5 * (phi[0] + phi[2]), np.sin(gamma) ** 2, 0.5 * np.exp(np.clip(depth, -9, 3))
    linear = h * (phi[1] - mean) * sine
    q, u = linear * np.cos(2 * chi), linear * np.sin(2 * chi)
    v = h * (phi[2] - phi[0]) * np.cos(gamma)
    matrix = np.zeros((wavelengths.size, 4, 4))
    matrix[:, range(4), range(4)] = h * (phi[1] * sine + mean * (1 + np.cos(gamma) ** 2)).real[:, None]
    for place, one in ((1, q), (2, u), (3, v)):
        matrix[:, 0, place] = matrix[:, place, 0] = one.real
    for row, column, one in ((1, 2, v), (3, 1, u), (2, 3, q)):
        matrix[:, row, column], matrix[:, column, row] = one.imag, -one.imag
    made = expm(-matrix)[:, :, 0].T * (level - source)
    made[0] += source
    return np.asarray(made)

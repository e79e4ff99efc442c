"""An independent way to compute what the compiled kernels do, and pixels to try them on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import wofz

from pipeline.inversion.lines import BLUE, PI, RED, Line

F64 = NDArray[np.float64]


def dense_profiles(lines: Sequence[Line], wavelengths: F64, p: F64) -> F64:
    """Stokes profiles, shape (4, wavelengths), by solving the transfer equation's 4×4 systems with numpy."""
    field, gamma, velocity, width, strength, damping, chi, surface, gradient = p[:9]
    reference, h = lines[0].wavelength, 0.5 * np.exp(strength)
    phi = {kind: np.zeros(len(wavelengths), complex) for kind in (BLUE, PI, RED)}
    for line in lines:
        doppler = np.exp(width) * line.wavelength / reference
        for one in line.components():
            centre = line.wavelength * (1 + velocity / 299792.458)
            shift = one.shift * 4.66864e-13 * line.wavelength**2 * field
            share = one.strength * line.strength / lines[0].strength
            phi[one.kind] += share * wofz((wavelengths - centre + shift) / doppler + 1j * np.exp(damping))
    mean, sine = 0.5 * (phi[BLUE] + phi[RED]), np.sin(gamma) ** 2
    whole = h * (phi[PI] * sine + mean * (1 + np.cos(gamma) ** 2))
    linear = h * (phi[PI] - mean) * sine
    q, u, v = linear * np.cos(2 * chi), linear * np.sin(2 * chi), h * (phi[RED] - phi[BLUE]) * np.cos(gamma)
    matrix = np.zeros((len(wavelengths), 4, 4))
    for i in range(4):
        matrix[:, i, i] = 1 + whole.real
    for place, part in ((1, q), (2, u), (3, v)):
        matrix[:, 0, place] = matrix[:, place, 0] = part.real
    for row, column, part in ((1, 2, v), (3, 1, u), (2, 3, q)):
        matrix[:, row, column], matrix[:, column, row] = part.imag, -part.imag
    unit = np.eye(4)[:, :1]
    profiles = np.linalg.solve(matrix, np.broadcast_to(unit, (len(wavelengths), 4, 1)))[..., 0].T
    return np.asarray(surface * unit + gradient * profiles)


def drawn(count: int, unknowns: int = 9, seed: int = 1, least: float = 0.0) -> F64:
    """Unknowns of pixels, evenly in ranges that are not those of the libraries."""
    rng = np.random.default_rng(seed)
    low = [least, 0.0, -2.0, np.log(0.02), np.log(3.0), np.log(0.05), 0.0, 0.1, 0.0, 0.2]
    high = [3000.0, 0.0, 2.0, np.log(0.045), np.log(20.0), np.log(1.0), np.pi, 0.5, 0.0, 1.0]
    p = rng.uniform(low, high, (count, 10))
    p[:, 1] = np.arccos(rng.uniform(-1, 1, count))
    p[:, 8] = 1.0 - p[:, 7]
    return np.ascontiguousarray(p[:, :unknowns])


def noisy(profiles: NDArray[Any], sigma: float = 1e-3, seed: int = 2) -> NDArray[np.float32]:
    """The profiles with Gaussian noise."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, profiles.shape)
    return (profiles + noise).astype(np.float32)

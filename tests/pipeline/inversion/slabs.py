"""An independent way to compute a slab's profiles, and pixels to try it on."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm
from scipy.special import wofz

from pipeline.inversion import helium
from pipeline.inversion.forms import LIGHT
from pipeline.inversion.lines import BLUE, PI, RED
from pipeline.inversion.slab import Slab
from tests.pipeline.inversion.models import F64

GRID: F64 = 10830.0 + 0.05 * np.arange(-40, 40, dtype=np.float64)


def dense_profiles(slab: Slab, p: F64) -> F64:
    """Stokes profiles, shape (4, wavelengths), by matrix exponentials of scipy."""
    field, gamma, velocity, width, depth, damping, chi, source, level = p
    known = helium.pattern(paschen_back=slab.paschen_back)
    fields = known.spacing * np.arange(known.nodes.shape[2])
    moved = slab.wavelengths - helium.REFERENCE * (1 + velocity / LIGHT)
    phi = {kind: np.zeros(len(moved), complex) for kind in (BLUE, PI, RED)}
    for kind, (shifts, strengths) in zip(known.kind, known.nodes, strict=True):
        u = (moved + np.interp(field, fields, shifts)) / np.exp(width)
        phi[int(kind)] += np.interp(field, fields, strengths) * wofz(u + 1j * np.exp(damping))
    mean, sine, h = 0.5 * (phi[BLUE] + phi[RED]), np.sin(gamma) ** 2, 0.5 * np.exp(depth)
    whole = h * (phi[PI] * sine + mean * (1 + np.cos(gamma) ** 2))
    linear = h * (phi[PI] - mean) * sine
    q, u, v = linear * np.cos(2 * chi), linear * np.sin(2 * chi), h * (phi[RED] - phi[BLUE]) * np.cos(gamma)
    matrix = np.zeros((len(moved), 4, 4))
    for i in range(4):
        matrix[:, i, i] = whole.real
    for place, part in ((1, q), (2, u), (3, v)):
        matrix[:, 0, place] = matrix[:, place, 0] = part.real
    for row, column, part in ((1, 2, v), (3, 1, u), (2, 3, q)):
        matrix[:, row, column], matrix[:, column, row] = part.imag, -part.imag
    lit = 1.0 if slab.background is None else slab.background
    made = expm(-matrix)[:, :, 0].T * (level * lit - source)
    made[0] += source
    return np.asarray(made)


def drawn(count: int, seed: int = 1, least: float = 0.0) -> F64:
    """Unknowns of pixels."""
    rng = np.random.default_rng(seed)
    low = [least, 0.0, -8.0, np.log(0.18), np.log(0.2), np.log(0.01), 0.0, 0.2, 0.95]
    high = [2500.0, 0.0, 8.0, np.log(0.43), np.log(2.5), np.log(0.01), np.pi, 0.7, 1.05]
    p = rng.uniform(low, high, (count, 9))
    p[:, 1] = np.arccos(rng.uniform(-1, 1, count))
    return p

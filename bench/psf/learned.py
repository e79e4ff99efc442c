"""``python -m bench.psf.learned pipeline/psf/learned.csv``: learns the core of `pipeline.psf.learned`.

The population shares nothing with the validation's generator but optics: obstructions up to 0.4, all
aberrations from defocus to the sixth order, up to 1.2 rad, motion; beside pupils, cores without a cut-off.
What is learned is the logarithm of the azimuthal mean, all brought to one width: its mean, and its first
principal components, whose scores have a Gaussian prior of the population's width.
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from math import factorial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.psf.learned import ADDED
from pipeline.psf.model import moffat

F64 = NDArray[np.float64]

#: Pupils of the population; components that are kept.
PUPILS: Final = 900
COMPONENTS: Final = 3
#: The grid, the radius of a pupil on it, and wavenumbers in units of the cut-off.
_SIDE: Final = 192
_RADIUS: Final = 44
_V: Final = np.linspace(0.0, 1.0, 101)
#: Wavenumbers in units of that of half the height.
_X: Final = np.linspace(0.0, 4.0, 161)
_HEAD: Final = f"""Simulated: mean and {COMPONENTS} principal components of ln[(C + a)/(1 + a)], a = {ADDED},
of transfer functions C of {PUPILS} simulated pupils in motion and of cores without a cut-off, over the
wavenumber in units of that where C is a half. Made by python -m bench.psf.learned.
x,mean,first,second,third"""


def learn() -> F64:
    """Wavenumber, mean, components; shape (x, 2 + components)."""
    heights = _all()
    weight = np.sqrt(np.maximum(heights.mean(axis=0), 0.01) * (_X + 0.02))
    logarithms = np.log(np.maximum(heights, -0.9 * ADDED) + ADDED) - np.log(1.0 + ADDED)
    mean = logarithms.mean(axis=0)
    _, sizes, rows = np.linalg.svd((logarithms - mean) * weight, full_matrices=False)
    components = rows[:COMPONENTS] / weight * sizes[:COMPONENTS, None] / np.sqrt(len(heights))
    # A component may be turned round by another library; its first large value is positive here.
    signs = np.sign([one[np.argmax(np.abs(one) > 0.1)] for one in components])
    found: F64 = np.column_stack([_X, mean, *(components * signs[:, None])])
    return found


def _all() -> F64:
    """Cores of one width: pupils in motion, and such as have no cut-off."""
    rng = np.random.default_rng(3)
    k = np.linspace(0.0, 8.0, 3201)
    rows = []
    for pupil in population():
        for _ in range(2):
            motion = np.exp(rng.uniform(np.log(0.05), 0.0))
            height = np.interp(k, _V, pupil, right=0.0) * np.exp(-2.0 * (np.pi * motion * k) ** 2)
            rows.append(_of_one_width(k, height))
        rows.append(_of_one_width(k, _without_cutoff(k, rng)))
    return np.array(rows)


def _without_cutoff(k: F64, rng: np.random.Generator) -> F64:
    kind = rng.uniform()
    if kind < 0.5:
        found: F64 = moffat(k, np.log(0.5), rng.uniform(1.6, 7.0)) * np.exp(
            -((rng.uniform(0.0, 1.8) * k) ** 2)
        )
    elif kind < 0.75:
        found = np.exp(-((2.0 * k) ** rng.uniform(1.1, 2.2)))
    else:
        share, wider = rng.uniform(0.0, 0.7), np.exp(rng.uniform(0.2, 1.5))
        found = (1.0 - share) * np.exp(-3.0 * k**2) + share * np.exp(-3.0 * (wider * k) ** 2)
    return found


def _of_one_width(k: F64, height: F64) -> F64:
    first = int(np.flatnonzero(height < 0.5)[0])
    half = np.interp(0.5, [height[first], height[first - 1]], [k[first], k[first - 1]])
    found: F64 = np.interp(_X * half, k, height, right=0.0)
    return found


@lru_cache(maxsize=1)
def population() -> F64:
    """Azimuthal means of the transfer functions of pupils about their cores' centroids; (pupil, v)."""
    rng = np.random.default_rng(5)
    places = (np.arange(_SIDE) - _SIDE // 2) / _RADIUS
    x, y = np.meshgrid(places, places)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    orders = [(n, m) for n in range(2, 7) for m in range(-n, n + 1, 2)]
    shapes = np.array([_zernike(n, m, r, angle) for n, m in orders])
    rows = []
    for _ in range(PUPILS):
        weights = rng.normal(size=len(orders)) * np.array([n for n, _ in orders]) ** -rng.uniform(0.0, 4.0)
        weights *= rng.uniform(0.0, 1.2) / np.linalg.norm(weights)
        open_ = (r <= 1.0) & (r >= rng.uniform(0.0, 0.4))
        rows.append(_mean_transfer(np.where(open_, np.exp(1j * np.tensordot(weights, shapes, 1)), 0.0)))
    return np.array(rows)


def _mean_transfer(field: NDArray[np.complex128]) -> F64:
    transfer = np.fft.ifft2(np.abs(np.fft.fft2(np.fft.ifftshift(field))) ** 2)
    frequency = np.fft.fftfreq(_SIDE)
    softened = np.exp(-2.0 * (np.add.outer(frequency**2, frequency**2)) * (0.5 * _SIDE / _RADIUS) ** 2)
    image = np.fft.fft2(transfer * softened).real
    bright = np.where(image > 0.1 * image.max(), image, 0.0)
    turn = np.exp(2j * np.pi * np.arange(_SIDE) / _SIDE)
    across, up = (np.angle(bright.sum(axis=n) @ turn) * _SIDE / (2.0 * np.pi) for n in (0, 1))
    transfer = transfer * np.exp(2j * np.pi * np.add.outer(frequency * up, frequency * across))
    angles, middle = np.arange(48) * 2.0 * np.pi / 48, _SIDE // 2
    rows, columns = (middle + 2.0 * _RADIUS * np.outer(_V, one(angles)) for one in (np.sin, np.cos))
    found = ndimage.map_coordinates(np.fft.fftshift(transfer.real), [rows, columns], order=3).mean(axis=1)
    result: F64 = found / found[0]
    return result


def _zernike(n: int, m: int, r: F64, angle: F64) -> F64:
    """Noll's polynomials; the radial part is R. J. Noll (1976, J. Opt. Soc. Am. 66, 207), eq. 2."""
    a = abs(m)
    radial = sum(
        (-1) ** s
        * factorial(n - s)
        / (factorial(s) * factorial((n + a) // 2 - s) * factorial((n - a) // 2 - s))
        * r ** (n - 2 * s)
        for s in range((n - a) // 2 + 1)
    )
    round_ = np.cos(a * angle) if m >= 0 else np.sin(a * angle)
    found: F64 = np.sqrt((2.0 if m else 1.0) * (n + 1)) * radial * round_
    return found


def main() -> None:
    """Learn, and write what was learned."""
    parser = argparse.ArgumentParser(prog="python -m bench.psf.learned", description=__doc__)
    parser.add_argument("file", type=Path, help="where it is written")
    np.savetxt(parser.parse_args().file, learn(), fmt="%.6g", delimiter=",", header=_HEAD)


if __name__ == "__main__":
    main()

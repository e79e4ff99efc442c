"""Atmosphere, Lyot filter and camera of a simulated ChroTel.

Numbers that no document at hand gives are assumed: see `ASSUMED`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.instruments.kis_chrotel.simulate.config import SimulationConfig

F64 = NDArray[np.float64]

ASSUMED: Final = (
    "gain 8 electrons per DN, read noise 12 electrons, 600 DN offset, 30000 DN in the disk's centre, "
    "vignetting of 12 %, pixel response of 1 %, courses from centre to limb, contrasts, depth, width of He I"
)
OFFSET: Final = 600.0
LEVEL: Final = 30000.0
_GAIN: Final = 8.0
_READ_NOISE: Final = 12.0
_MOST: Final = 65535


def places(config: SimulationConfig, centre: tuple[float, float]) -> tuple[F64, F64]:
    """Solar west and north of every pixel, in radii."""
    right = (np.arange(config.size)[None, :] - centre[0]) / config.radius
    up = (np.arange(config.size)[:, None] - centre[1]) / config.radius
    turn = np.radians(config.angle)
    # Solar north lies `angle` to the left of the vertical.
    return np.cos(turn) * right + np.sin(turn) * up, -np.sin(turn) * right + np.cos(turn) * up


def coverage(config: SimulationConfig, centre: tuple[float, float]) -> F64:
    """How much of each pixel lies on the disk."""
    i, j = np.ogrid[: config.size, : config.size]
    return np.asarray(np.clip(config.radius - np.hypot(j - centre[0], i - centre[1]) + 0.5, 0.0, 1.0))


def lyot(config: SimulationConfig) -> F64:
    """The filter's pattern: a polynomial of the fifth degree about the image's middle, 1 on the average.

    It stays where it is on the detector, and differs from line to line.
    """
    number = {"ha": 0, "ca": 1, "he": 2}[config.line]
    random = np.random.default_rng((1955, number, config.position if config.line == "he" else 0))
    along = np.clip((np.arange(config.size) - (config.size - 1) / 2) / (0.35 * config.size), -1.4, 1.4)
    weights = np.zeros((6, 6))
    for degree in range(1, 6):
        for i in range(degree + 1):
            weights[degree - i, i] = random.normal() / degree
    made = np.polynomial.polynomial.polygrid2d(along, along, weights)
    inside = np.hypot(along[None, :], along[:, None]) < 0.9
    made = made - made[inside].mean()
    return np.asarray(1.0 + np.clip(config.field * made / made[inside].std(), -0.6, 0.6))


def sky(config: SimulationConfig) -> F64:
    """Transmission of the atmosphere: a gradient, and a cloud."""
    j = np.arange(config.size)[None, :] / config.size - 0.5
    i = j.T
    cloud = np.exp(-(((j - 0.2) / 0.16) ** 2)) * np.exp(-(((i - 0.17) / 0.16) ** 2))
    return np.asarray((1.0 + config.gradient * j) * (1.0 - config.cloud * cloud))


def flat(config: SimulationConfig) -> F64:
    """Response of the camera: vignetting, dust, and single pixels; its median is 1."""
    return _flat(config.line, config.size)


@lru_cache(maxsize=4)
def _flat(line: str, size: int) -> F64:
    random = np.random.default_rng((2048, size, ord(line[0])))
    along = np.arange(size) / size - 0.5
    made = 1.0 - 0.24 * (along[:, None] ** 2 + along[None, :] ** 2)
    for _ in range(12):
        at_i, at_j = random.uniform(-0.5, 0.5, 2)
        width, depth = random.uniform(0.004, 0.01), random.uniform(0.02, 0.06)
        rows, columns = np.abs(along - at_i) < 2.5 * width, np.abs(along - at_j) < 2.5 * width
        far = np.hypot(along[rows][:, None] - at_i, along[columns][None, :] - at_j) / width
        made[np.ix_(rows, columns)] -= depth * np.exp(-(far**4))
    made *= random.normal(1.0, 0.01, made.shape)
    return np.asarray(made / np.median(made))


def dark(config: SimulationConfig) -> F64:
    """DN without light."""
    return _dark(config.size)


@lru_cache(maxsize=2)
def _dark(size: int) -> F64:
    random = np.random.default_rng((1997, size))
    columns = random.normal(0.0, 4.0, size)
    return np.asarray(OFFSET + columns[None, :] + random.exponential(3.0, (size, size)))


def seen(config: SimulationConfig, light: F64) -> F64:
    """Blurred by the seeing, with stray light that reaches beyond the limb."""
    pixels = config.size / 2048
    halo = gaussian_filter(light[::8, ::8], 40 * pixels / 8 + 1.0)
    wide = np.kron(halo, np.ones((8, 8)))[: config.size, : config.size]
    return np.asarray(0.985 * gaussian_filter(light, config.blur) + 0.015 * wide)


def read_out(config: SimulationConfig, light: F64) -> NDArray[np.uint16]:
    """Numbers of the 16-bit converter; `light` is 1 in the centre of a quiet disk."""
    electrons = LEVEL * _GAIN * np.maximum(light * flat(config), 0.0)
    if config.noise:
        number = int(config.begin.timestamp())
        random = np.random.default_rng((config.seed, number, config.position))
        electrons = random.normal(electrons, np.sqrt(electrons + _READ_NOISE**2))
    return np.clip(np.rint(electrons / _GAIN + dark(config)), 0, _MOST).astype(np.uint16)

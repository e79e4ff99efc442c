"""Atmosphere, Lyot filter and camera of a simulated ChroTel.

Numbers that no document at hand gives are assumed: see `ASSUMED`.
"""

from __future__ import annotations

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
    i, j = np.indices((config.size, config.size), dtype=np.float64)
    right, up = (j - centre[0]) / config.radius, (i - centre[1]) / config.radius
    turn = np.radians(config.angle)
    # Solar north lies `angle` to the left of the vertical.
    return np.cos(turn) * right + np.sin(turn) * up, -np.sin(turn) * right + np.cos(turn) * up


def coverage(config: SimulationConfig, centre: tuple[float, float]) -> F64:
    """How much of each pixel lies on the disk."""
    i, j = np.indices((config.size, config.size), dtype=np.float64)
    return np.asarray(np.clip(config.radius - np.hypot(j - centre[0], i - centre[1]) + 0.5, 0.0, 1.0))


def lyot(config: SimulationConfig) -> F64:
    """The filter's pattern: a polynomial of the fifth degree about the image's middle, 1 on the average.

    It stays where it is on the detector, and differs from line to line.
    """
    number = {"ha": 0, "ca": 1, "he": 2}[config.line]
    random = np.random.default_rng((1955, number, config.position if config.line == "he" else 0))
    along = (np.arange(config.size) - (config.size - 1) / 2) / (0.35 * config.size)
    x, y = np.meshgrid(along, along)
    inside = np.hypot(x, y) < 0.9
    made = np.zeros_like(x)
    for degree in range(1, 6):
        for i in range(degree + 1):
            made = made + random.normal() / degree * np.clip(x, -1.4, 1.4) ** i * np.clip(y, -1.4, 1.4) ** (
                degree - i
            )
    made -= made[inside].mean()
    return np.asarray(1.0 + np.clip(config.field * made / made[inside].std(), -0.6, 0.6))


def sky(config: SimulationConfig) -> F64:
    """Transmission of the atmosphere: a gradient, and a cloud."""
    i, j = np.indices((config.size, config.size), dtype=np.float64) / config.size - 0.5
    far = np.hypot(j - 0.2, i - 0.17) / 0.16
    return np.asarray((1.0 + config.gradient * j) * (1.0 - config.cloud * np.exp(-(far**2))))


def flat(config: SimulationConfig) -> F64:
    """Response of the camera: vignetting, dust, and single pixels; its median is 1."""
    random = np.random.default_rng((2048, config.size, ord(config.line[0])))
    i, j = np.indices((config.size, config.size), dtype=np.float64) / config.size - 0.5
    made = 1.0 - 0.24 * (i**2 + j**2)
    for _ in range(12):
        at_i, at_j = random.uniform(-0.5, 0.5, 2)
        far = np.hypot(i - at_i, j - at_j) / random.uniform(0.004, 0.01)
        made = made - random.uniform(0.02, 0.06) * np.exp(-(far**4))
    made = made * random.normal(1.0, 0.01, made.shape)
    return np.asarray(made / np.median(made))


def dark(config: SimulationConfig) -> F64:
    """DN without light."""
    random = np.random.default_rng((1997, config.size))
    columns = random.normal(0.0, 4.0, config.size)
    return np.asarray(OFFSET + columns[None, :] + random.exponential(3.0, (config.size, config.size)))


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

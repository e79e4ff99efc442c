"""The detectors as the simulator takes them. All numbers are assumed: none of them is public.

Sensors that are read out through two amplifiers see the same electrons twice; a small gain for what is
bright, a large one for what is faint.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.instruments.aso_s_lst.facts import OPTICS, Gain, Telescope
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.quality import Quality

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Channel:
    """One amplifier: electrons of a number, noise of the read-out (electrons), bias, largest number."""

    electrons: float
    read_noise: float
    bias: float
    top: int


@dataclass(frozen=True)
class Detector:
    """One sensor.

    Attributes
    ----------
    rate
        Electrons a second of a scene's 1.
    dark
        Electrons a second without light.
    exposure
        Seconds.
    unit
        What a scene's 1 is, in the unit of level 2.
    channels
        By gain.
    level_1
        The channel in whose numbers level 1 is.
    """

    rate: float
    dark: float
    exposure: float
    unit: float
    channels: dict[Gain, Channel]
    level_1: Gain


_LOW: Final = Channel(8.0, 24.0, 110.0, 4095)
_HIGH: Final = Channel(0.5, 3.0, 130.0, 4095)
DETECTORS: Final[dict[Telescope, Detector]] = {
    "SDI": Detector(2e3, 0.8, 2.0, 8.0e4, {"LOW": _LOW, "HIGH": _HIGH}, "HIGH"),
    "WST": Detector(8e3, 0.8, 2.0, 8.3e7, {"SINGLE": Channel(4.0, 12.0, 120.0, 16383)}, "SINGLE"),
    "SCIUV": Detector(1e7, 0.5, 10.0, 8.0e4, {"LOW": _LOW, "HIGH": _HIGH}, "HIGH"),
    "SCIWL": Detector(2e9, 0.5, 5.0, 1.0, {"LOW": _LOW, "HIGH": _HIGH}, "LOW"),
}
ASSUMED: Final = "gains, noise, bias, dark, flat, stray light, response, and the PSF"
#: Stray light of SCIWL at 2.5 solar radii: ten times the corona there; and how it falls off.
_STRAY: Final = (8e-8, -1.2)


class Fixed(NamedTuple):
    """What is the same in all exposures of a sensor.

    Attributes
    ----------
    flat
        Response over its median.
    bias
        By channel, numbers.
    dark
        Electrons a second, hot pixels among them.
    abnormal
        `Quality` bits of hot and dead pixels.
    """

    flat: F32
    bias: dict[Gain, F32]
    dark: F32
    abnormal: NDArray[np.uint16]


def seconds(config: SimulationConfig) -> float:
    """The exposure time."""
    return config.exposure or DETECTORS[config.telescope].exposure


def fixed(config: SimulationConfig) -> Fixed:
    """The fixed patterns of a sensor."""
    return _fixed(config.telescope, config.size, config.hot, config.dead, config.seed)


@lru_cache(maxsize=4)
def _fixed(telescope: Telescope, size: int, hot: float, dead: float, seed: int) -> Fixed:
    random = np.random.default_rng((seed, size, list(DETECTORS).index(telescope), 11))
    detector, optics = DETECTORS[telescope], OPTICS[telescope]
    y, x = np.mgrid[-1 : 1 : complex(0, size), -1 : 1 : complex(0, size)].astype(np.float32)
    flat = 1.0 - 0.09 * (x**2 + y**2) + 0.03 * x * y + random.normal(0.0, 0.008, (size, size))
    flat += 0.02 * gaussian_filter(random.normal(size=(size, size)), size / 40, mode="wrap") * size / 14
    if not optics.disk:
        flat *= vignetting(telescope, size)
    bias = {
        gain: (channel.bias + random.normal(0.0, 1.2, (1, size)) + random.normal(0.0, 0.4, (size, size)))
        for gain, channel in detector.channels.items()
    }
    dark = detector.dark * (1.0 + 0.2 * y) * np.exp(random.normal(0.0, 0.2, (size, size)))
    abnormal = np.zeros((size, size), np.uint16)
    for share, bit in ((hot, Quality.HOT), (dead, Quality.DEAD)):
        number = round(share * size * size / 1e6)
        abnormal.ravel()[random.choice(size * size, number, replace=False)] = bit
    is_hot = abnormal == Quality.HOT
    dark[is_hot] = random.uniform(100.0, 2500.0, int(is_hot.sum()))
    flat /= np.median(flat)
    flat[abnormal == Quality.DEAD] *= 0.04
    return Fixed(
        flat.astype(np.float32),
        {gain: plane.astype(np.float32) for gain, plane in bias.items()},
        dark.astype(np.float32),
        abnormal,
    )


def vignetting(telescope: Telescope, size: int) -> F32:
    """What the occulter and the edge of the field let through, of coronagraphs."""
    optics = OPTICS[telescope]
    y, x = np.indices((size, size), dtype=np.float32) - (size - 1) / 2
    distance = np.hypot(x, y) * (optics.scale * optics.size / size) / 960.0
    inner, outer = optics.field
    inside = np.clip((distance - inner + 0.03) / 0.12, 0.0, 1.0)
    return np.asarray(inside * np.clip((outer + 0.05 - distance) / 0.1, 0.0, 1.0), dtype=np.float32)


def stray_light(config: SimulationConfig) -> F32:
    """Of SCIWL: scattered by its mirror, over the disk's mean brightness; none of the others."""
    size = config.size
    if config.telescope != "SCIWL":
        return np.zeros((size, size), np.float32)
    y, x = np.indices((size, size), dtype=np.float32) - (size - 1) / 2
    distance = np.maximum(np.hypot(x, y) * config.scale / config.rsun, 1.0)
    return np.asarray(_STRAY[0] * (distance / 2.5) ** _STRAY[1] * (1.0 + 0.1 * x / size), dtype=np.float32)


def striped(config: SimulationConfig) -> F32 | float:
    """Contamination in weak stripes: what the light is multiplied by."""
    if not config.stripes:
        return 1.0
    y, x = np.ogrid[: config.size, : config.size]
    phase = config.random(5).uniform(0.0, 2 * np.pi)
    waves = np.sin(2 * np.pi * (x / 41.0 + y / 9.5) + phase)
    return np.asarray(1.0 + config.stripes * waves, dtype=np.float32)


class Exposed(NamedTuple):
    """An exposure before it is read out: electrons, and where cosmic rays hit."""

    electrons: NDArray[np.float64]
    cosmic: NDArray[np.bool_]


def exposed(config: SimulationConfig, light: F32) -> Exposed:
    """Electrons of an exposure to a scene behind the optics; both channels of it see the same."""
    detector, pattern = DETECTORS[config.telescope], fixed(config)
    mean = (light + stray_light(config)) * striped(config) * pattern.flat * np.float32(detector.rate)
    electrons = np.maximum((mean + pattern.dark) * seconds(config), 0.0)
    if config.noise:
        electrons = _photons(config.random(2), electrons)
    cosmic = np.zeros(light.shape, bool)
    made = electrons.astype(np.float64)
    random = config.random(3)
    for _ in range(random.poisson(config.cosmics * light.size / 1e6)):
        _hit(random, made, cosmic)
    return Exposed(made, cosmic)


def _photons(random: np.random.Generator, mean: NDArray[Any]) -> NDArray[Any]:
    """Poisson numbers; of many, the normal numbers that they are then."""
    many = mean > 500.0
    made = np.where(many, mean + np.sqrt(mean) * random.standard_normal(mean.shape, np.float32), 0.0)
    made[~many] = random.poisson(mean[~many])
    return made


def _hit(random: np.random.Generator, electrons: NDArray[np.float64], cosmic: NDArray[np.bool_]) -> None:
    """A track of some pixels, brighter than the noise of anything below it."""
    size = electrons.shape[0]
    y, x, angle = *random.uniform(0, size, 2), random.uniform(0, 2 * np.pi)
    strength = random.lognormal(np.log(4000.0), 0.7)
    for step in np.arange(0.0, random.gamma(1.5, 1.6), 0.7):
        i, j = int(y + step * np.sin(angle)), int(x + step * np.cos(angle))
        if 0 <= i < size and 0 <= j < size:
            electrons[i, j] += strength * random.uniform(0.5, 1.0)
            cosmic[i, j] = True


def read_out(config: SimulationConfig, electrons: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Numbers of one channel."""
    channel = DETECTORS[config.telescope].channels[config.gain]
    numbers = electrons / channel.electrons + fixed(config).bias[config.gain]
    if config.noise:
        random = config.random(20 + ("LOW", "HIGH", "SINGLE").index(config.gain))
        numbers += random.normal(0.0, channel.read_noise / channel.electrons, numbers.shape)
    made = np.clip(np.rint(numbers), 1, channel.top).astype(np.uint16)
    if config.lost_rows is not None:
        made[slice(*config.lost_rows)] = 0
    return made


def level_1_noise(config: SimulationConfig, light: F32) -> F32:
    """One standard deviation of level 1 for a scene behind the optics, in its numbers."""
    detector = DETECTORS[config.telescope]
    channel = detector.channels[detector.level_1]
    electrons = np.maximum(light, 0.0) * np.float32(detector.rate * seconds(config))
    full = channel.top * channel.electrons
    # Where the high gain is full, the low one is what there is.
    bright = max(one.read_noise for one in detector.channels.values())
    read = np.where(electrons > 0.75 * full, bright, channel.read_noise)
    return np.asarray(np.sqrt(electrons + read**2) / channel.electrons, dtype=np.float32)


def numbers_of(config: SimulationConfig) -> float:
    """Numbers of level 1 that a scene's 1 becomes."""
    detector = DETECTORS[config.telescope]
    return detector.rate * seconds(config) / detector.channels[detector.level_1].electrons

"""The sky of a simulated series: what a perfect camera would record, DN/s per CCD pixel, north up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig

#: Brightness of the F-corona in the middle of the field, DN/s per CCD pixel: the median of the real headers'
#: DATAP50 (39389 DN in 1205 s and 4 pixels for HI-1, 54931 DN in 4960 s and 4 pixels for HI-2).
_F_LEVEL: Final = {"HI1": 8.2, "HI2": 2.8}
#: Share of the K-corona in the middle of the field.
_K_SHARE: Final = 0.1
_STAMP: Final = np.arange(-4, 5)
#: Standard deviation of a star's image, pixels; and the steps of its drift within one exposure.
_STAR_SIGMA: Final = 0.75
_TRAIL_STEPS: Final = 3
#: Where star counts begin and end, DN/s; N(>F) falls with the power 1.1, as stars do to the 10th magnitude.
_RATES: Final = {"HI1": (13.0, 3000.0), "HI2": (60.0, 4000.0)}
_COUNT_POWER: Final = 1.1


@dataclass(frozen=True)
class Stars:
    """Positions in the first frame, in a field as wide as all frames need, and rates in DN/s."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    rate: NDArray[np.float64]
    field_width: float


class Scene:
    """The truth of every frame of a series.

    Parameters
    ----------
    config
        What the series contains.
    """

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self._elongation, self._position = _sky(config)
        self._still = self._coronas()
        self._stars = self._star_field()

    def truth(self, frame: int) -> NDArray[np.float32]:
        """DN/s per CCD pixel in frame number `frame`, shape (y, x), north up."""
        config = self.config
        image = self._still.copy()
        if config.front is not None:
            front = config.front
            distance = (self._elongation - front.elongation - front.speed * frame) / front.width
            image += front.rate * np.exp(-0.5 * (distance**2 + (self._position / 0.35) ** 2))
        # The sky moves towards the Sun's side of the image as the spacecraft goes on.
        direction = 1.0 if (config.spacecraft == "A") != config.rolled else -1.0
        shift = direction * config.drift
        stars = self._stars
        within = shift * config.summed * 1.01 / (config.cadence * 60.0) * config.exposure
        for k in range(_TRAIL_STEPS):
            x = stars.x + shift * frame + within * (k / (_TRAIL_STEPS - 1) - 0.5)
            x = np.mod(x, stars.field_width) - 0.5 * (stars.field_width - config.pixels)
            _add_stars(image, x, stars.y, stars.rate / (_TRAIL_STEPS * config.binning**2))
        for source in config.sources:
            rate = np.array([source.rate / config.binning**2])
            _add_stars(image, np.array([source.x]), np.array([source.y]), rate)
        return image.astype(np.float32)

    def _coronas(self) -> NDArray[np.float64]:
        """F-corona: smooth, flattened to the ecliptic; K-corona: streamers that fade faster."""
        config = self.config
        middle = abs(tables.MOUNTINGS[(config.detector, config.spacecraft)].offset)
        distance = self._elongation / middle
        level = _F_LEVEL[config.detector]
        f_corona = level * distance**-2.3 * (1.0 + 0.35 * np.cos(2.0 * self._position))
        k_corona = np.zeros_like(f_corona)
        rng = np.random.default_rng([config.seed, 1])
        for centre, width in zip(rng.uniform(-0.8, 0.8, 5), rng.uniform(0.03, 0.12, 5), strict=True):
            k_corona += np.exp(-0.5 * ((self._position - centre) / width) ** 2)
        k_corona *= level * _K_SHARE * distance**-3.0
        return config.f_corona * f_corona + config.k_corona * k_corona

    def _star_field(self) -> Stars:
        config = self.config
        rng = np.random.default_rng([config.seed, 2])
        # Wider than the image by what passes through it, so that stars come in and leave but never jump.
        width = config.pixels + 20.0
        number = round(config.stars * (config.pixels * config.binning / tables.CCD_SIZE) ** 2)
        faintest, brightest = _RATES[config.detector]
        rate = rng.uniform(brightest**-_COUNT_POWER, faintest**-_COUNT_POWER, number) ** (-1.0 / _COUNT_POWER)
        return Stars(
            x=rng.uniform(0.0, width, number),
            y=rng.uniform(0.0, config.pixels, number),
            rate=rate,
            field_width=width,
        )


def _sky(config: SimulationConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Elongation in degrees and position angle from the ecliptic in radians, of every pixel."""
    mounting = tables.MOUNTINGS[(config.detector, config.spacecraft)]
    size = config.pixels
    step = mounting.degrees_per_pixel(tables.CCD_SIZE) * config.binning
    offset = (np.arange(size) - (size - 1) / 2.0) * step
    sunward = 1.0 if (config.spacecraft == "A") != config.rolled else -1.0
    along = np.abs(mounting.offset) - sunward * offset[None, :]
    across = offset[:, None]
    elongation = np.maximum(np.hypot(along, across), 1.0)
    return elongation, np.broadcast_to(np.arctan2(across, along), elongation.shape)


def _add_stars(
    image: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], rate: NDArray[np.float64]
) -> None:
    column, row = np.round(x).astype(np.int64), np.round(y).astype(np.int64)
    across = np.exp(-0.5 * ((column[:, None] + _STAMP - x[:, None]) / _STAR_SIGMA) ** 2)
    along = np.exp(-0.5 * ((row[:, None] + _STAMP - y[:, None]) / _STAR_SIGMA) ** 2)
    stamps = along[:, :, None] * across[:, None, :]
    stamps *= (rate / stamps.sum(axis=(1, 2)))[:, None, None]
    rows = np.broadcast_to(row[:, None, None] + _STAMP[None, :, None], stamps.shape)
    columns = np.broadcast_to(column[:, None, None] + _STAMP[None, None, :], stamps.shape)
    ny, nx = image.shape
    inside = (rows >= 0) & (rows < ny) & (columns >= 0) & (columns < nx)
    np.add.at(image, (rows[inside], columns[inside]), stamps[inside])

"""The sky of a simulated series: what a perfect camera would record, DN/s per CCD pixel, north up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.simulate import camera
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig
from pipeline.instruments.stereo_hi.simulate.geometry import attitude_of, offsets
from pipeline.instruments.stereo_hi.simulate.optics import add_stars

#: Brightness of the F-corona in the middle of the field, DN/s per CCD pixel: the median of the real headers'
#: DATAP50 (39389 DN in 1205 s and 4 pixels for HI-1, 54931 DN in 4960 s and 4 pixels for HI-2).
_F_LEVEL: Final = {"HI1": 8.2, "HI2": 2.8}
#: Share of the K-corona in the middle of the field.
_K_SHARE: Final = 0.1
#: Where star counts begin and end, DN/s; N(>F) falls with the power 1.1, as stars do to the 10th magnitude.
_RATES: Final = {"HI1": (13.0, 3000.0), "HI2": (60.0, 4000.0)}
_COUNT_POWER: Final = 1.1
#: Seconds between the exposures of a sum, from the spans of the real headers (29 min 40 s for 30, 1 h 38 min
#: 50 s for 99; science.md §1, "Beacon dates").
_SPACING: Final = {"HI1": 60.0, "HI2": 59.9}
_DAY: Final = 86400.0


class Scene:
    """The truth of every exposure of a series.

    Parameters
    ----------
    config
        What the series contains.
    template
        Header cards with the attitude of the spacecraft.
    """

    def __init__(self, config: SimulationConfig, template: Any) -> None:
        self.config = config
        self.camera = attitude_of(config, template, "")
        place = offsets(config)
        sky = self.camera.directions(
            *np.broadcast_arrays(place[None, :], place[:, None])  # x grows along a line
        )
        # The Sun is at the origin of the helioprojective frame, the ecliptic's north nearly at its z.
        self.elongation = np.degrees(np.arctan2(np.hypot(sky[..., 1], sky[..., 2]), sky[..., 0]))
        self._position = np.arctan2(sky[..., 2], np.abs(sky[..., 1]))
        self._still = self._coronas()
        self._directions, self._rates = self._star_field()

    def exposures(self, frame: int) -> Iterator[NDArray[np.float32]]:
        """DN/s per CCD pixel during every exposure of a frame, after one for the scrubber to compare with.

        Stars move on from exposure to exposure; what else moves, moves from frame to frame.
        """
        config = self.config
        constant = self._still.copy()
        if config.front is not None:
            front = config.front
            distance = (self.elongation - front.elongation - front.speed * frame) / front.width
            constant += front.rate * np.exp(-0.5 * (distance**2 + (self._position / 0.35) ** 2))
        still: NDArray[np.float32] = constant.astype(np.float32)
        middle = (config.pixels - 1) / 2.0
        sigma = camera.PSF_SIGMA[config.detector]
        for source in config.sources:
            x, y = ((place - middle) * config.binning for place in (source.x, source.y))
            add_stars(still, np.array([x]), np.array([y]), np.array([source.rate]), sigma)
        started = frame * timedelta(minutes=config.cadence).total_seconds()
        near = self._near(started)
        for number in range(-1, config.summed):
            image = still.copy()
            moment = started + number * _SPACING[config.detector]
            add_stars(image, *self.star_places(moment, near), self._rates[near], sigma)
            yield image

    def star_places(
        self, seconds: float, which: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places of stars `seconds` after the start, CCD pixels from the middle, of the image as stored."""
        directions = self._directions if which is None else self._directions[which]
        angle = -np.radians(self.config.drift * seconds / _DAY)  # to the west
        c, s = np.cos(angle), np.sin(angle)
        turned = directions @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        return self.camera.pixels(turned)

    def _near(self, seconds: float) -> NDArray[np.bool_]:
        """Stars in the image or beside it."""
        x, y = self.star_places(seconds)
        limit = self.config.ccd_pixels / 2.0 + 30.0
        return np.asarray((np.abs(x) < limit) & (np.abs(y) < limit))

    def _coronas(self) -> NDArray[np.float64]:
        """F-corona: smooth, flattened to the ecliptic; K-corona: streamers that fade faster."""
        config = self.config
        middle = abs(tables.MOUNTINGS[(config.detector, config.spacecraft)].offset)
        distance = np.maximum(self.elongation, 1.0) / middle
        level = _F_LEVEL[config.detector]
        f_corona = level * distance**-2.3 * (1.0 + 0.35 * np.cos(2.0 * self._position))
        k_corona = np.zeros_like(f_corona)
        rng = np.random.default_rng([config.seed, 1])
        for centre, width in zip(rng.uniform(-0.8, 0.8, 5), rng.uniform(0.03, 0.12, 5), strict=True):
            k_corona += np.exp(-0.5 * ((self._position - centre) / width) ** 2)
        k_corona *= level * _K_SHARE * distance**-3.0
        return config.f_corona * f_corona + config.k_corona * k_corona

    def _star_field(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Directions and rates of stars all around the ecliptic, as dense as `stars` in one field."""
        config = self.config
        rng = np.random.default_rng([config.seed, 2])
        field = tables.MOUNTINGS[(config.detector, config.spacecraft)].field
        top = np.sin(np.radians(min(0.75 * field, 80.0)))
        # Square degrees of the belt over those of the square field.
        number = round(config.stars * 2.0 * top * 360.0 * np.degrees(1.0) / field**2)
        z, longitude = rng.uniform(-top, top, number), rng.uniform(-np.pi, np.pi, number)
        across = np.sqrt(1.0 - z**2)
        faintest, brightest = _RATES[config.detector]
        rate = rng.uniform(brightest**-_COUNT_POWER, faintest**-_COUNT_POWER, number) ** (-1.0 / _COUNT_POWER)
        return np.column_stack([across * np.cos(longitude), across * np.sin(longitude), z]), rate

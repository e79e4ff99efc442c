"""The limb quarter by quarter: what frames tell of how a PSF differs across the field.

Only edges tell a PSF without knowing the scene, and of the Sun's edge there is a quarter in each quarter of
the field, none in its middle: finer tiles would be told apart by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.limb import Circle
from pipeline.psf.rings import SECTORS, Rings, averaged, limb_sectors
from pipeline.psf.suns import Suns
from pipeline.psf.waves import Waves

#: Signs of x and y in each quarter; row by row, as tiles are counted.
QUARTERS: Final = ((-1, -1), (1, -1), (-1, 1), (1, 1))
#: Of a quarter of a circle, the mean of its cosine.
MIDDLE: Final = 2.0 / np.pi
_FEWEST: Final = 5


@dataclass(frozen=True)
class Quarters:
    """Sums over frames of the mean limb in each quarter of the field.

    Attributes
    ----------
    rings
        In the order of `QUARTERS`.
    x, y, frames
        Sums of the disks' centres, and how many there were.
    """

    rings: tuple[Rings, ...]
    x: float
    y: float
    frames: int

    @classmethod
    def none(cls) -> Quarters:
        """Of no frame."""
        return cls((Rings.none(),) * len(QUARTERS), 0.0, 0.0, 0)

    @classmethod
    def of(cls, image: NDArray[np.float32], sun: Circle, suns: Suns) -> Quarters:
        """Of one frame; `suns` tells with which others it shares structure."""
        found = limb_sectors(image, sun)
        if found is None:
            return cls.none()
        sectors, numbers, offsets = found
        angles = 2.0 * np.pi * (np.arange(SECTORS) + 0.5) / SECTORS
        rings = []
        for across, up in QUARTERS:
            inside = ((np.cos(angles) * across > 0) & (np.sin(angles) * up > 0))[:, None]
            one = averaged(
                np.where(inside, sectors, np.nan), numbers * inside, offsets * inside, sun.radius, _FEWEST
            )
            rings.append(replace(one, waves=Waves.none(), suns=suns))
        return cls(tuple(rings), sun.x, sun.y, 1)

    def __add__(self, other: Quarters) -> Quarters:
        rings = tuple(one + two for one, two in zip(self.rings, other.rings, strict=True))
        return Quarters(rings, self.x + other.x, self.y + other.y, self.frames + other.frames)

    @property
    def centres(self) -> tuple[tuple[float, float], ...]:
        """Where in the field each quarter of the limb lies in the mean; x, y in pixels."""
        x, y = self.x / self.frames, self.y / self.frames
        away = MIDDLE * self.rings[0].radius / max(self.rings[0].frames, 1)
        return tuple((x + across * away, y + up * away) for across, up in QUARTERS)

"""What a simulated scan shall be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.instruments.kis_gris.lines import Region
from pipeline.instruments.kis_gris.simulate.zeeman import F64


class Sampling(NamedTuple):
    """First wavelength and step in Å, and their number."""

    first: float
    step: float
    number: int


#: About what the camera of 1024 pixels sees, with what lies beyond the lines of `lines` cut off.
SAMPLING: Final[dict[Region, Sampling]] = {
    "1083": Sampling(10826.0, 0.018, 860),
    "1565": Sampling(15643.9, 0.040, 520),
}


class SimulationConfig(BaseModel):
    """A scan across a sunspot.

    Attributes
    ----------
    region
        Which lines.
    start
        When the first slit position is begun (UTC).
    run
        Number of the run on its day.
    steps, rows
        Slit positions, and pixels along the slit.
    maps
        How often the field is scanned.
    step_size, scale
        [arcsec] Between slit positions, and of a pixel along the slit.
    centre
        [arcsec] Where the middle of the map lies, helioprojective to the west and to the north.
    angle
        [deg] Of the slit's upper end from solar north towards the east.
    radius
        [arcsec] Of the spot.
    north_pole
        Whether the field of the spot comes towards the observer.
    cadence
        [s] From one slit position to the next.
    accumulations
        Images added up for a state of the modulation.
    binning
        [pix] Wavelengths taken together, for small tests.
    noise
        [1] Standard deviation of Q, U and V over the quiet Sun's continuum, of level 1.
    r0
        [cm] Fried's parameter at the first and at the last slit position.
    seed
        The same seed gives the same bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: Region = "1565"
    start: datetime = datetime(2026, 6, 14, 8, 30, tzinfo=UTC)
    run: int = Field(default=3, ge=0, le=999)
    steps: int = Field(default=48, ge=1)
    rows: int = Field(default=64, ge=8)
    maps: int = Field(default=1, ge=1)
    step_size: float = Field(default=0.27, gt=0)
    scale: float = Field(default=0.27, gt=0)
    centre: tuple[float, float] = (-310.0, 120.0)
    angle: float = 20.0
    radius: float = Field(default=7.0, gt=0)
    north_pole: bool = True
    cadence: float = Field(default=6.0, gt=0)
    accumulations: int = Field(default=10, ge=1)
    binning: int = Field(default=1, ge=1)
    noise: float = Field(default=5e-4, ge=0)
    r0: tuple[float, float] = (7.2, 4.0)
    seed: int = 0

    @model_validator(mode="after")
    def _dates_have_a_zone(self) -> SimulationConfig:
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone; write it with tzinfo=UTC")
        return self

    @property
    def sampling(self) -> Sampling:
        """Of the files, with its binning."""
        first, step, number = SAMPLING[self.region]
        return Sampling(first + 0.5 * (self.binning - 1) * step, step * self.binning, number // self.binning)

    @property
    def wavelengths(self) -> F64:
        """Å in air."""
        first, step, number = self.sampling
        return np.asarray(first + step * np.arange(number))

    def begin(self, number: int, position: int) -> datetime:
        """When a slit position (from 1) of a map (from 1) is begun."""
        return self.start + timedelta(seconds=self.cadence * ((number - 1) * self.steps + position - 1))

    def filename(self, number: int, position: int, level: str = "l1p") -> str:
        """Name of a file, as the data centre names them, with ``sim_`` before it; files of a run count on."""
        count = (number - 1) * self.steps + position
        when = self.begin(number, position)
        return f"sim_gris_{when:%Y%m%d_%H%M%S}_{level}_{self.run:03d}_{count:04d}.fits"

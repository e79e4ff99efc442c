"""What a simulated LASCO image shall contain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.instruments.soho_lasco import tables

Polariser = Literal["Clear", "0 Deg", "+60 Deg", "-60 Deg"]
_FILTERS = {"C2": "Orange", "C3": "Clear"}
_EXPOSURES = {"C2": 25.1, "C3": 19.1}


class SimulationConfig(BaseModel):
    """One simulated level-0.5 image, and the camera it is taken with.

    Attributes
    ----------
    detector, filter, polariser
        Camera and positions of its wheels; an empty filter is the usual one, Orange of C2 and Clear of C3.
    start
        When the exposure begins (UTC).
    exposure
        [s] Real exposure time; `None`: the usual one, three times that behind a polariser.
    exposure_factor
        [1] What the header's exposure time has to be multiplied by to be the real one.
    bias
        [DN] Of one CCD pixel; `None`: that of the mission's formula.
    summing
        [pix] Pixels added up on board along each axis.
    sun
        [pix] Sun's centre on the CCD, counted from 0; `None`: the mission's median.
    roll
        [deg] Of the image as taken; near 180 the spacecraft flies upside down.
    clock_error
        [s] By which the clock on board is ahead.
    lost_blocks
        Rows and columns, of the image's blocks, of telemetry that is lost.
    front
        [R_sun] Distance of a mass ejection's front from the Sun's centre; `None`: there is none.
    noise
        Whether the camera's noise is there.
    seed
        The same seed gives the same bytes.
    number
        Of the image, for its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: tables.Detector = "C2"
    filter: str = ""
    polariser: Polariser = "Clear"
    start: datetime = datetime(2009, 2, 28, 0, 6, 3, 474000, tzinfo=UTC)
    exposure: float | None = Field(default=None, gt=0)
    exposure_factor: float = Field(default=1.00108, gt=0)
    bias: float | None = None
    summing: Literal[1, 2] = 1
    sun: tuple[float, float] | None = None
    roll: float = 0.475
    clock_error: float = 30.094
    lost_blocks: tuple[tuple[int, int], ...] = ()
    front: float | None = None
    noise: bool = True
    seed: int = 0
    number: int = 0

    @model_validator(mode="after")
    def _dates_have_a_zone(self) -> SimulationConfig:
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone; write it with tzinfo=UTC")
        return self

    @property
    def colour(self) -> str:
        """Position of the filter wheel."""
        return self.filter or _FILTERS[self.detector]

    @property
    def seconds(self) -> float:
        """Real exposure time."""
        usual = _EXPOSURES[self.detector] * (1.0 if self.polariser == "Clear" else 3.0)
        return usual if self.exposure is None else self.exposure

    @property
    def sun_centre(self) -> tuple[float, float]:
        """Sun's centre on the CCD, counted from 0."""
        return self.sun if self.sun is not None else tables.SUN_MEDIAN[self.detector][:2]

    @property
    def flipped(self) -> bool:
        """Whether the image is taken upside down."""
        return abs(self.roll) > 170.0

    @property
    def filename(self) -> str:
        """Name of the file: like the mission's, with `sim_` before it."""
        return f"sim_{self.detector[1]}2{self.number:06d}.fts"

"""What a simulated ChroTel frame shall contain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.instruments.kis_chrotel import facts


class SimulationConfig(BaseModel):
    """One simulated raw frame.

    Attributes
    ----------
    line
        ha, ca or he.
    position
        Of the He I filter, 0 to 6; counts for He I alone.
    start
        When the exposure begins (UTC); positions of He I follow one second apart.
    size
        [pix] Side of the image; the telescope's is 2048, smaller ones have larger pixels.
    offset
        [pix] Of the Sun's centre from the image's.
    angle
        [deg] From the image's vertical to solar north, counterclockwise.
    rsun, b0, p0, l0
        [arcsec], [deg] Apparent radius, and orientation of the Sun as the header has it.
    field
        [1] Root mean square of the Lyot filter's large-scale pattern.
    gradient
        [1] Of the sky's transmission across the image.
    cloud
        [1] Share of the light that a cloud over a quarter of the disk takes.
    blur
        [pix] Standard deviation of the seeing.
    shake
        [pix] Standard deviation of the image's motion from exposure to exposure.
    filaments
        How many.
    velocity
        [km/s] Largest velocity along the line of sight, of He I.
    noise
        Whether the camera's noise is there.
    seed
        The same seed gives the same Sun and the same bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: facts.Line = "ha"
    position: int = Field(default=3, ge=0, le=6)
    start: datetime = datetime(2014, 9, 2, 11, 3, 10, tzinfo=UTC)
    size: int = Field(default=2048, ge=128, le=4096)
    offset: tuple[float, float] = (9.3, -14.6)
    angle: float = 17.3
    rsun: float = 951.4
    b0: float = 7.21
    p0: float = 21.6
    l0: float = 203.5
    field: float = Field(default=0.04, ge=0, le=0.3)
    gradient: float = 0.0
    cloud: float = Field(default=0.0, ge=0, lt=1)
    blur: float = Field(default=1.3, gt=0)
    shake: float = Field(default=0.0, ge=0)
    filaments: int = Field(default=12, ge=0, le=40)
    velocity: float = 8.0
    noise: bool = True
    seed: int = 0

    @model_validator(mode="after")
    def _dates_have_a_zone(self) -> SimulationConfig:
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone; write it with tzinfo=UTC")
        return self

    @property
    def scale(self) -> float:
        """Arcseconds of a pixel: 3046″ over the image, as on the mission's page."""
        return 3046.0 / self.size

    @property
    def radius(self) -> float:
        """Of the disk, in pixels."""
        return self.rsun / self.scale

    @property
    def begin(self) -> datetime:
        """When this exposure begins."""
        return self.start + timedelta(seconds=self.position if self.line == "he" else 0)

    @property
    def wavelength(self) -> float:
        """Ångström that the filter is set to."""
        return facts.POSITIONS[self.position] if self.line == "he" else facts.CHANNELS[self.line].centre

    @property
    def filename(self) -> str:
        """Like the telescope's, with `sim_` before it."""
        return f"sim_chrotel_{self.line}_lev0.0_{self.begin:%Y%m%d_%H%M%S}.fits"

    @property
    def centre(self) -> tuple[float, float]:
        """The Sun's centre in pixels counted from 0, without shake."""
        middle = (self.size - 1) / 2
        return middle + self.offset[0] * self.size / 2048, middle + self.offset[1] * self.size / 2048

"""What a simulated LST image shall contain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.instruments.aso_s_lst import facts
from pipeline.instruments.aso_s_lst.facts import Disk, Gain, Telescope

#: Metres of a solar radius.
RADIUS: Final = 6.957e8


class Ejection(BaseModel):
    """A mass ejection that moves: its front on the plane of the sky.

    Attributes
    ----------
    begin
        When its front is at the limb (UTC).
    position_angle, width
        [deg] Of its middle, from solar north through east; from edge to edge.
    speed, acceleration
        [km/s], [m/s2] Of the front's farthest point, at the limb.
    brightness
        [1] Over that of the usual front, which at 1.5 solar radii is about as bright as the corona.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    begin: datetime
    position_angle: float = Field(default=262.0, ge=0, lt=360)
    width: float = Field(default=60.0, gt=0, le=720)
    speed: float = Field(default=500.0, gt=0)
    acceleration: float = 0.0
    brightness: float = Field(default=1.0, gt=0)

    def height(self, at: datetime) -> float | None:
        """Of the front's farthest point, solar radii from the Sun's centre; none before it begins."""
        seconds = (at - self.begin).total_seconds()
        way = 1e3 * self.speed * seconds + 0.5 * self.acceleration * seconds**2
        return 1.0 + way / RADIUS if seconds >= 0 and way >= 0 else None


class SimulationConfig(BaseModel):
    """One exposure of one telescope.

    Attributes
    ----------
    telescope
        SDI, WST, SCIUV or SCIWL.
    start
        When the exposure begins (UTC).
    gain
        Channel it is read out through, of telescopes with two; SINGLE of WST.
    size
        [pix] Side of the image; smaller ones than the detector's have larger pixels.
    exposure
        [s] Exposure time; the telescope's usual one when empty.
    rsun, b0
        [arcsec], [deg] Apparent radius of the Sun and tilt of its axis, as the header has them.
    roll
        [deg] CROTA2 as it is.
    header_roll
        [deg] CROTA2 as the raw header has it; the same as `roll` when empty.
    offset
        [pix] Of the Sun's centre from the image's, which alone the header knows.
    jitter
        [pix] Standard deviation of the image's motion from exposure to exposure.
    polariser
        [deg] Of SCIWL; no polariser when empty.
    front
        [Rsun] Distance of a mass ejection's front from the Sun's centre.
    ejections
        Mass ejections that move with the time.
    waver
        [1] By which part of themselves the corona's streamers grow brighter and fainter within hours.
    eclipse
        [1] Share of the Lyman alpha that the Earth's atmosphere takes; what it leaves is visible light.
    body
        [Rsun] Of a dark body before the Sun (the Moon, a planet): its middle to the west and to the north of
        the Sun's centre, and its radius.
    stripes
        [1] Amplitude of stripes over the disk's brightness.
    cosmics, hot, dead
        [1/Mpix] Cosmic rays, hot and dead pixels.
    lost_rows
        Rows that never arrived, from the first to before the second.
    aberration
        [rad] Root mean square of the wavefront's error.
    blur
        [pix] λ/D: about the full width at half maximum of a perfect pupil's diffraction pattern.
    wings
        [1] Share of the light that is scattered.
    noise
        Whether photons and read-out are noisy.
    number
        Of the exposure; makes its noise and jitter its own.
    seed
        The same seed gives the same Sun and the same bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    telescope: Telescope = "SDI"
    start: datetime = datetime(2023, 4, 15, 6, 0, 0, tzinfo=UTC)
    gain: Gain = "LOW"
    size: int = Field(default=1024, ge=128, le=8192)
    exposure: float | None = Field(default=None, gt=0)
    rsun: float = Field(default=955.0, gt=0)
    b0: float = -5.6
    roll: float = 3.7
    header_roll: float | None = None
    offset: tuple[float, float] = (6.3, -4.8)
    jitter: float = Field(default=0.0, ge=0)
    polariser: float | None = None
    front: float | None = None
    ejections: tuple[Ejection, ...] = Field(default=(), max_length=9)
    waver: float = Field(default=0.0, ge=0, lt=1)
    eclipse: float = Field(default=0.0, ge=0, le=1)
    body: tuple[float, float, float] | None = None
    stripes: float = Field(default=0.0, ge=0, le=0.5)
    cosmics: float = Field(default=60.0, ge=0)
    hot: float = Field(default=80.0, ge=0)
    dead: float = Field(default=40.0, ge=0)
    lost_rows: tuple[int, int] | None = None
    aberration: float = Field(default=0.6, ge=0)
    blur: float = Field(default=2.2, ge=0)
    wings: float = Field(default=0.08, ge=0, lt=1)
    noise: bool = True
    number: int = Field(default=0, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _can_be(self) -> SimulationConfig:
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone; write it with tzinfo=UTC")
        if any(one.begin.tzinfo is None for one in self.ejections):
            raise ValueError("begin of an ejection needs a time zone; write it with tzinfo=UTC")
        if (self.gain == "SINGLE") != (self.telescope == "WST"):
            raise ValueError("WST has one channel, gain SINGLE; the others have LOW and HIGH")
        if self.polariser is not None and self.telescope != "SCIWL":
            raise ValueError("SCIWL alone has a polariser")
        if (self.eclipse or self.stripes or self.body) and not self.optics.disk:
            raise ValueError("eclipses, bodies and stripes are those of telescopes that show the disk")
        if self.body is not None and self.body[2] <= 0:
            raise ValueError(f"the radius of a body is positive; found {self.body[2]}")
        return self

    @property
    def optics(self) -> facts.Optics:
        """Its telescope."""
        return facts.OPTICS[self.telescope]

    @property
    def scale(self) -> float:
        """Arcseconds of a pixel."""
        return self.optics.scale * self.optics.size / self.size

    @property
    def radius(self) -> float:
        """Of the disk, in pixels."""
        return self.rsun / self.scale

    @property
    def disk(self) -> Disk:
        """Where the disk lies in this image, jitter included; pixels counted from 0."""
        moved = self.random(1).normal(0.0, self.jitter, 2) if self.jitter else (0.0, 0.0)
        middle = (self.size - 1) / 2
        return Disk(middle + self.offset[0] + moved[0], middle + self.offset[1] + moved[1], self.radius)

    @property
    def filename(self) -> str:
        """Begins with `sim_`."""
        stamp = f"{self.start:%Y%m%d_%H%M%S}_{self.start.microsecond // 1000:03d}"
        channel = "" if self.gain == "SINGLE" else f"_{self.gain.lower()}"
        return f"sim_lst_{self.telescope.lower()}{channel}_{stamp}.fits"

    def random(self, use: int) -> np.random.Generator:
        """Random numbers for one use within one exposure; both channels of it get the same."""
        which = facts.TELESCOPES.index(self.telescope)
        return np.random.default_rng((self.seed, which, self.number, int(self.start.timestamp()), use))

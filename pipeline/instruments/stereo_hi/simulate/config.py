"""What a simulated series shall contain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.instruments.stereo_hi.facts import ROLLED_FROM, ROLLED_UNTIL, Detector, Spacecraft

Kind = Literal["s4", "n4", "s7"]

#: CCD pixels along an axis of an image pixel, usual size and exposures summed, by kind of image.
_BINNING = {"s4": 2, "n4": 1, "s7": 8}
_SUMS = {"HI1": 30, "HI2": 99}
_EXPOSURES = {"HI1": 39.998, "HI2": 49.9985}
_CADENCES = {"HI1": 40.0, "HI2": 120.0}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Model):
    """A point source that stands still; bright enough, it saturates its columns.

    Attributes
    ----------
    x, y
        Zero-based pixel in the image as stored, north up.
    rate
        DN/s it brings altogether.
    """

    x: float
    y: float
    rate: float = Field(gt=0)


class Front(_Model):
    """The front of a coronal mass ejection, a bright arc that moves away from the Sun.

    Attributes
    ----------
    elongation
        Degrees from the Sun in the first frame.
    speed
        Degrees per frame.
    rate
        DN/s at its crest.
    width
        Degrees, standard deviation across the front.
    """

    elongation: float
    speed: float = 0.25
    rate: float = 2.0
    width: float = 0.6


class SimulationConfig(_Model):
    """A series of simulated level-0 images.

    Attributes
    ----------
    detector, spacecraft, kind
        Camera, and ``s4`` (summed), ``n4`` (single, full resolution) or ``s7`` (beacon).
    frames, start, cadence_minutes
        How many images, when the first begins (UTC), and their distance; `None`: the mission's.
    seed
        The same seed gives the same bytes.
    size
        Pixels along a side; `None`: the kind's usual one. A smaller image is
        the middle of the detector.
    exposures
        Exposures per sum; `None`: the camera's usual number, 1 for ``n4``.
    stars, drift
        Stars in the camera's whole field, and degrees a day by which they run to the
        west, because the spacecraft goes round the Sun.
    f_corona, k_corona
        Brightness of the two coronas, 1 as observed, 0 for none.
    front, sources
        A coronal mass ejection; further point sources, such as a planet.
    photon_noise
        Whether the camera's noise is there: photons, read-out, the converter's
        steps. Off, the truth comes back to rounding.
    electrons_per_dn
        Gain of the camera.
    flat
        How much of the pixels' and the optics' uneven response is there; 0: none.
    curvature
        Share of its signal that a full pixel's amplifier does not give (assumed).
    cosmic_rays
        Hits of the whole CCD in one exposure, on average. The headers of 2025
        count 4042 scrubbed pixels an exposure, a few to a hit.
    scrub
        Whether the scrubber works on board; without it all hits stay in the image.
    report
        ``sound``, ``shifted`` (counter lost, part recoverable) or ``lost``.
    missing_blocks, compression
        Numbers of lost telemetry blocks, and COMPRSSN that says how they lie.
    extra_codes
        On-board codes after the usual ones: 1 halves, 2 takes the root, 82 to 88 divide.
    bias_left
        Leave the bias in that the mission subtracts on board.
    beacon_loss
        What a beacon image is divided by beyond its codes; about 4 in the real
        one of 2011-09-10.
    half_sent
        Leave out the half away from the Sun, as the HI-2 beacon does.
    rectified
        As the archive stores them, north up; off: as read out.
    line_clear, line_readout
        Seconds per line; those of the real headers.
    """

    detector: Detector = "HI1"
    spacecraft: Spacecraft = "A"
    kind: Kind = "s4"
    frames: int = Field(default=3, ge=1)
    start: datetime = datetime(2009, 4, 1, 0, 8, 31, tzinfo=UTC)
    cadence_minutes: float | None = Field(default=None, gt=0)
    seed: int = 0
    size: int | None = Field(default=None, ge=32, le=2048)
    exposures: int | None = Field(default=None, ge=1)
    stars: int = Field(default=3300, ge=0)
    drift: float = 0.9856
    f_corona: float = Field(default=1.0, ge=0)
    k_corona: float = Field(default=1.0, ge=0)
    front: Front | None = None
    sources: tuple[Source, ...] = ()
    photon_noise: bool = True
    electrons_per_dn: float = Field(default=15.0, gt=0)
    flat: float = Field(default=1.0, ge=0, le=2)
    curvature: float = Field(default=0.0005, ge=0, le=0.1)
    cosmic_rays: float = Field(default=3300.0, ge=0)
    scrub: bool = True
    report: Literal["sound", "shifted", "lost"] = "sound"
    missing_blocks: tuple[int, ...] = ()
    compression: int = 7
    extra_codes: tuple[int, ...] = ()
    bias_left: bool = False
    beacon_loss: float = Field(default=4.0, gt=0)
    half_sent: bool = False
    rectified: bool = True
    line_clear: float = Field(default=0.000123999998323, ge=0)
    line_readout: float = Field(default=0.00234999996610, ge=0)

    @model_validator(mode="after")
    def _dates_have_a_zone(self) -> SimulationConfig:
        if self.start.tzinfo is None:
            raise ValueError("start needs a time zone; write it with tzinfo=UTC")
        return self

    @model_validator(mode="after")
    def _a_line_holds_the_report(self) -> SimulationConfig:
        if self.kind == "s4" and self.pixels <= self.summed:
            raise ValueError(f"a report of {self.summed} exposures needs lines of more pixels: raise size")
        return self

    @property
    def binning(self) -> int:
        """CCD pixels along an axis of an image pixel."""
        return _BINNING[self.kind]

    @property
    def pixels(self) -> int:
        """Pixels along a side of the image."""
        return self.size or 2048 // self.binning

    @property
    def ccd_pixels(self) -> int:
        """CCD pixels along a side of the image."""
        return self.pixels * self.binning

    @property
    def summed(self) -> int:
        """Exposures in one image."""
        return self.exposures or (1 if self.kind == "n4" else _SUMS[self.detector])

    @property
    def exposure(self) -> float:
        """Seconds of one exposure, as the headers count them."""
        return _EXPOSURES[self.detector]

    @property
    def cadence(self) -> float:
        """Minutes from frame to frame."""
        return self.cadence_minutes or _CADENCES[self.detector]

    @property
    def rolled(self) -> bool:
        """Whether STEREO-A flew rolled by 180° at the time."""
        return self.spacecraft == "A" and ROLLED_FROM <= self.start < ROLLED_UNTIL

    @property
    def turned(self) -> bool:
        """Whether north comes up by turning the image as read out."""
        return self.spacecraft == "B" or self.rolled

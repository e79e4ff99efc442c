"""What can be chosen of a simulated cycle, and what is assumed of the spectrograph.

Cited: spacing of the comb, resolving power, wavelengths of lines at rest (see `facts`, `lines`). Assumed:
pixels of 3 mÅ, photons, drifts, the comb's envelope, offset frequency, depths and widths of lines.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

#: Said in every header.
ASSUMED: Final = "pixels of 3 mA, photons, drifts, the comb's envelope and offset, depths and widths of lines"
#: Ångström: the first pixel's wavelength in vacuum by region in nm, so that known lines lie in it.
FIRST: Final = {617: 6171.9, 630: 6300.6}
PIXELS: Final = 2048
#: Å a pixel, and how much it changes to either end of the detector, in parts.
STEP: Final = 0.003
BEND: Final = (0.004, -0.0015)
#: Hz.
COMB_OFFSET: Final = 1.7e9
SATURATED: Final = 6.5e7
#: Depth and Gaussian width (Å) of lines, by their wavelengths at rest.
SHAPES: Final = {
    6173.3352: (0.62, 0.042),
    6301.5008: (0.70, 0.058),
    6302.4932: (0.64, 0.046),
}


class CycleConfig(BaseModel):
    """A cycle: a comb, the Sun, a comb.

    Attributes
    ----------
    start
        Begin of the Sun's exposure.
    region
        nm.
    mu, angle
        Cosine of the heliocentric angle, and degrees from the west limb through north; no pointing in the
        header where `mu` is `None`.
    velocity
        m/s, of everything on the Sun, away from us, beside rotation.
    core, bend
        m/s, of each line (by wavelength at rest): of its core, and how far its bisector bends from there to
        the continuum.
    drift, jerk
        m/s an hour, and more with the square of the hours, of the spectrograph.
    shift
        Of the true wavelengths from those of the header, in distances of two modes.
    photons
        In a pixel of the Sun's continuum; 0: without noise.
    comb_photons
        In a line of the comb.
    gap
        Seconds from the middle of a comb to the middle of the Sun's exposure.
    exposure
        s.
    sequence, cycle, seed
        Numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: datetime = datetime(2016, 10, 3, 10, 20, 0, tzinfo=UTC)
    region: Literal[617, 630] = 630
    mu: float | None = Field(default=1.0, gt=0.05, le=1.0)
    angle: float = 0.0
    velocity: float = 0.0
    core: dict[float, float] = Field(default_factory=dict)
    bend: dict[float, float] = Field(default_factory=dict)
    drift: float = 12.0
    jerk: float = 0.0
    shift: float = 0.08
    photons: float = 2.5e7
    comb_photons: float = 4e6
    gap: float = 40.0
    exposure: float = 20.0
    sequence: int = 1
    cycle: int = 1
    seed: int = 1

    def filename(self, phase: str) -> str:
        """Name of a file; begins with ``sim_``."""
        return f"sim_lars_{self.start:%Y%m%d}_{self.sequence:03d}_{self.cycle:04d}_{phase}.fits"

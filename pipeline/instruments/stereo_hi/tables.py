"""Calibration constants of the HI cameras, each with its source.

All numbers stand in science.md §1 ("Photometric calibration", "Diffuse
correction", "Pointing"), which took them from the mission's programs. The
photometric ones are due to Tappin et al., Solar Physics 2022
(10.1007/s11207-022-01966-x) for STEREO-A and 2017 (10.1007/s11207-017-1052-0)
for STEREO-B; the optical ones to the star fits of Brown, Bewsher & Eyles 2009.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

Camera = tuple[Literal["HI1", "HI2"], Literal["A", "B"]]
Unit = Literal["DN/s", "MSB", "S10"]

#: Stars of 10th magnitude per square degree in one mean solar brightness.
S10_PER_MSB: Final = 2.223e15
#: How FITS says these units (standard 4.0, section 4.3): neither MSB nor S10 is among its units, and S10 is
#: read as siemens to the tenth power. Brightness relative to the mean solar disk is a pure number, and S10
#: counts stars per square degree; BTYPE and BNAME say of what the numbers are (SOLARNET, section 5.1).
BUNITS: Final[dict[Unit, str]] = {"DN/s": "DN/s", "MSB": "", "S10": "deg-2"}
#: What the numbers are: a UCD 1+, and words.
MEANINGS: Final[dict[Unit, tuple[str, str]]] = {
    "DN/s": ("phot.count;em.opt", "Count rate of one CCD pixel, mean over a pixel (DN/s)"),
    "MSB": ("phot.radiance;arith.ratio;em.opt", "Brightness over that of the mean solar disk (MSB)"),
    "S10": ("phot.radiance;em.opt", "Solar-type stars of 10th magnitude per square degree (S10)"),
}
#: What a level-1 image may be in: products of ours, and those of the mission with its own names.
LEVEL_1_UNITS: Final = (*BUNITS.values(), "MSB", "S10")
#: Side of a CCD pixel, mm, and pixels along a side of the CCD.
PIXEL_MM: Final = 0.0135
CCD_SIZE: Final = 2048
_YEAR_DAYS: Final = 365.25


@dataclass(frozen=True)
class Optics:
    """Distortion parameter μ and paraxial plate scale of a camera, as fitted to stars."""

    mu: float
    arcsec_per_pixel: float


@dataclass(frozen=True)
class Mounting:
    """How a camera sits on its spacecraft, degrees, with μ and field of view of its AZP projection."""

    pitch: float
    offset: float
    roll: float
    mu: float
    field: float

    def degrees_per_pixel(self, pixels: int) -> float:
        """Plate scale at the optical axis of an image of `pixels` pixels across the field (§1, "AZP")."""
        edge = math.radians(90.0 - self.field / 2.0)
        focal_pixels = pixels / 2.0 * (math.sin(edge) + self.mu) / ((1.0 + self.mu) * math.cos(edge))
        return math.degrees(1.0 / focal_pixels)


#: "Diffuse correction": used where no star fit stands behind the header's own values.
OPTICS: Final[dict[Camera, Optics]] = {
    ("HI1", "A"): Optics(0.102422, 35.96382),
    ("HI1", "B"): Optics(0.095092, 35.89977),
    ("HI2", "A"): Optics(0.785486, 130.03175),
    ("HI2", "B"): Optics(0.68886, 129.80319),
}

#: "Pointing", hi_calib_point.
MOUNTINGS: Final[dict[Camera, Mounting]] = {
    ("HI1", "A"): Mounting(0.1159, -14.0037, 1.0215, 0.102422, 20.27528),
    ("HI1", "B"): Mounting(0.022, 14.10, 0.37, 0.09509, 20.23791),
    ("HI2", "A"): Mounting(0.0662, -53.4075, 0.1175, 0.785486, 70.73507),
    ("HI2", "B"): Mounting(0.213, 53.690, -0.052, 0.68886, 70.20152),
}


def brightness_per_rate(camera: Camera, unit: Unit, date: datetime) -> float:
    """Brightness that one DN/s in one CCD pixel stands for.

    Parameters
    ----------
    camera
        Detector and spacecraft.
    unit
        ``DN/s`` gives 1.
    date
        Middle of the exposure, UTC; the optics lose sensitivity with the years.

    Returns
    -------
    float
        MSB or S10 per DN/s.
    """
    if unit == "DN/s":
        return 1.0
    if camera == ("HI1", "A"):
        years = max(_years(date, 2011, 6, 27), 0.0)
        return 3.453e-13 + 5.914e-16 * years if unit == "MSB" else 763.2 + 1.315 * years
    if camera == ("HI1", "B"):
        # The published S10 value (790.0) has no time dependence of its own; the one in MSB is converted.
        msb = 3.55e-13 / (1.0 - 0.001503 * _years(date, 2007, 1, 1))
        return msb if unit == "MSB" else msb * S10_PER_MSB
    if camera == ("HI2", "A"):
        years = _years(date, 2015, 1, 1)
        if years < 0:
            return 4.476e-14 + 5.511e-17 * years if unit == "MSB" else 99.5 + 0.1225 * years
        return 4.512e-14 + 7.107e-17 * years if unit == "MSB" else 100.3 + 0.158 * years
    years = _years(date, 2000, 12, 31)
    return 4.293e-14 + 3.014e-17 * years if unit == "MSB" else 95.424 + 0.067 * years


def _years(date: datetime, year: int, month: int, day: int) -> float:
    return (date - datetime(year, month, day, tzinfo=UTC)).total_seconds() / (86400.0 * _YEAR_DAYS)

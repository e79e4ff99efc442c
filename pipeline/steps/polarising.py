"""What steps share that make polarised brightness of three images of a coronagraph, whoever took them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from astropy.io import fits
from pydantic import Field

from pipeline.frame import Frame
from pipeline.kernels.triplet import ANGLES, F32, AlongLimb, Stokes, along_limb, noise, stokes
from pipeline.quality import UNUSABLE, flagged
from pipeline.step import Params
from pipeline.uncertainty import approximate

#: How these steps carry the uncertainty.
CARRIED: Final = approximate(
    "that of three independent images in the direction taken; the polariser's zero (POLZERR) is left out"
)
_TOO_LARGE: Final = "which noise makes too large where it is faint"


class PolarisationParams(Params):
    """Which part of a polarisation is the polarised brightness.

    Attributes
    ----------
    part
        "limb": what lies along the limb, as light that electrons scatter does, less what lies across it, also
        below zero, by noise. "length": √(Q² + U²) in all directions, which noise makes too large.
    significance
        [sigma] How clearly polarisation has to lie along the limb for that part alone to be taken.
    """

    part: Literal["limb", "length"] = "limb"
    significance: float = Field(default=10.0, ge=3)


@dataclass(frozen=True)
class Polarisation:
    """What three images say.

    Attributes
    ----------
    light
        Total brightness, Q and U.
    limb
        Where polarisation lies along the limb.
    along
        Whether `polarised` is that part; else it is the length.
    polarised, degree
        Polarised brightness, and that over the total; degree is NaN where there is no light.
    uncertainty
        Standard deviation of `polarised`; `None` where the images have none.
    quality
        Every flag of one of the images.
    caveat
        What is to be said where it is the length; empty else.
    """

    light: Stokes
    limb: AlongLimb
    along: bool
    polarised: F32
    degree: F32
    uncertainty: F32 | None
    quality: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]
    caveat: str

    def stamp(self, header: fits.Header) -> None:
        """Write into a product's header how its polarised brightness was made."""
        header["POLALONG"] = (self.along, "the part along the limb; else its length")
        header["POLSIGMA"] = (self.limb.significance, "how clearly it lies along the limb")
        if self.along:
            header["POLZERO"] = (self.limb.zero, "[deg] polariser's zero from north, found")
            header["POLZERR"] = (self.limb.zero_error, "[deg] its standard deviation, of noise alone")

    def warned(self, frame: Frame) -> Frame:
        """The frame with the caveat of a length."""
        return frame.with_caveat(self.caveat, mode="LENGTH") if self.caveat else frame


def polarisation(frames: Sequence[Frame], params: PolarisationParams) -> Polarisation:
    """Total and polarised brightness of images behind polarisers at -60, 0 and 60 degrees, in this order.

    The Sun's centre and north are those of the first header (CRPIXj, CROTA2).
    """
    first = frames[0]
    light = stokes(*(frame.data for frame in frames))
    quality = np.bitwise_or.reduce([frame.quality for frame in frames])
    y, x = np.ogrid[: first.data.shape[0], : first.data.shape[1]]
    i, j = (at + 1.0 - first.keyword(f"CRPIX{axis}", float) for axis, at in ((1, x), (2, y)))
    roll = math.radians(first.keyword("CROTA2", float, default=0.0))
    west, north = (
        i * math.cos(roll) - j * math.sin(roll),
        i * math.sin(roll) + j * math.cos(roll),
    )
    limb = along_limb(light, west, north, ~flagged(quality, UNUSABLE))
    clear = limb.significance >= params.significance
    along = clear and params.part == "limb"
    polarised = limb.polarised if along else light.polarised
    with np.errstate(divide="ignore", invalid="ignore"):
        degree = np.where(light.total > 0, polarised / light.total, np.float32(np.nan))
    caveat = ""
    if not clear and params.part == "limb":
        caveat = (
            "polarised_brightness: polarisation does not lie along the limb "
            f"({limb.significance:.1f} sigma): its length was taken, {_TOO_LARGE}"
        )
    elif not along:
        caveat = f"polarised_brightness: the length of the polarisation was asked for, {_TOO_LARGE}"
    uncertainty = _uncertainty(frames, light, limb if along else None)
    return Polarisation(light, limb, along, polarised, degree, uncertainty, quality, caveat)


def _uncertainty(frames: Sequence[Frame], light: Stokes, limb: AlongLimb | None) -> F32 | None:
    """Of the part along the limb, else of the length; `None` where an image has none."""
    sigmas = [frame.uncertainty for frame in frames if frame.uncertainty is not None]
    if len(sigmas) < len(ANGLES):
        return None
    if limb is not None:
        return noise(sigmas, limb.cosine, limb.sine)
    doubled = np.arctan2(light.u, light.q)
    return noise(sigmas, np.cos(doubled), np.sin(doubled))


def together(by_angle: Sequence[Frame]) -> fits.Header:
    """The header of what is made of three images: exposed for all three, which it names."""
    header = by_angle[0].header.copy()
    # XPOSURE is that of one image; it is told anew, of EXPTIME.
    header.remove("XPOSURE", ignore_missing=True)
    header["EXPTIME"] = (sum(frame.keyword("EXPTIME", float) for frame in by_angle), "[s] of all three")
    for number, (frame, angle) in enumerate(zip(by_angle, ANGLES, strict=True), start=1):
        header[f"POLFIL{number}"] = (
            str(frame.header.get("FILENAME", frame.source)),
            f"at {angle:g} deg",
        )
    return header

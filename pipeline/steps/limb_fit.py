"""Limb fit: the Sun's centre, radius and plate scale from the limb in the image."""

from __future__ import annotations

import math
from typing import Final

from astropy.io import fits
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.limb import Limb, find_limb
from pipeline.step import Params, References, step
from pipeline.uncertainty import KEPT

#: Share of the sectors below which the limb counts as cut off or covered for the most part.
_MOSTLY: Final = 0.6
#: Flattening of the limb that is worth a sentence, as a part of the radius.
_ROUND: Final = 2e-3


class LimbFitParams(Params):
    """Parameters of the limb fit.

    Attributes
    ----------
    sectors
        Profiles across the limb.
    least_share
        [1] Share of the sectors in which the limb has to be found; with less the frame is put aside.
    tolerance
        [1] By which part of itself the radius may differ from RSUN_OBS / CDELT1 of the header; null: any
        radius from a tenth of the image's shorter side on.
    scale
        `from limb`: the plate scale becomes RSUN_OBS over the radius; `as it is`: it stays.
    height_arcsec
        [arcsec] By which the limb in this light stands above that of RSUN_OBS.
    """

    sectors: int = Field(default=720, ge=36, le=7200)
    least_share: float = Field(default=0.2, gt=0, le=1)
    tolerance: float | None = Field(default=0.05, gt=0, lt=1)
    scale: str = Field(default="from limb", pattern="^(from limb|as it is)$")
    height_arcsec: float = Field(default=0.0, ge=-20, le=60)


@step(
    "limb_fit",
    version=1,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    memory_factor=1.5,
    libraries=("numpy", "numba"),
    uncertainty=KEPT,
)
def limb_fit(frame: Frame, params: LimbFitParams, references: References) -> Frame:
    """Put the reference point of the coordinates on the Sun's centre, and say how large the disk is.

    The radius, R_SUN, is where the limb as it was taken falls most steeply (`pipeline.kernels.limb`).

    Raises
    ------
    BadInput
        When there is no disk, too little of its limb, or one that is not as large as the header has it.
    """
    expected = _expected(frame) if params.tolerance is not None else None
    radii = None
    if expected is not None and params.tolerance is not None:
        radii = (expected * (1 - params.tolerance), expected * (1 + params.tolerance))
    limb = find_limb(frame.data, radii=radii, sectors=params.sectors)
    if limb is None or limb.points < params.least_share * params.sectors:
        raise BadInput(
            "the limb of the Sun was not found in the image",
            file=frame.source,
            keyword="CDELT1, RSUN_OBS",
            found=_found(limb, expected),
            advice="leave the frame out (clouds, off-pointing), or set the step's tolerance to null if the "
            "header's scale is wrong",
        )
    return _told(frame.replace(header=_header(frame, limb, params)), limb)


def _found(limb: Limb | None, expected: float | None) -> str:
    size = f" with a radius of about {expected:.1f} pixels" if expected else ""
    if limb is None:
        return f"no circle of edges{size}"
    return f"a limb{size} in {limb.points} of {limb.sectors} sectors"


def _expected(frame: Frame) -> float | None:
    """The radius in pixels that the header implies; `None` where it does not."""
    radius = frame.keyword("RSUN_OBS", float, default=0.0)
    scale = abs(frame.keyword("CDELT1", float, default=0.0))
    return radius / scale if radius > 0 and scale > 0 else None


def _header(frame: Frame, limb: Limb, params: LimbFitParams) -> fits.Header:
    header = frame.header.copy()
    x, y, radius = limb.circle
    for axis, place in ((1, x), (2, y)):
        header[f"CRPIX{axis}"] = (place + 1.0, "[pixel] centre of the Sun, by the limb")
        header[f"CRVAL{axis}"] = (0.0, "[arcsec]")
        header.setdefault(f"CTYPE{axis}", ("HPLN-TAN", "HPLT-TAN")[axis - 1])
        header.setdefault(f"CUNIT{axis}", "arcsec")
    if params.scale == "from limb":
        scale = (frame.keyword("RSUN_OBS", float) + params.height_arcsec) / radius
        for axis in (1, 2):
            sign = math.copysign(1.0, frame.keyword(f"CDELT{axis}", float, default=1.0))
            header[f"CDELT{axis}"] = (sign * scale, "[arcsec/pixel] RSUN_OBS over R_SUN")
    header["R_SUN"] = (radius, "[pixel] radius: steepest fall of the limb")
    header["R_ERROR"] = (0.7 * limb.error, "[pixel] one standard deviation of R_SUN")
    header["LIMBERR"] = (limb.error, "[pixel] one standard deviation of CRPIXn")
    header["LIMBRMS"] = (limb.scatter, "[pixel] of limb points about the circle")
    header["LIMBFLAT"] = (limb.flattening, "[pixel] longest less shortest diameter")
    header["LIMBSHAR"] = (limb.points / limb.sectors, "share of the limb that was used")
    return header


def _told(frame: Frame, limb: Limb) -> Frame:
    share = limb.points / limb.sectors
    if share < _MOSTLY:
        frame = frame.with_caveat(
            f"limb_fit: only {share:.0%} of the limb is in the image or free of clouds", mode="PARTIAL-LIMB"
        )
    if limb.flattening > _ROUND * limb.circle.radius:
        frame = frame.with_caveat(
            f"limb_fit: the disk is out of round by {limb.flattening:.2f} pixels (refraction low above the "
            "horizon?); a circle was fitted"
        )
    return frame

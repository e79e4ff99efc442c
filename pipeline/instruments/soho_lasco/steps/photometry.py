"""Steps 6 to 8: mean solar brightness, vignetting, stray light (science.md §2)."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import facts, tables
from pipeline.instruments.soho_lasco.calibration_file import fitted, told
from pipeline.kernels.masks import times
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step

#: What the inverse vignetting of C2 is kept within (c2_calibrate.pro).
_MOST: Final = 100.0


class FactorParams(Params):
    """`calibration_factor` has nothing to choose."""


class VignettingParams(Params):
    """`vignetting` has nothing to choose."""


class StrayLightParams(Params):
    """`stray_light` has nothing to choose."""


@step(
    "calibration_factor",
    version=1,
    prstep="RADIOMETRIC-CALIBRATION",
    instrument="soho_lasco",
    takes=("DN/s",),
    gives="MSB",
    memory_factor=3.0,
)
def calibration_factor(frame: Frame, params: FactorParams, references: References) -> Frame:
    """Multiply by the factor of camera, colour, polariser and day, divided by the pixels that were added up.

    c2_calfactor.pro 1.9 and c3_calfactor.pro 1.17; absolute values hold within 10 to 15 %.
    """
    camera = facts.detector(frame)
    colour, polariser = facts.colour(frame), facts.polariser(frame)
    day = facts.day(frame.header)
    per_pixel = tables.calibration_factor(camera, colour, polariser, day)
    if per_pixel is None:
        raise BadInput(
            f"the mission has no calibration factor for this filter and polariser of {camera}",
            file=frame.source,
            keyword="FILTER, POLAR",
            found=f"{frame.header.get('FILTER')}, {frame.header.get('POLAR')}",
            advice="leave the file out, or correct the header",
        )
    factor = per_pixel / facts.readout(frame).summed
    header = frame.header.copy()
    facts.history(header, f"calibration_factor ({camera.lower()}_calfactor.pro): {factor:.5e}")
    header["CALFAC"] = (factor, "[MSB/(DN/s)] of a pixel of this image")
    header["BTYPE"] = ("phot.radiance;arith.ratio;em.opt", "UCD 1+ of the values")
    header["BNAME"] = "Brightness over that of the mean solar disk (MSB)"
    made = frame.replace(data=frame.data * np.float32(factor), header=header)
    if (camera, colour) in tables.DOUBTED:
        made = made.with_caveat(f"the mission's source calls the factor of {camera} {colour} wrong")
    if polariser in ("H_ALPHA", "HALPHA") and (camera, colour) == ("C3", "CLEAR"):
        made = made.with_caveat("the mission's program has another scale for H-alpha behind the clear filter")
    return made


@step(
    "vignetting",
    version=1,
    prstep="FLATFIELDING",
    instrument="soho_lasco",
    takes=("MSB",),
    memory_factor=5.0,
    needs=(
        ReferenceNeed(
            "vignetting",
            "the inverse vignetting of the camera from the mission's calibration folder: c2vig_final.fts, "
            "c3vig_preint_final.fts (before July 1998), c3vig_postint_final.fts",
            unity_allowed=True,
        ),
    ),
)
def vignetting(frame: Frame, params: VignettingParams, references: References) -> Frame:
    """Multiply by the inverse vignetting, averaged like the image; that of C2 is kept within 0 and 100."""
    if "vignetting" not in references:
        return frame
    values, image = fitted(references["vignetting"], frame)
    # Where nothing is let through there is nothing to be brought back.
    limits = {"least": 0.0, "most": _MOST} if facts.detector(frame) == "C2" else {}
    data, quality = times(frame.data, frame.quality, values, Quality.OUTSIDE_FIELD, **limits)
    return told(
        frame.replace(data=data, quality=quality), references["vignetting"], simulated=image.simulated
    )


@step(
    "stray_light",
    version=1,
    prstep="SUBTRACTION",
    instrument="soho_lasco",
    takes=("MSB",),
    memory_factor=4.0,
    needs=(
        ReferenceNeed(
            "ramp",
            "C3ramp.fts of the mission's calibration folder: stray light of C3 Clear in MSB",
            optional=True,
        ),
    ),
)
def stray_light(frame: Frame, params: StrayLightParams, references: References) -> Frame:
    """Subtract the ramp of stray light from C3 Clear images; it has not gone through the vignetting."""
    is_clear = facts.detector(frame) == "C3" and facts.colour(frame) == "CLEAR"
    if not is_clear or facts.polariser(frame) in tables.DERIVED:
        return frame
    if "ramp" not in references:
        return frame.with_caveat(
            "the stray light of C3 is still in the values: no ramp was at hand", mode="NO-STRAY-LIGHT-MODEL"
        )
    values, image = fitted(references["ramp"], frame)
    return told(frame.replace(data=frame.data - values), references["ramp"], simulated=image.simulated)

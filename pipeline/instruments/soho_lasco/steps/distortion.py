"""Steps 9 and 10: distortion of the optics, and what occulter and pylon hide (kis_lasco.md §1.5, §1.8)."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import facts, optics, tables
from pipeline.instruments.soho_lasco.calibration_file import fitted, told
from pipeline.instruments.soho_lasco.centres import read_optical_centres
from pipeline.kernels.masks import hide
from pipeline.kernels.mesh import take
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step


class DistortionParams(Params):
    """`distortion` has nothing to choose."""


class MaskParams(Params):
    """What `mask` leaves where the optics hide the sky.

    Attributes
    ----------
    hidden
        [unit of the image] Value of hidden pixels; null: NaN. The mission's own level 1 has 0. They are
        flagged either way.
    """

    hidden: float | None = None


@step(
    "distortion",
    version=1,
    prstep="SPATIAL-DISTORTION-CORRECTION",
    instrument="soho_lasco",
    memory_factor=5.0,
    libraries=("numpy", "numba"),
    needs=(
        ReferenceNeed(
            "optical_centre",
            "occulter_center.dat (C2) or c3_occltr_cntr.dat (C3) of SolarSoft, soho/lasco/idl/convert",
            optional=True,
        ),
    ),
)
def distortion(frame: Frame, params: DistortionParams, references: References) -> Frame:
    """Take the radial distortion off: control points every 32 CCD pixels, linear between (c2_warp, c3_warp).

    About the centre of the optics that the mission's list has for the day and filter, else the programs'
    default. A pixel made of one without a value has none.
    """
    readout = facts.readout(frame)
    centre, frame = _centre(frame, references)
    data, quality = take(frame.data, frame.quality, optics.places(readout, centre))
    header = frame.header.copy()
    header["OCCXCEN"] = (centre[0], "[pixel] centre of the optics on the CCD, from 0")
    header["OCCYCEN"] = (centre[1], "[pixel] the same along rows")
    facts.history(
        header, f"distortion ({readout.detector.lower()}_warp.pro) about {centre[0]:.3f}, {centre[1]:.3f}"
    )
    return frame.replace(data=data, quality=quality, header=header)


def _centre(frame: Frame, references: References) -> tuple[tuple[float, float], Frame]:
    detector = facts.detector(frame)
    moment = facts.begin_of(frame.header)
    if "optical_centre" in references and moment is not None:
        found = references["optical_centre"].load(read_optical_centres)
        centre = found.of(detector, facts.colour(frame), moment)
        if centre is not None:
            return centre, told(frame, references["optical_centre"], simulated=found.simulated)
    return tables.OPTICAL_CENTRE[detector], frame


@step(
    "mask",
    version=1,
    prstep="THRESHOLDING",
    instrument="soho_lasco",
    memory_factor=4.0,
    needs=(
        ReferenceNeed(
            "mask",
            "c3_cl_mask_lvl1.fts of the mission's calibration folder: 1 where C3 sees the sky, 0 behind the "
            "occulter, its pylon and in the corners; the mission has none for C2",
            optional=True,
        ),
    ),
)
def mask(frame: Frame, params: MaskParams, references: References) -> Frame:
    """Leave out what the optics hide: occulter, pylon, corners; pixels that are hidden in part go as well."""
    value = np.nan if params.hidden is None else params.hidden
    if "mask" in references:
        seen, image = fitted(references["mask"], frame)
        data, quality = hide(frame.data, frame.quality, seen, Quality.OUTSIDE_FIELD, value)
        return told(frame.replace(data=data, quality=quality), references["mask"], simulated=image.simulated)
    if facts.detector(frame) == "C3":
        frame = frame.with_caveat(
            "what the occulter and its pylon hide was not left out: no mask was at hand", mode="NO-MASK"
        )
    nothing = np.isnan(frame.data)
    return frame.replace(data=np.where(nothing, np.float32(value), frame.data)) if nothing.any() else frame

"""Level 1 marks abnormal pixels; level 1.2 puts the neighbourhood's value in their place."""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.calibration_file import level_1_channel, told
from pipeline.kernels.cosmics import find_cosmics
from pipeline.kernels.fill import fill_gaps
from pipeline.quality import Quality, flagged
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import approximate

_ABNORMAL: Final = Quality.HOT | Quality.DEAD | Quality.COSMIC_RAY
_ELSEWHERE: Final = Quality.MISSING | Quality.OUTSIDE_FIELD


class CosmicParams(Params):
    """Parameters of the search for cosmic rays.

    Attributes
    ----------
    sigma
        [sigma] By how many standard deviations of its noise a hit pixel stands out.
    around
        [sigma] The same for neighbours of hit pixels.
    sharpness
        [1] Part of its height that a hit pixel has over two opposite neighbours; behind optics that blur a
        point over two pixels and more nothing is that sharp.
    """

    sigma: float = Field(default=6.0, ge=3)
    around: float = Field(default=4.0, ge=2)
    sharpness: float = Field(default=0.8, gt=0.5, lt=1)


class CorrectParams(Params):
    """`correct_abnormal` has nothing to choose."""


@step(
    "mark_cosmics",
    version=1,
    prstep="DESPIKING",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=2.5,
    libraries=("numpy", "numba"),
    needs=(ReferenceNeed("camera", "gains, read-out noise and largest numbers of the telescope's channels"),),
)
def mark_cosmics(frame: Frame, params: CosmicParams, references: References) -> Frame:
    """Flag cosmic rays; their values stay."""
    camera = level_1_channel(references["camera"], frame)
    hit = find_cosmics(
        frame.data,
        flagged(frame.quality, Quality.HOT | Quality.DEAD | Quality.SATURATED | _ELSEWHERE),
        electrons=camera.electrons,
        read_noise=camera.read_noise,
        sigma=params.sigma,
        around=params.around,
        sharpness=params.sharpness,
    )
    quality = frame.quality | np.where(hit, np.uint16(Quality.COSMIC_RAY), np.uint16(0))
    header = frame.header.copy()
    header["NCOSMIC"] = (int(hit.sum()), "pixels hit by cosmic rays")
    return told(frame.replace(quality=quality, header=header), references["camera"])


@step(
    "correct_abnormal",
    version=1,
    prstep="PIXEL-FILLING",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=3.5,
    libraries=("numpy", "numba"),
    uncertainty=approximate("that of the image; that of a corrected pixel is that of its wrong value"),
)
def correct_abnormal(frame: Frame, params: CorrectParams, references: References) -> Frame:
    """Put the mean of their neighbours in the place of hot and dead pixels and cosmic rays, flagged as such.

    What never arrived, or lies outside the field, stays without a value.
    """
    wrong = flagged(frame.quality, _ABNORMAL)
    none = ~np.isfinite(frame.data)
    if not wrong.any() or (wrong | none).all():
        return frame
    filled = fill_gaps(frame.data, wrong | none)
    kept = none & flagged(frame.quality, _ELSEWHERE)
    filled[kept] = np.nan
    flags = np.where((wrong | none) & ~kept, np.uint16(Quality.INTERPOLATED), np.uint16(0))
    header = frame.header.copy()
    header["NCORRECT"] = (int(((wrong | none) & ~kept).sum()), "abnormal pixels that were corrected")
    return frame.replace(data=filled, quality=frame.quality | flags, header=header)

"""Level 1: what an image of the disk is not, said in its header."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import facts
from pipeline.instruments.aso_s_lst.judging import light_of, stripes_of
from pipeline.quality import Quality
from pipeline.step import Params, References, step
from pipeline.uncertainty import KEPT


class JudgeParams(Params):
    """Parameters of the judgement.

    Attributes
    ----------
    limb
        [1] Brightness near the limb over that in the middle below which Lyman alpha looks like visible light.
    clearness
        [1] Power of a wave over that of other directions from which on it counts as stripes.
    """

    limb: float = Field(default=0.8, gt=0)
    clearness: float = Field(default=3.2, gt=1)


@step(
    "judge_disk",
    version=1,
    prstep="CALIBRATION",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=2.0,
    libraries=("numpy", "numba", "scipy"),
    uncertainty=KEPT,
)
def judge_disk(frame: Frame, params: JudgeParams, references: References) -> Frame:
    """Flag images of SDI that the Earth's air took the Lyman alpha of, and stripes of contamination.

    An image that looks like visible light is of `LOW_CONFIDENCE` as a whole; stripes are told in the header.
    Where the header's place shows no disk neither is told, and a caveat says so.
    """
    telescope = facts.telescope(frame)
    if not facts.OPTICS[telescope].disk:
        return frame
    disk = facts.disk(frame)
    found = stripes_of(frame.data, disk)
    light = light_of(frame.data, disk) if telescope == "SDI" else None
    if math.isnan(found.clearness) or (light and math.isnan(light.limb)):
        return frame.with_caveat(
            "judge_disk: no disk is seen where the header has it (CRPIX1, CRPIX2, RSUN_OBS); neither eclipse "
            "nor stripes were looked for",
            mode="NO-DISK",
        )
    header = frame.header.copy()
    quality = frame.quality
    caveats: list[tuple[str, str]] = []
    if light:
        eclipsed = bool(light.limb < params.limb)
        header["EARTHECL"] = (eclipsed, "looks like visible light: Earth eclipse")
        header["LIMBRATI"] = (light.limb, "brightness near the limb over the middle")
        header["CONTRAST"] = (light.contrast, "of structures, one standard deviation")
        if eclipsed:
            quality = quality | np.uint16(Quality.LOW_CONFIDENCE)
            why = "around the Earth's eclipse its air takes the Lyman alpha"
            seen = f"the image looks like visible light (limb {light.limb:.2f} of the middle)"
            caveats.append((f"{seen}: {why}", "EARTH-ECLIPSE"))
    striped = found.clearness >= params.clearness
    header["STRIPED"] = (bool(striped), "stripes of contamination")
    header["STRIPCLR"] = (found.clearness, "power of the strongest wave over others")
    if striped:
        header["STRIPAMP"] = (found.amplitude, "amplitude over the brightness")
        header["STRIPPER"] = (found.period, "[pixel] period")
        header["STRIPANG"] = (found.angle, "[deg] direction from the rows")
        caveats.append(
            (
                f"stripes of {found.amplitude:.2%} run through the image, {found.period:.1f} pixels apart",
                "STRIPED",
            )
        )
    made = frame.replace(header=header, quality=quality)
    for sentence, mode in caveats:
        made = made.with_caveat(sentence, mode=mode)
    return made

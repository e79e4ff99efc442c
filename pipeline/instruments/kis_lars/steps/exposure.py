"""Step 1, of every exposure: what is saturated or has no value."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Frame
from pipeline.quality import Quality
from pipeline.step import Params, References, step


class FlagParams(Params):
    """What counts as saturated.

    Attributes
    ----------
    saturated
        [DN] Values from here on are saturated where the header has no SATLEVEL.
    """

    saturated: float = 65535.0


@step(
    "flag_exposure",
    version=1,
    prstep="CALIBRATION",
    instrument="kis_lars",
    takes=("DN",),
    dims=("wavelength",),
    memory_factor=3.0,
)
def flag_exposure(frame: Frame, params: FlagParams, references: References) -> Frame:
    """Flag pixels that are saturated, and those without a value."""
    level = frame.keyword("SATLEVEL", float, default=params.saturated)
    quality = frame.quality.copy()
    quality[~np.isfinite(frame.data)] |= np.uint16(Quality.MISSING)
    quality[frame.data >= np.float32(level)] |= np.uint16(Quality.SATURATED)
    return frame.replace(quality=quality)

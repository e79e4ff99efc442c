"""Saturated pixels, flagged while the counts are those of the camera."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.levels import require_unregistered
from pipeline.quality import Quality
from pipeline.step import Params, References, step
from pipeline.uncertainty import KEPT


class FlagSaturationParams(Params):
    """What counts as saturated.

    Attributes
    ----------
    limit_dn
        [DN] Counts of level 1 from which a pixel is taken for saturated. The
        camera's numbers end at 16383; dark subtraction and flat field spread
        that, and saturated and bloomed pixels of level 1 lie about 16000
        (Schwartz, Torre & Piana 2014, ApJ 793, L23; Schwartz et al. 2015,
        arXiv:1503.02302). 15000 is what their program, DESAT of SolarSoft,
        takes for the limit.
    """

    limit_dn: float = Field(default=15000.0, gt=0.0)


@step(
    "flag_saturation",
    version=1,
    prstep="THRESHOLDING",
    instrument="sdo_aia",
    memory_factor=1.5,
    uncertainty=KEPT,
)
def flag_saturation(frame: Frame, params: FlagSaturationParams, references: References) -> Frame:
    """Flag pixels `SATURATED` whose counts are at the end of what the camera can tell.

    Their values stay: they are lower limits. Bloomed neighbours are as bright
    and are flagged with them.

    Raises
    ------
    BadInput
        When the frame is registered already: its pixels are interpolated.
    """
    require_unregistered(frame, "flag_saturation")
    saturated = frame.data >= np.float32(params.limit_dn)
    found = int(np.count_nonzero(saturated))
    counted = frame.keyword("NSATPIX", int, default=0)
    if found < counted and frame.data.size == frame.keyword("TOTVALS", int, default=0):
        frame = frame.with_caveat(
            f"flag_saturation: the header counts {counted} saturated pixels, {found} have "
            f"{params.limit_dn:g} DN or more",
            mode="COUNT-DIFFERS",
        )
    if not found:
        return frame
    quality = frame.quality.copy()
    quality[saturated] |= np.uint16(Quality.SATURATED)
    return frame.replace(quality=quality).with_caveat(
        f"flag_saturation: {found} pixels are saturated ({params.limit_dn:g} DN or more); their values are "
        "lower limits"
    )

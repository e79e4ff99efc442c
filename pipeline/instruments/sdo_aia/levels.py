"""What an AIA image is, and which steps may still be done to it."""

from __future__ import annotations

import re

from pipeline.errors import BadInput
from pipeline.frame import Frame


def require_unregistered(frame: Frame, step: str) -> float:
    """The level of a frame that is still on the detector's grid.

    Raises
    ------
    BadInput
        When the frame is at level 1.5 or higher: its pixels were interpolated,
        and what the step does belongs before that.
    """
    level = frame.keyword("LVL_NUM", float)
    if level >= 1.5:
        raise BadInput(
            f"the image is at level {level:g} already, its pixels are interpolated; {step} works on level 1",
            file=frame.source,
            keyword="LVL_NUM",
            found=level,
            advice="process the level-1 file instead",
        )
    return level


def require_sunlight(frame: Frame) -> Frame:
    """The frame, with a caveat where its archive marks it.

    IMG_TYPE is LIGHT or DARK, QUALITY the level-1 quality word, 0 where nothing is amiss (JSOC keywords).

    Raises
    ------
    BadInput
        When the frame is a dark or another calibration exposure.
    """
    kind = frame.keyword("IMG_TYPE", str, default="") or "LIGHT"
    if kind.upper() != "LIGHT":
        raise BadInput(
            "this is a calibration exposure, no image of the Sun",
            file=frame.source,
            keyword="IMG_TYPE",
            found=kind,
            advice="leave it out of this recipe; the lake keeps it at the level it has",
        )
    word = frame.keyword("QUALITY", str, default="0")
    if re.fullmatch(r"0x0+|0+\.?0*", word):
        return frame
    return frame.with_caveat(f"QUALITY is {word}, not 0: the archive says that something was amiss")

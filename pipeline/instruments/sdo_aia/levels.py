"""Which processing level an AIA image has, and which steps may still be done to it."""

from __future__ import annotations

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

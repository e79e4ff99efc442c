"""Step 5: what never reached the ground (science.md §1, "Missing blocks")."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Frame
from pipeline.quality import Quality, flagged
from pipeline.step import Params, References, step
from pipeline.uncertainty import exact


class MissingParams(Params):
    """What `missing_blocks` may do.

    Attributes
    ----------
    doubt_columns
        Flag the received pixels of columns with a lost block as of low
        confidence: what the lost part smeared onto them is only estimated.
    """

    doubt_columns: bool = True


@step(
    "missing_blocks",
    version=1,
    prstep="PIXEL-FILLING",
    instrument="stereo_hi",
    takes=("DN/s",),
    uncertainty=exact("NaN where the image is NaN"),
)
def missing_blocks(frame: Frame, params: MissingParams, references: References) -> Frame:
    """Make NaN of what `prepare` flagged as missing.

    It comes after the de-smearing because a NaN would spoil its whole column.
    """
    lost = flagged(frame.quality, Quality.MISSING)
    if not lost.any():
        return frame
    data, quality = frame.data.copy(), frame.quality.copy()
    data[lost] = np.nan
    if params.doubt_columns:
        quality[~lost & np.any(lost, axis=0, keepdims=True)] |= np.uint16(Quality.LOW_CONFIDENCE)
    return frame.replace(
        data=data, quality=quality, uncertainty=frame.uncertainty_times(np.where(lost, np.nan, 1.0))
    )

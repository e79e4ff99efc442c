"""Exposure normalisation: counts to counts per second."""

from __future__ import annotations

import numpy as np

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.step import Params, References, step
from pipeline.uncertainty import exact


class NormaliseExposureParams(Params):
    """Parameters of the exposure normalisation.

    Attributes
    ----------
    keyword
        Card with the exposure time in seconds.
    unit
        Unit of the result.
    """

    keyword: str = "EXPTIME"
    unit: str = "DN/s"


@step(
    "normalise_exposure",
    version=1,
    prstep="CALIBRATION",
    gives=lambda params: str(params.unit),
    memory_factor=2.5,
    dims=None,
    uncertainty=exact("divided by the exposure time, like the image"),
)
def normalise_exposure(frame: Frame, params: NormaliseExposureParams, references: References) -> Frame:
    """Divide by the exposure time, and say in XPOSURE which time that was.

    Raises
    ------
    BadInput
        When the exposure time is absent, not finite or not positive, or the
        image is per second already.
    """
    unit = str(frame.header.get("BUNIT", ""))
    if "/s" in unit.replace(" ", ""):
        raise BadInput(
            "the image is normalised to one second already",
            file=frame.source,
            keyword="BUNIT",
            found=unit,
            advice="switch normalise_exposure off in the recipe",
        )
    seconds = frame.keyword(params.keyword, float)
    if seconds <= 0:
        raise BadInput(
            "the exposure time is not positive, so there is no exposure to divide by",
            file=frame.source,
            keyword=params.keyword,
            found=seconds,
            advice=f"leave dark and failed exposures out of this chain, or correct {params.keyword}",
        )
    header = frame.header.copy()
    header["XPOSURE"] = (seconds, "[s] exposure time that was divided out")
    return frame.replace(
        data=frame.data / np.float32(seconds),
        header=header,
        uncertainty=frame.uncertainty_times(1.0 / seconds),
    )

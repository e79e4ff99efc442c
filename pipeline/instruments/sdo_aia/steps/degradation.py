"""Correction of the loss of sensitivity since launch."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.channels import UV, channel_of
from pipeline.instruments.sdo_aia.response_table import read_response_table
from pipeline.instruments.sdo_aia.times import observed_at
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import exact

_NEED: Final = "degradation_table"


class DegradationParams(Params):
    """Parameters of the degradation correction.

    Attributes
    ----------
    calibration_version
        VER_NUM of the lines to use; lines of other versions are not looked at.
    calibration_version_4500
        The same for the 4500 Å channel, which later versions leave out.
    """

    calibration_version: int = Field(default=10, ge=1)
    calibration_version_4500: int = Field(default=3, ge=1)


@step(
    "degradation",
    version=2,
    prstep="RADIOMETRIC-CALIBRATION",
    instrument="sdo_aia",
    needs=(
        ReferenceNeed(
            _NEED,
            "the response table of the instrument team (SolarSoft, aia_V*_response_table.txt)",
            unity_allowed=True,
        ),
    ),
    memory_factor=2.5,
    uncertainty=exact("divided by the sensitivity, like the image"),
)
def degradation(frame: Frame, params: DegradationParams, references: References) -> Frame:
    """Divide by the sensitivity relative to that at launch.

    A moment in the table's last epoch is later than anything that was measured
    for the table: the sensitivity is extrapolated, and a caveat says since when.

    Raises
    ------
    BadInput
        When the table has no lines of the chosen version for the frame's
        channel and time.
    """
    if _NEED not in references:  # unity was assumed, and the framework said so
        return frame
    if "DEGRFACT" in frame.header:
        raise BadInput(
            "the degradation of this image is corrected already",
            file=frame.source,
            keyword="DEGRFACT",
            found=frame.header["DEGRFACT"],
            advice="switch degradation off in the recipe",
        )
    channel = channel_of(frame)
    name = frame.keyword("WAVE_STR", str, default=f"{channel}" if channel in UV else f"{channel}_THIN")
    version = params.calibration_version_4500 if channel == 4500 else params.calibration_version
    table = references[_NEED].load(read_response_table)
    moment = observed_at(frame)
    factor = table.degradation(name, version, moment)
    if factor is None:
        known = ", ".join(map(str, table.versions(name)))
        raise BadInput(
            f"the response table has no line of calibration version {version} for {name} at {moment}",
            file=frame.source,
            keyword="WAVE_STR, T_OBS",
            found=f"{name}, {moment}; versions in the table for this channel: {known or 'none'}",
            advice="add the table of that version to the context, or change degradation.calibration_version",
        )
    if not (math.isfinite(factor) and factor > 0):
        raise BadInput(
            f"the response table gives {name} a sensitivity that is not positive",
            file=frame.source,
            keyword="EFF_AREA",
            found=factor,
            advice="check the table in the context",
        )
    header = frame.header.copy()
    header["DEGRFACT"] = (factor, "sensitivity relative to launch, divided out")
    header["DEGRVER"] = (version, "version of the degradation calibration")
    result = frame.replace(
        data=frame.data / np.float32(factor), header=header, uncertainty=frame.uncertainty_times(1.0 / factor)
    )
    last = table.last_epoch(name, version)
    if last is None or moment < last.start:
        return result
    return result.with_caveat(
        f"degradation: extrapolated; the last epoch of the table for {name} (version {version}) begins on "
        f"{str(last.start)[:10]}, and "
        + ("its sensitivity is taken as constant since" if not any(last.terms) else "its trend is prolonged"),
        mode="EXTRAPOLATED",
    )

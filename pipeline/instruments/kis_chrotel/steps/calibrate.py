"""Level 1: dark, flat, and which way north is."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel.calibration_file import fitting, read_response, told
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step


class DarkParams(Params):
    """Parameters of the dark correction.

    Attributes
    ----------
    saturated
        [DN] Raw value from which on a pixel is saturated.
    """

    saturated: float = Field(default=65535.0, gt=0)


class FlatParams(Params):
    """Parameters of the flat field.

    Attributes
    ----------
    dead
        [1] Response below which a pixel counts as dead.
    """

    dead: float = Field(default=0.2, ge=0, lt=1)


class PointingParams(Params):
    """`pointing` has nothing to choose."""


@step(
    "subtract_dark",
    version=1,
    prstep="DARK-SUBTRACTION",
    instrument="kis_chrotel",
    gives="DN",
    memory_factor=3.0,
    needs=(ReferenceNeed("dark", "a dark of the day with the filter's exposure time", optional=True),),
)
def subtract_dark(frame: Frame, params: DarkParams, references: References) -> Frame:
    """Subtract the dark of the day; saturated pixels are flagged first."""
    saturated = frame.data >= params.saturated
    if saturated.any():
        flags = np.where(saturated, np.uint16(Quality.SATURATED), np.uint16(0))
        frame = frame.replace(quality=frame.quality | flags)
    if "dark" not in references:
        return frame.with_caveat("no dark was at hand: it is still in the values", mode="NO-DARK")
    image = fitting(references["dark"], frame)
    made = frame.replace(data=frame.data - image.values)
    return told(made, references["dark"], "DARKFILE", simulated=image.simulated)


@step(
    "flat_field",
    version=1,
    prstep="FLATFIELDING",
    instrument="kis_chrotel",
    takes=("DN",),
    memory_factor=4.0,
    needs=(
        ReferenceNeed(
            "flat", "a flat of the filter, its own dark taken off; its median is made 1", unity_allowed=True
        ),
    ),
)
def flat_field(frame: Frame, params: FlatParams, references: References) -> Frame:
    """Divide by the flat over its median; pixels that hardly respond are flagged as dead, without a value."""
    if "flat" not in references:
        return frame
    image = fitting(references["flat"], frame, read_response)
    response = image.values
    dead = ~(response > np.float32(params.dead))
    with np.errstate(divide="ignore", invalid="ignore"):
        data = frame.data / response
    quality = frame.quality
    if dead.any():
        data[dead] = np.nan
        quality = quality | np.where(dead, np.uint16(Quality.DEAD), np.uint16(0))
    made = frame.replace(data=data, quality=quality)
    return told(made, references["flat"], "FLATFILE", simulated=image.simulated)


@step(
    "pointing",
    version=1,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    instrument="kis_chrotel",
    memory_factor=1.0,
)
def pointing(frame: Frame, params: PointingParams, references: References) -> Frame:
    """Which way solar north is: IMG_ROT plus ROT_OFFS of the filter, less SOLAR_P0.

    Solar north lies that many degrees to the left of the image's vertical. No document at hand says which way
    IMG_ROT counts; real files of level 1 have a matrix of their own, which stays.
    """
    header = frame.header.copy()
    if "PC1_1" in header and "CTYPE1" in header:
        return frame
    angle = math.radians(
        frame.keyword("IMG_ROT", float)
        + frame.keyword("ROT_OFFS", float, default=0.0)
        - frame.keyword("SOLAR_P0", float)
    )
    for axis in (1, 2):
        header[f"CTYPE{axis}"] = ("HPLN-TAN", "HPLT-TAN")[axis - 1]
        header[f"CUNIT{axis}"] = "arcsec"
        header.setdefault(f"CRVAL{axis}", 0.0)
    for name, value in (
        ("PC1_1", math.cos(angle)),
        ("PC1_2", math.sin(angle)),
        ("PC2_1", -math.sin(angle)),
        ("PC2_2", math.cos(angle)),
    ):
        header[name] = value
    return frame.replace(header=header)

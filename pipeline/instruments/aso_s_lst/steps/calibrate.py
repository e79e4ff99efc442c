"""Level 1: what was not measured, dark, flat, pixels that are known to be bad, stray light."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import calibration_file, facts
from pipeline.instruments.aso_s_lst.calibration_file import plane, told, unusable
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step

_KNOWN_BAD = np.uint16(Quality.HOT | Quality.DEAD)
#: Every so many pixels of a row and column tell what a whole plane is like.
_STRIDE: Final = 4
#: Part of itself by which a dark may lie above most of an image.
_TOO_DARK: Final = 0.1
#: Between which a flat lies whose median is 1, where it is bright: a quarter of its pixels are brighter.
_BRIGHT: Final = (0.5, 2.0)


class MarkParams(Params):
    """Parameters of the marking of raw values.

    Attributes
    ----------
    lost
        [DN] Raw value of pixels that never arrived.
    full
        [1] Part of the largest number from which on a pixel counts as saturated.
    """

    lost: float = 0.0
    full: float = Field(default=0.995, gt=0, le=1)


class DarkParams(Params):
    """`subtract_dark` has nothing to choose."""


class FlatParams(Params):
    """Parameters of the flat field.

    Attributes
    ----------
    dead
        [1] Response below which a pixel of a telescope of the disk counts as dead.
    field
        [1] Response below which a pixel of a coronagraph lies behind the occulter or beyond the field.
    """

    dead: float = Field(default=0.2, ge=0, lt=1)
    field: float = Field(default=0.5, ge=0, lt=1)


class BadParams(Params):
    """`mark_bad` has nothing to choose."""


class StrayParams(Params):
    """`stray_light` has nothing to choose."""


@step(
    "mark_raw",
    version=1,
    prstep="PIXEL-FILLING",
    instrument="aso_s_lst",
    memory_factor=2.5,
    needs=(ReferenceNeed("camera", "gains, read-out noise and largest numbers of the telescope's channels"),),
)
def mark_raw(frame: Frame, params: MarkParams, references: References) -> Frame:
    """Flag what is saturated and what never arrived; lost pixels have no value."""
    camera = calibration_file.channel(references["camera"], frame, facts.gain(frame.header))
    saturated = frame.data >= params.full * camera.top
    # No detector counts below zero: such numbers were taken for signed ones, or are none.
    lost = ~np.isfinite(frame.data) | (frame.data == params.lost) | (frame.data < 0)
    quality = frame.quality | np.where(saturated, np.uint16(Quality.SATURATED), np.uint16(0))
    quality |= np.where(lost, np.uint16(Quality.MISSING), np.uint16(0))
    data = np.where(lost, np.float32(np.nan), frame.data)
    made = frame.replace(data=data, quality=quality)
    made = told(made, references["camera"])
    if lost.any():
        made = made.with_caveat(f"{int(lost.sum())} pixels never arrived")
    return made


@step(
    "subtract_dark",
    version=1,
    prstep="DARK-SUBTRACTION",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=3.0,
    needs=(ReferenceNeed("dark", "bias, and dark a second, of telescope and gain", optional=True),),
)
def subtract_dark(frame: Frame, params: DarkParams, references: References) -> Frame:
    """Subtract bias and dark of the frame's gain: ``BIAS + RATE · EXPTIME``."""
    if "dark" not in references:
        return frame.with_caveat("no dark was at hand: it is still in the values", mode="NO-DARK")
    reference = references["dark"]
    seconds = np.float32(frame.keyword("EXPTIME", float))
    gain = facts.gain(frame.header)[: calibration_file.WORD]
    dark = plane(reference, frame, f"RATE{gain}") * seconds
    dark += plane(reference, frame, f"BIAS{gain}")
    left = frame.data - dark
    lacking, whole = _middle(left), _middle(dark)
    if lacking < -_TOO_DARK * abs(whole):
        found = f"its median is {whole:.6g}, the image's {lacking + whole:.6g}"
        raise unusable(reference, frame, f"BIAS{gain}, RATE{gain}", found)
    return told(frame.replace(data=left), reference)


def _middle(values: NDArray[np.float32]) -> float:
    """The median of a plane, as every fourth pixel of every fourth row tells it; 0 where none has a value."""
    some = values[::_STRIDE, ::_STRIDE]
    known = some[np.isfinite(some)]
    return float(np.median(known)) if known.size else 0.0


@step(
    "flat_field",
    version=1,
    prstep="FLATFIELDING",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=4.0,
    needs=(ReferenceNeed("flat", "response of the telescope's pixels, its median 1", unity_allowed=True),),
)
def flat_field(frame: Frame, params: FlatParams, references: References) -> Frame:
    """Divide by the flat; pixels that hardly respond have no value: dead, or behind the occulter.

    Raises
    ------
    BadInput
        When the flat is none, or not over its median: all that comes of it would be off by that factor.
    """
    if "flat" not in references:
        return frame
    reference = references["flat"]
    response = plane(reference, frame, "FLAT")
    bright = float(np.nanpercentile(response[::_STRIDE, ::_STRIDE], 75))
    if not _BRIGHT[0] < bright < _BRIGHT[1]:
        found = f"a quarter of it is above {bright:.6g}; over its median it is about 1"
        raise unusable(reference, frame, "FLAT", found)
    is_disk = facts.OPTICS[facts.telescope(frame)].disk
    blind = ~(response > np.float32(params.dead if is_disk else params.field))
    with np.errstate(divide="ignore", invalid="ignore"):
        data = frame.data / response
    quality = frame.quality
    if blind.any():
        data[blind] = np.nan
        why = Quality.DEAD if is_disk else Quality.OUTSIDE_FIELD
        quality = quality | np.where(blind, np.uint16(why), np.uint16(0))
    return told(frame.replace(data=data, quality=quality), reference)


@step(
    "mark_bad",
    version=1,
    prstep="PIXEL-FILLING",
    instrument="aso_s_lst",
    memory_factor=2.5,
    needs=(ReferenceNeed("bad_pixels", "hot and dead pixels of the telescope", optional=True),),
)
def mark_bad(frame: Frame, params: BadParams, references: References) -> Frame:
    """Flag pixels that are known to be hot or dead; their values stay, but for those without any.

    Raises
    ------
    BadInput
        When the list has numbers that are no flags of hot or dead pixels: it would mark nothing.
    """
    if "bad_pixels" not in references:
        return frame.with_caveat("no list of bad pixels was at hand: none is marked", mode="NO-BAD-PIXELS")
    reference = references["bad_pixels"]
    listed = plane(reference, frame, "BAD")
    known = np.nan_to_num(listed).astype(np.uint16) & _KNOWN_BAD
    strange = listed[(listed != 0) & (known == 0)]
    if strange.size:
        hot, dead = int(Quality.HOT), int(Quality.DEAD)
        found = f"{strange.flat[0]:g} at {strange.size} pixels; hot ones are {hot}, dead ones {dead}"
        raise unusable(reference, frame, "BAD", found)
    return told(frame.replace(quality=frame.quality | known), reference)


@step(
    "stray_light",
    version=1,
    prstep="SUBTRACTION",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=3.0,
    needs=(ReferenceNeed("stray_light", "stray light of SCIWL, DN/s of the low gain", optional=True),),
)
def stray_light(frame: Frame, params: StrayParams, references: References) -> Frame:
    """Subtract the stray light of SCIWL; frames of other telescopes have none to be known."""
    if facts.telescope(frame) != "SCIWL":
        return frame
    if "stray_light" not in references:
        return frame.with_caveat(
            "no model of the stray light was at hand: it is still in the values", mode="NO-STRAY-LIGHT-MODEL"
        )
    reference = references["stray_light"]
    seconds = np.float32(frame.keyword("EXPTIME", float))
    return told(frame.replace(data=frame.data - plane(reference, frame, "STRAY") * seconds), reference)

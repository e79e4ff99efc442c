"""Calibration files of LST: planes by name, cards, and whether they were made from a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import facts
from pipeline.step import ReferenceFile

#: Letters of a channel that names of cards and planes have room for.
WORD: Final = 4


@dataclass(frozen=True)
class Calibration:
    """A calibration file.

    Attributes
    ----------
    planes
        Images by the name of their extension; an image in the primary unit is called PRIMARY.
    cards
        Of the primary header.
    simulated
        Whether it was made from a model.
    """

    planes: Mapping[str, NDArray[Any]]
    cards: Mapping[str, Any]
    simulated: bool


def read_calibration(path: str) -> Calibration:
    """A calibration file."""
    planes, cards = {}, {}
    with fits.open(path) as hdus:
        for unit in hdus:
            if unit.header.get("NAXIS", 0) == 2 and unit.is_image:
                whole = unit.header["BITPIX"] > 0
                planes[unit.name] = np.ascontiguousarray(unit.data, dtype=np.uint16 if whole else np.float32)
        cards = {name: value for name, value in hdus[0].header.items() if name}
    return Calibration(planes, cards, bool(cards.get("SIMULATD", False)))


def plane(reference: ReferenceFile, frame: Frame, name: str) -> NDArray[Any]:
    """A plane of a calibration file, of the frame's shape.

    Raises
    ------
    BadInput
        When the file has no such plane, or one of another shape.
    """
    found = reference.load(read_calibration).planes
    if name in found and found[name].shape == frame.data.shape:
        return found[name]
    has = ", ".join(f"{key} {value.shape}" for key, value in found.items()) or "no image"
    raise BadInput(
        f"the {reference.name} {reference.did} has no {name} of the frame's shape",
        file=frame.source,
        keyword="NAXIS1, NAXIS2",
        found=f"{has}; frame {frame.data.shape}",
        advice=f"add a {reference.name} of this telescope and camera setting to the context",
    )


@dataclass(frozen=True)
class Channel:
    """One channel of a camera: electrons of a number, noise of the read-out (electrons), largest number."""

    electrons: float
    read_noise: float
    top: float


def channel(reference: ReferenceFile, frame: Frame, gain: str) -> Channel:
    """What a camera file says of a channel.

    Raises
    ------
    BadInput
        When it says nothing of it.
    """
    cards, word = reference.load(read_calibration).cards, gain[:WORD]
    try:
        return Channel(*(float(cards[f"{name}{word}"]) for name in ("EPDN", "READ", "TOP")))
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(
            f"the camera file {reference.did} does not say what gain {gain} is",
            file=frame.source,
            keyword=f"EPDN{word}, READ{word}, TOP{word}",
            found=str(error),
            advice="add the camera file of this telescope to the context",
        ) from error


def level_1_channel(reference: ReferenceFile, frame: Frame) -> Channel:
    """The channel in whose numbers level 1 of a telescope is: the high gain where both were merged."""
    telescope = facts.telescope(frame)
    gains = facts.OPTICS[telescope].gains
    merged = "HIGH" if telescope in ("SDI", "SCIUV") else "LOW"
    return channel(reference, frame, merged if len(gains) > 1 else "SINGLE")


def told(frame: Frame, reference: ReferenceFile, *, simulated: bool | None = None) -> Frame:
    """The frame naming a file that was used, and saying so if that was made from a model."""
    header = frame.header.copy()
    keyword = reference.name[:4].upper() + "FILE"
    header[keyword] = (reference.did.partition(":")[2] or reference.did, f"{reference.name} that was used")
    if simulated is None:
        simulated = reference.load(read_calibration).simulated
    if not simulated:
        return frame.replace(header=header)
    header["SIMCAL"] = (True, "some calibration was simulated, not measured")
    known = [one for one in str(header.get("SIMCALS", "")).split(", ") if one]
    header["SIMCALS"] = ", ".join(dict.fromkeys((*known, reference.name)))
    return frame.replace(header=header).with_caveat(
        f"the {reference.name} was simulated, not measured: values that rest on it are for tests and "
        "demonstrations alone",
        mode="SIMULATED-CALIBRATION",
    )

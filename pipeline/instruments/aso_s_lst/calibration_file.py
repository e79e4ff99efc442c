"""Calibration files of LST: planes by name, cards, and whether they were made from a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
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
#: Share of a plane that has to have a value; a mask of an occulter has more.
_LEAST_KNOWN: Final = 0.1
_MOST_WHOLE: Final = np.iinfo(np.uint16).max


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
    known
        Share of each plane that has a value.
    """

    planes: Mapping[str, NDArray[Any]]
    cards: Mapping[str, Any]
    simulated: bool
    known: Mapping[str, float] = field(default_factory=dict)


def read_calibration(path: str) -> Calibration:
    """A calibration file."""
    planes, cards = {}, {}
    with fits.open(path) as hdus:
        for unit in hdus:
            if unit.header.get("NAXIS", 0) == 2 and unit.is_image:
                planes[unit.name] = _values(unit.data)
        cards = {name: value for name, value in hdus[0].header.items() if name}
    known = {name: float(np.isfinite(values).mean()) for name, values in planes.items()}
    return Calibration(planes, cards, bool(cards.get("SIMULATD", False)), known)


def _values(data: NDArray[Any]) -> NDArray[Any]:
    """Bits as they are; all other numbers, scaled ones and negative whole ones too, as float32."""
    bits = (
        data.dtype.kind in "iu" and int(data.min(initial=0)) >= 0 and int(data.max(initial=0)) <= _MOST_WHOLE
    )
    return np.ascontiguousarray(data, dtype=np.uint16 if bits else np.float32)


def plane(reference: ReferenceFile, frame: Frame, name: str) -> NDArray[Any]:
    """A plane of a calibration file, of the frame's shape.

    Raises
    ------
    BadInput
        When the file has no such plane, one of another shape, or one with hardly any value.
    """
    file = reference.load(read_calibration)
    found = file.planes
    if name in found and found[name].shape == frame.data.shape:
        if file.known.get(name, 1.0) < _LEAST_KNOWN:
            raise unusable(reference, frame, name, f"{file.known[name]:.1%} of its pixels have a value")
        return found[name]
    has = ", ".join(f"{key} {value.shape}" for key, value in found.items()) or "no image"
    raise BadInput(
        f"the {reference.name} {reference.did} has no {name} of the frame's shape",
        file=frame.source,
        keyword="NAXIS1, NAXIS2",
        found=f"{has}; frame {frame.data.shape}",
        advice=f"add a {reference.name} of this telescope and camera setting to the context",
    )


def unusable(reference: ReferenceFile, frame: Frame, keyword: str, found: str) -> BadInput:
    """The refusal of a frame whose calibration cannot be what it says it is."""
    return BadInput(
        f"the {reference.name} {reference.did} cannot be right",
        file=frame.source,
        keyword=keyword,
        found=found,
        advice=f"make the {reference.name} anew and add it to the context",
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
        When it says nothing of it, or what no channel is.
    """
    cards, word = reference.load(read_calibration).cards, gain[:WORD]
    names = [f"{name}{word}" for name in ("EPDN", "READ", "TOP")]
    try:
        found = Channel(*(float(cards[name]) for name in names))
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(
            f"the camera file {reference.did} does not say what gain {gain} is",
            file=frame.source,
            keyword=f"EPDN{word}, READ{word}, TOP{word}",
            found=str(error),
            advice="add the camera file of this telescope to the context",
        ) from error
    if not (
        found.electrons > 0
        and found.read_noise >= 0
        and found.top > 0
        and all(map(math.isfinite, (found.electrons, found.read_noise, found.top)))
    ):
        told = ", ".join(f"{name} = {cards[name]}" for name in names)
        raise unusable(reference, frame, ", ".join(names), told)
    return found


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

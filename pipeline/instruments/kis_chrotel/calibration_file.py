"""Darks and flats of ChroTel: images of the camera's own shape, and whether they were made from a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.step import ReferenceFile


@dataclass(frozen=True)
class CalibrationImage:
    """A calibration image: float32 values, and whether they were simulated."""

    values: NDArray[np.float32]
    simulated: bool


def read_image(path: str) -> CalibrationImage:
    """The first image of a file."""
    with fits.open(path) as hdus:
        unit = next(one for one in hdus if one.header.get("NAXIS", 0) >= 2)
        values = np.ascontiguousarray(unit.data, dtype=np.float32)
        simulated = bool(hdus[0].header.get("SIMULATD", False) or unit.header.get("SIMULATD", False))
    return CalibrationImage(values, simulated)


def read_response(path: str) -> CalibrationImage:
    """A flat over its median."""
    flat = read_image(path)
    return CalibrationImage(flat.values / np.float32(np.nanmedian(flat.values)), flat.simulated)


def fitting(
    reference: ReferenceFile, frame: Frame, reader: Callable[[str], CalibrationImage] = read_image
) -> CalibrationImage:
    """A calibration image of the frame's shape, as a reader understands its file.

    Raises
    ------
    BadInput
        When it has another.
    """
    image = reference.load(reader)
    if image.values.shape != frame.data.shape[-2:]:
        raise BadInput(
            f"the {reference.name} {reference.did} has another shape than the frame",
            file=frame.source,
            keyword="NAXIS1, NAXIS2",
            found=f"{image.values.shape} and {frame.data.shape[-2:]}",
            advice=f"add a {reference.name} of this camera setting to the context",
        )
    return image


def told(frame: Frame, reference: ReferenceFile, keyword: str, *, simulated: bool) -> Frame:
    """The frame whose `keyword` names the file used, and which says so if that was made from a model."""
    header = frame.header.copy()
    header[keyword] = (reference.did.partition(":")[2] or reference.did, f"{reference.name} that was used")
    if not simulated:
        return frame.replace(header=header)
    header["SIMCAL"] = (True, "some calibration was simulated, not measured")
    return frame.replace(header=header).with_caveat(
        f"the {reference.name} was simulated, not measured: values that rest on it are for tests and "
        "demonstrations alone",
        mode="SIMULATED-CALIBRATION",
    )

"""Calibration files of LASCO: what they hold, read once, and whether they were made from a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.io import readsav

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import facts
from pipeline.read_only import read_only
from pipeline.step import ReferenceFile

#: What stands in a text file, or as a variable of a saved session, that was made from a model.
SIMULATED: Final = "SIMULATED"


@dataclass(frozen=True)
class CalibrationImage:
    """An image of the whole CCD: vignetting, mask, stray light, background.

    Attributes
    ----------
    values
        float32, (1024, 1024).
    exposure
        EXPTIME of a background in seconds; 1 where there is none.
    simulated
        Whether it was made from a model.
    """

    values: NDArray[np.float32]
    exposure: float
    simulated: bool


def read_image(path: str) -> CalibrationImage:
    """A calibration image of the mission."""
    with fits.open(path) as hdus:
        header = hdus[0].header
        values = np.ascontiguousarray(hdus[0].data, dtype=np.float32)
    exposure = header.get("EXPTIME", 1.0)
    return CalibrationImage(values, float(exposure), bool(header.get("SIMULATD", False)))


def fitted(reference: ReferenceFile, frame: Frame) -> tuple[NDArray[np.float32], CalibrationImage]:
    """A calibration image on the pixels of a frame.

    Raises
    ------
    BadInput
        When it does not cover them.
    """
    image = reference.load(read_image)
    values = _fitted(reference, facts.readout(frame))
    if values is None:
        ny, nx = image.values.shape
        raise BadInput(
            f"the calibration image {reference.did} does not cover the image",
            file=frame.source,
            keyword="R1COL, R1ROW, NAXIS1, NAXIS2",
            found=f"calibration image of {nx} × {ny} pixels",
            advice="add the mission's image of the whole CCD, 1024 × 1024, to the context",
        )
    return values, image


@lru_cache(maxsize=8)
def _fitted(reference: ReferenceFile, readout: facts.Readout) -> NDArray[np.float32] | None:
    """The same, rebinned once for images that are read out alike; 4 MB at most each."""
    values = readout.fitted(reference.load(read_image).values)
    return None if values is None else read_only(values)


def told(frame: Frame, reference: ReferenceFile, *, simulated: bool) -> Frame:
    """The frame saying which file was used, and that it was made from a model if it was."""
    header = frame.header.copy()
    facts.history(header, f"{reference.did.partition(':')[2] or reference.did}")
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


def text_of(path: str) -> tuple[str, bool]:
    """A text file, and whether it says that it was made from a model."""
    text = Path(path).read_text(encoding="ascii", errors="replace")
    return text, re.search(rf"\b{SIMULATED}\b", text) is not None


def saved(path: str) -> Mapping[str, Any]:
    """The variables of a saved IDL session, by name in small letters."""
    try:
        return dict(readsav(path))
    except Exception as error:  # scipy raises whatever the bytes lead it to
        raise BadInput(
            f"the file is no saved IDL session: {error}",
            file=path,
            advice="fetch it again from the mission's calibration folder",
        ) from error

"""Frames for the tests of LASCO's chains: small parts of the CCD, and calibration files to go with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from pipeline.frame import Frame
from pipeline.step import ReferenceFile
from pipeline.testing import reference
from pipeline.testing import run_step as run_any_step

#: A level-0.5 header of C2, as the real ones are, of 128 by 128 pixels in the lower left corner of the CCD.
CARDS: dict[str, Any] = {
    "TELESCOP": "SOHO",
    "INSTRUME": "LASCO",
    "DETECTOR": "C2",
    "FILENAME": "22299383.fts",
    "FILEORIG": "090228_000656.img",
    "DATE": "2009/03/01 10:11:12.123",
    "DATE-OBS": "2009/02/28",
    "TIME-OBS": "00:06:03.474",
    "EXPTIME": 25.0991,
    "READPORT": "C",
    "SUMROW": 0,
    "SUMCOL": 0,
    "LEBXSUM": 1,
    "LEBYSUM": 1,
    "FILTER": "Orange",
    "POLAR": "Clear",
    "COMPRSSN": "X%",
    "MID_DATE": 54890,
    "MID_TIME": 376.024,
    "R1COL": 20,
    "R1ROW": 1,
    "CRPIX1": 512.0,
    "CRPIX2": 506.0,
    "CRVAL1": 0.0,
    "CRVAL2": 0.0,
    "CROTA1": 0.0,
    "CTYPE1": "SOLAR-X",
    "CTYPE2": "SOLAR-Y",
    "CUNIT1": "ARCSEC",
    "CUNIT2": "ARCSEC",
    "CDELT1": 11.9,
    "CDELT2": 11.9,
}
#: The same of C3.
C3: dict[str, Any] = {"DETECTOR": "C3", "FILTER": "Clear", "CDELT1": 56.0, "CDELT2": 56.0}


def raw(value: ArrayLike = 1000.0, shape: tuple[int, int] = (128, 128), /, **cards: Any) -> Frame:
    """A level-0.5 frame; cards with a dash go into ``**{"DATE-OBS": …}``, `None` removes one."""
    header = fits.Header()
    ny, nx = shape
    changed = {**CARDS, **cards}
    across = max(changed["SUMCOL"], 1) * changed["LEBXSUM"]
    up = max(changed["SUMROW"], 1) * changed["LEBYSUM"]
    window = {
        "R2COL": changed["R1COL"] + nx * across - 1,
        "R2ROW": changed["R1ROW"] + ny * up - 1,
        "NAXIS1": nx,
        "NAXIS2": ny,
    }
    for name, card in {**changed, **window, **cards}.items():
        if card is not None:
            header[name] = card
    data = np.broadcast_to(np.asarray(value, dtype=np.float32), shape).copy()
    return Frame.of(data, header, source=str(header.get("FILENAME", "a.fts")))


def run_step(name: str, frame: Frame, *references: ReferenceFile, **params: Any) -> Frame:
    """One of LASCO's steps with all that the framework does around it."""
    return run_any_step(name, frame, instrument="soho_lasco", references=references, **params)


def in_unit(frame: Frame, unit: str) -> Frame:
    """The same frame in another unit."""
    header = frame.header.copy()
    header["BUNIT"] = unit
    return frame.replace(header=header)


def image_file(
    folder: Path, need: str, values: ArrayLike, *, simulated: bool = False, **cards: Any
) -> ReferenceFile:
    """A calibration image of the whole CCD as a reference."""
    full: NDArray[np.float32] = np.broadcast_to(np.asarray(values, np.float32), (1024, 1024)).copy()
    header = fits.Header(cards)
    if simulated:
        header["SIMULATD"] = True
    path = folder / f"{need}.fts"
    fits.PrimaryHDU(full, header).writeto(path, overwrite=True)
    return reference(need, path)


def text_file(folder: Path, need: str, name: str, text: str) -> ReferenceFile:
    """A table of the mission as a reference."""
    path = folder / name
    path.write_text(text, encoding="ascii")
    return reference(need, path)

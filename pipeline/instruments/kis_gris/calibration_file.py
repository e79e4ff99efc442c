"""Calibration files: mean dark, mean flat, modulation matrix, atlas; whether they were made from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris.facts import positive
from pipeline.step import ReferenceFile

F64 = NDArray[np.float64]
_MOST_IMAGES: Final = 1e6
_FEWEST_ROWS: Final = 2


class CalibrationImage(NamedTuple):
    """A dark, a flat, or a modulation matrix.

    Attributes
    ----------
    values
        float64, as stored.
    images
        Images that were added up (ACCUMULA); 1 where the header does not say.
    simulated
        Whether it was made from a model.
    saturated
        [ADU] Level of a single image at which the camera is full (SATLEVEL); none where the header does not
        say.
    """

    values: F64
    images: float
    simulated: bool
    saturated: float | None = None


class Atlas(NamedTuple):
    """A spectrum of the quiet Sun: wavelengths in air, Å, rising; intensity over the continuum."""

    wavelengths: F64
    intensity: F64
    simulated: bool


def read_image(path: str) -> CalibrationImage:
    """A calibration image in the first unit of a FITS file."""
    with fits.open(path) as units:
        header, data = units[0].header, units[0].data
        if data is None:
            raise BadInput(
                "the calibration file holds no image", file=path, advice="write it as the first unit"
            )
        values = np.ascontiguousarray(data, dtype=np.float64)
    images = header.get("ACCUMULA", 1)
    if isinstance(images, bool) or not isinstance(images, (int, float)) or not 1 <= images <= _MOST_IMAGES:
        raise BadInput(
            "the calibration file does not say of how many images it is the sum",
            file=path,
            keyword="ACCUMULA",
            found=str(images),
            advice="write their number, 1 for a mean; or leave the keyword out, which means 1",
        )
    full = positive(header, "SATLEVEL")
    return CalibrationImage(values, float(images), bool(header.get("SIMULATD", False)), full)


def read_atlas(path: str) -> Atlas:
    """An atlas of two columns: wavelength in air (Å) and intensity; lines that begin with # are remarks.

    Raises
    ------
    BadInput
        When it is no such table.
    """
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    try:
        rows = np.loadtxt(text.splitlines(), ndmin=2, usecols=(0, 1))
    except ValueError as error:
        raise BadInput(
            f"the atlas is no table of two columns: {error}",
            file=path,
            advice="write wavelength in air in Angstrom and intensity in each line; # begins a remark",
        ) from error
    if len(rows) < _FEWEST_ROWS or not np.isfinite(rows).all() or not np.percentile(rows[:, 1], 98) > 0:
        raise BadInput(
            "the atlas holds no spectrum",
            file=path,
            found=f"{len(rows)} lines of numbers",
            advice="write wavelength in air in Angstrom and intensity, numbers above 0 alone",
        )
    rows = rows[np.argsort(rows[:, 0])]
    return Atlas(rows[:, 0], rows[:, 1] / np.percentile(rows[:, 1], 98), "SIMULATED" in text[:400])


def require_shape(
    image: CalibrationImage, shape: tuple[int, ...], reference: ReferenceFile, frame: Frame
) -> None:
    """Refuse a calibration image of another shape than the detector's.

    Raises
    ------
    BadInput
        Naming both.
    """
    if image.values.shape != shape:
        raise BadInput(
            f"the {reference.name} {reference.did} is not of this detector window",
            file=frame.source,
            keyword="NAXIS1, NAXIS2",
            found=f"{_written(image.values.shape)}, frame {_written(shape)}",
            advice="use one of the same day and window",
        )


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, reversed(shape)))


def told(frame: Frame, reference: ReferenceFile, *, simulated: bool) -> Frame:
    """The frame, saying where calibration was made from a model."""
    if not simulated:
        return frame
    header = frame.header.copy()
    header["SIMCAL"] = (True, "some calibration was simulated, not measured")
    known = [one for one in str(header.get("SIMCALS", "")).split(", ") if one]
    header["SIMCALS"] = ", ".join(dict.fromkeys((*known, reference.name)))
    return frame.replace(header=header).with_caveat(
        f"the {reference.name} was simulated, not measured: values that rest on it are for tests and "
        "demonstrations alone",
        mode="SIMULATED-CALIBRATION",
    )

"""What headers of GRIS say: place in a scan, kind of observation, exposure; and where they contradict."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris.lines import Region, region_of

#: Run and number of a file within it.
_NAME: Final = re.compile(r"_(\d{3})_(\d{4})(?!\d)")
#: Beyond these a number of a header is none: what is made of it would run over.
_LEAST, _MOST = 1e-12, 1e12
_ARCSEC: Final = math.radians(1.0 / 3600.0)


def number_of(frame: Frame) -> int:
    """The number of a slit file within its run, which is all that says where in the scan it belongs.

    Raises
    ------
    BadInput
        When neither header nor name tells.
    """
    for name in (str(frame.header.get("FILENAME", "")), frame.source):
        if found := _NAME.search(name):
            return int(found[2])
    raise BadInput(
        "the name of the slit file does not say which position it is of",
        file=frame.source,
        keyword="FILENAME",
        found=str(frame.header.get("FILENAME", "absent")),
        advice="keep the data centre's names: gris_YYYYMMDD_HHMMSS_l1p_RUN_NUMBER.fits",
    )


def positive(header: fits.Header, name: str) -> float | None:
    """A number above 0 of a header that something can be made of; none where there is no such thing."""
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if _LEAST < value < _MOST else None


def wavelength_region(frame: Frame) -> Region | None:
    """Which of the two usual regions a frame with a wavelength axis shows."""
    first, step = frame.header.get("CRVAL3"), frame.header.get("CDELT3")
    if not (isinstance(first, (int, float)) and isinstance(step, (int, float))):
        return None
    middle = frame.data.shape[1] // 2 + 1 - frame.keyword("CRPIX3", float, default=1.0)
    return region_of(float(first) + middle * float(step))


def observation_type(header: fits.Header) -> str:
    """Single map, or Time sequence (SERIES: number of repetitions of the measure)."""
    return "Time sequence" if (positive(header, "SERIES") or 1.0) > 1 else "Single map"


def imaging_system(header: fits.Header) -> str:
    """Slit, or IFU; the image slicer is moved along both axes."""
    both = all((positive(header, name) or 0.0) > 1 for name in ("STEPSH", "STEPSV"))
    return "IFU" if both or "IFU" in str(header.get("SPSYSTEM", "")).upper() else "Slit"


def add_exposure(header: fits.Header) -> None:
    """Write the exposure of one slit position: EXPTIME is that of one image in milliseconds."""
    one, images = positive(header, "EXPTIME"), positive(header, "ACCUMULA")
    if one is None or images is None:
        return
    number = round(images * (positive(header, "STATES") or 1.0))
    header["NSUMEXP"] = (number, "images added up for a slit position")
    header["TEXPOSUR"] = (round(one / 1000.0, 9), "[s] exposure of one of them")
    header["XPOSURE"] = (round(number * one / 1000.0, 9), "[s] exposure of a slit position")


def heliocentric(west: float, north: float, radius: float) -> tuple[float, float] | None:
    """Heliocentric angle in degrees and its cosine; none beyond the limb.

    Parameters
    ----------
    west, north
        Helioprojective arcseconds.
    radius
        Of the Sun, arcseconds.
    """
    sine = math.sin(math.hypot(west, north) * _ARCSEC) / math.sin(radius * _ARCSEC)
    if sine >= 1.0:
        return None
    return math.degrees(math.asin(sine)), math.sqrt(1.0 - sine * sine)


def span(frames: Sequence[Frame], name: str) -> tuple[float, float] | None:
    """The smallest and the largest positive value of a keyword in several headers."""
    found = [value for frame in frames if (value := positive(frame.header, name)) is not None]
    return (min(found), max(found)) if found else None

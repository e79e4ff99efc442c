"""What is known of ChroTel, and what headers say. Wavelengths in Ångström, in air.

Passbands, exposures and the positions of the He I filter: data page of the KIS, and Bethge et al. 2011 as
users' scripts cite it. Which line a frame shows stands in its name, and in FILTER.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame

Line = Literal["ha", "ca", "he"]


class Channel(NamedTuple):
    """One of the three filters: centre and width of its passband, and its usual exposure."""

    name: str
    centre: float
    width: float
    seconds: float


CHANNELS: Final[dict[Line, Channel]] = {
    "ha": Channel("H-alpha", 6562.0, 0.5, 0.15),
    "ca": Channel("Ca II K", 3934.0, 0.3, 1.0),
    "he": Channel("He I", 10830.0, 1.4, 0.25),
}
#: Where the He I filter stands, in the order of the planes of a file: towards shorter wavelengths.
POSITIONS: Final = (10833.15, 10832.13, 10831.00, 10830.30, 10829.60, 10828.47, 10827.45)
#: The three components of He I 1083 nm and their shares while it is thin (gf 1 : 3 : 5).
TRIPLET: Final = ((10829.0911, 1 / 9), (10830.2501, 3 / 9), (10830.3398, 5 / 9))
#: km/s.
LIGHT: Final = 299792.458
#: Standard deviation over full width at half maximum.
SIGMA: Final = 1 / 2.354820045

_NAMED: Final = re.compile(r"chrotel_(ha|ca|he)", re.IGNORECASE)


def line(frame: Frame) -> Line:
    """Which line a frame shows.

    Raises
    ------
    BadInput
        When neither FILENAME nor FILTER says so.
    """
    found = line_of(frame.header)
    if found is None:
        raise BadInput(
            "the header does not tell which filter was used",
            file=frame.source,
            keyword="FILENAME, FILTER",
            found=f"{frame.header.get('FILENAME')}, {frame.header.get('FILTER')}",
            advice="correct the header: FILTER is 'H-alpha', 'Ca II K' or 'He I'",
        )
    return found


def line_of(header: fits.Header) -> Line | None:
    """Which line a header is of; `None` where it does not say so."""
    named = _NAMED.search(str(header.get("FILENAME", "")))
    if named:
        return {"ha": "ha", "ca": "ca", "he": "he"}[named[1].lower()]  # type: ignore[return-value]
    letters = re.sub(r"[^a-z]", "", str(header.get("FILTER", "")).lower())
    for start, one in (("ha", "ha"), ("halpha", "ha"), ("ca", "ca"), ("he", "he")):
        if letters.startswith(start):
            return one  # type: ignore[return-value]
    return None


class Disk(NamedTuple):
    """Where the Sun lies in an image: pixels counted from 0, and arcseconds of a pixel."""

    x: float
    y: float
    radius: float
    scale: float


def disk(frame: Frame) -> Disk:
    """The disk as limb_fit found it; else, in files that are not of our own level 1, as their header has it.

    Raises
    ------
    BadInput
        When the header has neither.
    """
    scale = abs(frame.keyword("CDELT1", float))
    if "R_SUN" in frame.header:
        radius = frame.keyword("R_SUN", float)
    else:
        radius = frame.keyword("RSUN_OBS", float) / scale if scale else 0.0
    if radius <= 0:
        raise BadInput(
            "the header does not say how large the disk is in the image",
            file=frame.source,
            keyword="R_SUN, CDELT1",
            found=f"{radius}, {scale}",
            advice="switch the recipe's limb_fit on",
        )
    return Disk(frame.keyword("CRPIX1", float) - 1.0, frame.keyword("CRPIX2", float) - 1.0, radius, scale)

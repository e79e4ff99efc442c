"""Coordinate systems of a header: whole, or none.

A system with some of its cards missing is worse than no system: readers fill
the gaps with defaults of their own, and an image without ``CRPIX`` is taken to
begin at its reference point.
"""

from __future__ import annotations

import re
from typing import Final

from astropy.io import fits

from pipeline.frame import Frame

#: What every axis of a system needs; a CD matrix stands for CDELT and PC.
_NEEDED: Final = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT")
#: Cards of a system, without the letter of an alternate one (FITS standard 4.0, table 22).
_CARDS: Final = (
    r"(?:(?:CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CNAME|CRDER|CSYER)[12]|(?:PC|CD)[12]_[12]|P[VS][12]_\d{1,2}"
    r"|LONPOLE|LATPOLE|WCSNAME)"
)
#: Older cards, which belong to the primary system alone.
_PRIMARY_CARDS: Final = r"CROTA[12]?|[XY]CEN"
#: Cards that make a system; a lone LONPOLE or XCEN is an odd remark, not a system that lacks something.
_CLAIMS: Final = r"(?:CTYPE|CRPIX|CRVAL|CDELT)[12]|(?:PC|CD)[12]_[12]"


def whole_or_none(frame: Frame) -> Frame:
    """The frame without the coordinate systems of its header that lack a card, and with a caveat for each."""
    for letter in _systems(frame.header):
        absent = missing(frame.header, letter)
        if not absent:
            continue
        header = frame.header.copy()
        for name in [name for name in header if _belongs(name, letter)]:
            header.remove(name, ignore_missing=True, remove_all=True)
        system = f"alternate coordinate system {letter}" if letter else "coordinate system"
        frame = frame.replace(header=header).with_caveat(
            f"the {system} was taken out of the header: it has no {', '.join(absent)}"
        )
    return frame


def missing(header: fits.Header, letter: str = "") -> tuple[str, ...]:
    """Cards that the coordinate system of this letter (none: the primary one) lacks to be whole."""
    has_matrix = all(_says(header, f"CD{axis}_{axis}{letter}") for axis in (1, 2))
    return tuple(
        f"{name}{axis}{letter}"
        for name in _NEEDED
        for axis in (1, 2)
        if not (_says(header, f"{name}{axis}{letter}") or (name == "CDELT" and has_matrix))
    )


def _systems(header: fits.Header) -> list[str]:
    found = (re.fullmatch(rf"(?:{_CLAIMS})([A-Z]?)", name) for name in header)
    return sorted({match[1] for match in found if match})


def _belongs(name: str, letter: str) -> bool:
    own = rf"{_CARDS}{letter}"
    return re.fullmatch(own if letter else rf"{own}|{_PRIMARY_CARDS}", name) is not None


def _says(header: fits.Header, name: str) -> bool:
    value = header.get(name)
    return not (value is None or isinstance(value, fits.card.Undefined) or str(value).strip() == "")

"""Coordinate systems of a header: whole, or none.

A system with some of its cards missing is worse than no system: readers fill
the gaps with defaults of their own, and an image without ``CRPIX`` is taken to
begin at its reference point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from astropy.io import fits

from pipeline.dims import Dims
from pipeline.frame import Frame

#: What every axis of a system needs; a CD matrix stands for CDELT and PC.
_NEEDED: Final = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT")
#: Cards that make a system; a lone LONPOLE or XCEN is an odd remark, not a system that lacks something.
_CLAIMS: Final = ("CTYPE", "CRPIX", "CRVAL", "CDELT")
#: Older cards, which belong to the primary system alone.
_PRIMARY_CARDS: Final = r"CROTA[12]?|[XY]CEN"
#: A card of one axis, or of two.
_OF_AXIS: Final = re.compile(
    r"(?:(?P<kind>CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CNAME|CRDER|CSYER|CROTA|P[VS])|(?P<matrix>PC|CD))"
    r"(?P<axis>[1-9])(?(matrix)_(?P<other>[1-9]))(?P<rest>(?:_\d{1,2})?[A-Z]?)"
)


def whole_or_none(frame: Frame) -> Frame:
    """The frame without the coordinate systems of its header that lack a card, and with a caveat for each."""
    axes = len(frame.dims)
    for letter in _systems(frame.header, axes):
        absent = missing(frame.header, letter, axes=axes)
        if not absent:
            continue
        header = frame.header.copy()
        for name in [name for name in header if _belongs(name, letter, axes)]:
            header.remove(name, ignore_missing=True, remove_all=True)
        system = f"alternate coordinate system {letter}" if letter else "coordinate system"
        frame = frame.replace(header=header).with_caveat(
            f"the {system} was taken out of the header: it has no {', '.join(absent)}"
        )
    return frame


def missing(header: fits.Header, letter: str = "", *, axes: int = 2) -> tuple[str, ...]:
    """Cards that the coordinate system of this letter (none: the primary one) lacks to be whole.

    Parameters
    ----------
    header
        Of the image.
    letter
        Of an alternate system.
    axes
        Number of the image's axes. A Stokes parameter has no unit, so none is asked for.
    """
    numbers = range(1, axes + 1)
    has_matrix = all(_says(header, f"CD{axis}_{axis}{letter}") for axis in numbers)
    return tuple(
        f"{name}{axis}{letter}"
        for name in _NEEDED
        for axis in numbers
        if not (
            _says(header, f"{name}{axis}{letter}")
            or (name == "CDELT" and has_matrix)
            or (name == "CUNIT" and has_no_unit(header, axis, letter))
        )
    )


def same_axes(first: fits.Header, second: fits.Header) -> bool:
    """Whether two headers say the same of their axes."""
    return _axes_of(first) == _axes_of(second)


def _axes_of(header: fits.Header) -> dict[str, object]:
    return {name: header[name] for name in header if _moved(name, {axis: axis for axis in range(1, 10)})}


def reordered(header: fits.Header, before: Dims, after: Dims) -> fits.Header:
    """A copy in which each axis has its coordinates under its new number; those of axes that go are gone.

    Parameters
    ----------
    header
        Of a frame with the dims `before`.
    before, after
        Dims; one that is in both stands for the same places. A new one gets no coordinates. Axes of the
        header beyond those of the frame, such as one that was dropped, stay behind them.
    """
    more = len(after) - len(before)
    numbers = {axis: axis + more for axis in range(len(before) + 1, 10)} | {
        len(before) - before.index(name): len(after) - place
        for place, name in enumerate(after)
        if name in before
    }
    result = fits.Header()
    for card in header.cards:
        if card.keyword == "WCSAXES":
            result.append(("WCSAXES", max(len(after), int(card.value) + more), card.comment))
            continue
        name = _moved(card.keyword, numbers)
        if name is None:
            result.append(card)
        elif name:
            result.append((name, card.value, card.comment))
    return result


def _moved(name: str, numbers: Mapping[int, int]) -> str | None:
    """A card of an axis under its new number, empty where the axis has none; `None` for any other card."""
    match = _OF_AXIS.fullmatch(name)
    if match is None:
        return None
    axes = [int(found) for found in (match["axis"], match["other"]) if found]
    if any(axis not in numbers for axis in axes):
        return ""
    if match["other"]:
        return f"{match['matrix']}{numbers[axes[0]]}_{numbers[axes[1]]}{match['rest']}"
    return f"{match['kind']}{numbers[axes[0]]}{match['rest']}"


def has_no_unit(header: fits.Header, axis: int, letter: str = "") -> bool:
    """Whether an axis counts something without a unit: Stokes parameters."""
    return str(header.get(f"CTYPE{axis}{letter}", "")).strip().upper() == "STOKES"


def axis_cards(axes: int) -> str:
    """Pattern of the cards of a system over so many axes, without the letter of an alternate one.

    As FITS standard 4.0, table 22, has them; axes are counted in FITS's way.
    """
    one = _one_of(axes)
    return (
        rf"(?:(?:CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CNAME|CRDER|CSYER){one}|(?:PC|CD){one}_{one}"
        rf"|P[VS]{one}_\d{{1,2}}|LONPOLE|LATPOLE|WCSNAME)"
    )


def _one_of(axes: int) -> str:
    return f"[1-{min(axes, 9)}]"


def _systems(header: fits.Header, axes: int) -> list[str]:
    one = _one_of(axes)
    claims = rf"(?:(?:{'|'.join(_CLAIMS)}){one}|(?:PC|CD){one}_{one})([A-Z]?)"
    found = (re.fullmatch(claims, name) for name in header)
    return sorted({match[1] for match in found if match})


def _belongs(name: str, letter: str, axes: int) -> bool:
    own = rf"{axis_cards(axes)}{letter}"
    return re.fullmatch(own if letter else rf"{own}|{_PRIMARY_CARDS}", name) is not None


def _says(header: fits.Header, name: str) -> bool:
    value = header.get(name)
    return not (value is None or isinstance(value, fits.card.Undefined) or str(value).strip() == "")

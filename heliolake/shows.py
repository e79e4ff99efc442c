"""What releases are to show, as people write it: ranges, and places on the Sun."""

from __future__ import annotations

from typing import Any

from lake.errors import BadInput, Reason

Span = float | tuple[float | None, float | None]


def spans(**given: str | Span | None) -> dict[str, Any]:
    """Ranges by what they are of, as `lake.releases.facts.Shows` has them.

    Parameters
    ----------
    **given
        For ``wavelength``, ``mu`` and ``exposure`` a number, two as a tuple, or a text like ``630:631`` of
        which either end may be left out.

    Raises
    ------
    BadInput
        When something is neither.
    """
    found: dict[str, float] = {}
    for name, span in given.items():
        if span is None:
            continue
        fact = "wave" if name == "wavelength" else name
        low, high = _ends(name, span)
        found |= {f"{fact}_{end}": one for end, one in (("min", low), ("max", high)) if one is not None}
    return found


def place(near: str | tuple[float, ...] | None) -> dict[str, Any]:
    """A place as `x`, `y` and perhaps `radius`: of a text like ``200,-150,100``, or of two or three numbers.

    Raises
    ------
    BadInput
        When it is neither.
    """
    if near is None:
        return {}
    parts = near.split(",") if isinstance(near, str) else list(near)
    try:
        numbers = [float(one) for one in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3):
        raise _odd("near", near, "write it as X,Y or X,Y,RADIUS in arcseconds")
    return dict(zip(("x", "y", "radius"), numbers, strict=False))


def _ends(name: str, span: str | Span) -> tuple[float | None, float | None]:
    if isinstance(span, tuple):
        return span
    if not isinstance(span, str):
        return span, span
    low, colon, high = span.partition(":")
    try:
        first = float(low) if low else None
        last = (float(high) if high else None) if colon else first
    except ValueError:
        first = last = None
    if first is None and last is None:
        raise _odd(name, span, "write it as A:B, A: or :B, or one number")
    return first, last


def _odd(name: str, found: object, advice: str) -> BadInput:
    return BadInput(
        f"the {name} cannot be read", keyword=name, found=found, advice=advice, code=Reason.BAD_KEYWORD
    )


def level_text(level: str | float | None) -> str | None:
    """A level as text: 1, 1.0 and "1" are the same."""
    return f"{level:g}" if isinstance(level, (int, float)) else level

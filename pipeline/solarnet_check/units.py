"""Units as the FITS standard, section 4.3, and IVOA's VOUnit write them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Final

import astropy.units as u

from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu, shown

#: Texts longer than these are no unit, and are not parsed.
_LONGEST: Final = 68


class Written(Enum):
    """How a unit is written."""

    STANDARD = "as the FITS standard wants it"
    VO = "as VOUnit has it, not the FITS standard"
    USUAL = "of units that readers know and the FITS standard does not"
    NOT = "no unit"


@lru_cache(maxsize=1024)
def written(text: str) -> Written:
    """How a unit is written; an empty text is a pure number."""
    if not text.strip():
        return Written.STANDARD
    if len(text) > _LONGEST:
        return Written.NOT
    for form, how in (("fits", Written.STANDARD), ("vounit", Written.VO), (None, Written.USUAL)):
        if _parsed(text, form) is not None:
            return how
    return Written.NOT


@lru_cache(maxsize=1024)
def unit_of(text: str) -> u.UnitBase | None:
    """The unit that a text stands for; `None` where it is none."""
    if len(text) > _LONGEST:
        return None
    return next(
        (unit for form in ("fits", "vounit", None) if (unit := _parsed(text, form)) is not None), None
    )


def is_a(text: str, physical: u.UnitBase) -> bool:
    """Whether a unit is one of the same kind as another."""
    unit = unit_of(text)
    return unit is not None and bool(unit.is_equivalent(physical))


def length_exponent(text: str) -> int | None:
    """The power of ten of a metre that a unit is; `None` for what is no such unit."""
    unit = unit_of(text)
    if unit is None or not unit.is_equivalent(u.m):
        return None
    scale = float(unit.to(u.m))
    power = math.log10(scale) if 0 < scale < math.inf else math.nan
    return round(power) if math.isfinite(power) and math.isclose(power, round(power), abs_tol=1e-9) else None


def _parsed(text: str, form: str | None) -> u.UnitBase | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            unit = u.Unit(text.strip(), format=form, parse_strict="raise")
        except (ValueError, TypeError, KeyError, OverflowError, ZeroDivisionError, RecursionError):
            return None
    return unit if isinstance(unit, u.UnitBase) else None


def check_unit(hdu: Hdu, keyword: str, rule: str = "FITS 4.3") -> Iterator[Finding]:
    """Whether a card's unit is one, and written as it should be."""
    if not isinstance(hdu.get(keyword), str):
        return
    text = hdu.text(keyword)
    how = written(text)
    if how is Written.NOT:
        advice = "write it as in FITS standard 4.0, tables 3 to 6; of a pure number leave it empty"
        yield hdu.warning(keyword, f"{shown(text)} is no unit", "a unit of the FITS standard", advice, rule)
    elif how is not Written.STANDARD:
        advice = "the standard counts detector units as 'adu' or 'ct'; keep it where readers expect it"
        yield hdu.note(keyword, f"{shown(text)}, {how.value}", "a unit of the FITS standard", advice, rule)

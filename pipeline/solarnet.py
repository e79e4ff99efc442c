"""SOLARNET on the way out: complete a header from what is known, and check what it says.

Keyword lists follow the SOLARNET recommendations (arXiv:2011.12139, sections
3 to 6). The checker also asks for what holds only under a condition, such as
the observer's position, looks at types and at numbers that must agree, and
grades the header by its answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import astropy.units as u
import numpy as np
from astropy.io import fits

from pipeline.coordinates import has_no_unit
from pipeline.instrument import Description, Instrument, SolarnetRule

#: Needed in every observational HDU.
_MANDATORY: Final = ("OBS_HDU", "EXTNAME", "DATE-BEG")
#: Needed for full conformance besides.
_FULL: Final = (
    "FILENAME",
    "DATE",
    "ORIGIN",
    "BTYPE",
    "BUNIT",
    "DATEREF",
    "XPOSURE",
    "NBIN1",
    "NBIN2",
    "NBIN",
    "OBSRVTRY",
    "TELESCOP",
    "INSTRUME",
)
_PROVENANCE: Final = ("LEVEL", "VERSION", "CREATOR", "VERS_SW", "PARENTXT")
#: Any one of these sets tells where the observer was.
_POSITIONS: Final = (
    ("OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"),
    ("GEOX_OBS", "GEOY_OBS", "GEOZ_OBS"),
    ("HGLN_OBS", "HGLT_OBS", "DSUN_OBS"),
)
#: For filter instruments and spectrographs (section 5.4).
_WAVELENGTH: Final = ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX")
_WHOLE: Final = ("VERSION", "NBIN", "NBIN1", "NBIN2", "NSUMEXP", "WAVEUNIT")
_NUMBERS: Final = (
    *("XPOSURE", "TEXPOSUR", "WAVEMIN", "WAVEMAX", "DSUN_OBS", "HGLN_OBS", "HGLT_OBS"),
    *(f"{name}{axis}" for name in ("CRPIX", "CRVAL", "CDELT") for axis in (1, 2)),
)
#: Rounding of an exposure time that is written with six digits.
_SAME: Final = 1e-4
_AXIS: Final = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CNAME")
#: What an axis is called, by the first four letters of its CTYPE.
_AXIS_NAMES: Final = {
    "HPLN": "Helioprojective longitude",
    "HPLT": "Helioprojective latitude",
    "SOLA": "Helioprojective coordinate",
    "RA--": "Right ascension",
    "DEC-": "Declination",
    "WAVE": "Wavelength",
    "AWAV": "Wavelength in air",
    "FREQ": "Frequency",
    "STOK": "Stokes parameter",
}


def complete(
    header: fits.Header, instrument: Instrument, description: Description, *, axes: int = 2
) -> fits.Header:
    """A copy of a finished frame's header with the SOLARNET keywords that can be known.

    Parameters
    ----------
    header
        Header behind the recipe.
    instrument
        Its ``solarnet`` rules say where values come from. What is there is kept,
        but for a WAVEUNIT in words, which becomes a power of ten of a metre.
    description
        What the raw header said about the file.
    axes
        Number of the data's axes.

    Notes
    -----
    Nothing is guessed: a keyword whose source is absent stays absent, and the
    ``SOLARNET`` grade says so (1 complete, 0.5 partial).
    """
    result = header.copy()
    result["OBS_HDU"] = (1, "this HDU holds observational data")
    result["DATE-BEG"] = (_stamp(description.date_beg), "begin of the observation, UTC")
    result["DATE-END"] = (_stamp(description.date_end), "end of the observation, UTC")
    result.setdefault("DATEREF", _stamp(description.date_beg))
    exponent = _exponent(result.get("WAVEUNIT"))
    if exponent is not None:
        result["WAVEUNIT"] = (exponent, f"wavelengths are in 10^{exponent} m")
    for keyword, rule in instrument.solarnet.items():
        value = _value(result, rule)
        if keyword not in result and value is not None:
            result[keyword] = (value, rule.comment)
    if "NBIN1" in result and "NBIN2" in result:
        result.setdefault("NBIN", result["NBIN1"] * result["NBIN2"])
    for axis in range(1, axes + 1):
        name = _AXIS_NAMES.get(str(result.get(f"CTYPE{axis}", ""))[:4].upper())
        if name:
            result.setdefault(f"CNAME{axis}", name)
    return result


def grade(header: fits.Header, *, axes: int = 2) -> float:
    """The value of ``SOLARNET``: 1 where `check` finds nothing, 0.5 in part, -1 without what is mandatory."""
    findings = check(header, axes=axes)
    if not findings:
        return 1.0
    return -1.0 if any(_absent(header, keyword) for keyword in _MANDATORY) else 0.5


def check(header: fits.Header, *, axes: int = 2) -> list[str]:
    """What is missing or wrong, one sentence each; empty when the header conforms.

    Parameters
    ----------
    header
        Of data with so many `axes`, two for an image.
    """
    findings = [
        f"{keyword} is missing" for keyword in (*_MANDATORY, *_FULL, *_PROVENANCE) if _absent(header, keyword)
    ]
    for axis in range(1, axes + 1):
        needed = [name for name in _AXIS if not (name == "CUNIT" and has_no_unit(header, axis))]
        findings += [f"{name}{axis} is missing" for name in needed if _absent(header, f"{name}{axis}")]
    if not any(all(not _absent(header, keyword) for keyword in keywords) for keywords in _POSITIONS):
        findings.append("the observer's position is missing: " + " or ".join("/".join(k) for k in _POSITIONS))
    findings += [*_wrong_types(header), *_wavelengths(header), *_exposures(header), *_binning(header)]
    for keyword in ("DATE-BEG", "DATE-END", "DATEREF", "DATE"):
        text = header.get(keyword)
        if isinstance(text, str) and not _is_stamp(text):
            findings.append(f"{keyword} is no FITS date: {text!r}")
    if int(header.get("BITPIX", -32)) < 0 and "BLANK" in header:
        findings.append("BLANK stands on floating-point data")
    return findings


def _wrong_types(header: fits.Header) -> Iterator[str]:
    for keyword in _WHOLE:
        if not _absent(header, keyword) and not _is_whole(header[keyword]):
            yield f"{keyword} should be a whole number: {header[keyword]!r}"
    for keyword in _NUMBERS:
        if not _absent(header, keyword) and not _is_number(header[keyword]):
            yield f"{keyword} should be a number: {header[keyword]!r}"
    if not _absent(header, "BUNIT") and not _is_unit(header["BUNIT"]):
        yield f"BUNIT is no unit of the FITS standard: {header['BUNIT']!r}"


def _wavelengths(header: fits.Header) -> Iterator[str]:
    """A wavelength, or a filter, is said completely: unit, medium and range."""
    nominal = header.get("WAVELNTH")
    said = any(not _absent(header, keyword) for keyword in (*_WAVELENGTH, "FILTER"))
    if not said and not (_is_number(nominal) and nominal > 0):  # 0 is what cameras without filters write
        return
    yield from (f"{keyword} is missing" for keyword in _WAVELENGTH if _absent(header, keyword))
    if not _absent(header, "WAVEREF") and header["WAVEREF"] not in ("air", "vacuum"):
        yield f"WAVEREF should be 'air' or 'vacuum': {header['WAVEREF']!r}"
    shortest, longest = header.get("WAVEMIN"), header.get("WAVEMAX")
    if _is_number(shortest) and _is_number(longest) and not 0 < shortest <= longest:
        yield f"WAVEMIN and WAVEMAX are no range: {shortest!r} to {longest!r}"


def _exposures(header: fits.Header) -> Iterator[str]:
    """Of summed exposures their number and the time of one are said, and make up the whole."""
    names = ("NSUMEXP", "TEXPOSUR")
    if all(_absent(header, keyword) for keyword in names):
        return
    yield from (f"{keyword} is missing" for keyword in names if _absent(header, keyword))
    number, one, whole = (header.get(name) for name in (*names, "XPOSURE"))
    if all(_is_number(value) for value in (number, one, whole)) and abs(number * one - whole) > _SAME * whole:
        yield f"NSUMEXP times TEXPOSUR is not XPOSURE: {number} times {one} is not {whole}"


def _binning(header: fits.Header) -> Iterator[str]:
    sides, product = [header.get(f"NBIN{axis}") for axis in (1, 2)], header.get("NBIN")
    if _is_whole(product) and all(_is_whole(side) for side in sides) and sides[0] * sides[1] != product:
        yield f"NBIN is not the product of NBIN1 and NBIN2: {product} is not {sides[0]} times {sides[1]}"


def _value(header: fits.Header, rule: SolarnetRule) -> str | int | float | None:
    """What a rule says of a header; `None` where its source is absent."""
    value = rule.value if rule.value is not None else header.get(rule.keyword)
    if value is None or isinstance(value, fits.card.Undefined):
        return None
    if rule.map:
        return rule.map.get(str(value).strip())
    if rule.factor != 1.0 and isinstance(value, (int, float)):
        return value * rule.factor
    return value


def _exponent(unit: Any) -> int | None:
    """The power of ten of a metre that a unit's name stands for; `None` for what is no such name."""
    if not isinstance(unit, str):
        return None
    try:
        power = math.log10(u.Unit(unit.strip()).to(u.m))
    except (ValueError, TypeError, u.UnitsError):
        return None
    return round(power) if math.isclose(power, round(power), abs_tol=1e-9) else None


def _is_unit(text: Any) -> bool:
    """Whether the FITS standard knows all base units of a unit, or they are DN, which readers know."""
    try:
        bases = u.Unit(str(text)).bases
        return all(base is u.DN or base.to_string("fits") for base in bases)
    except (ValueError, TypeError):
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, (float, np.floating))


def _absent(header: fits.Header, keyword: str) -> bool:
    """Whether a card is not there or says nothing; an empty unit says something: a pure number."""
    value = header.get(keyword)
    return value is None or isinstance(value, fits.card.Undefined) or (value == "" and keyword != "BUNIT")


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _is_stamp(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

"""SOLARNET on the way out: complete a header from what is known, and check what it says.

Keyword lists follow the SOLARNET recommendations (arXiv:2011.12139, sections
3 to 6). The checker also asks for what holds only under a condition, such as
the observer's position, and grades the header by its answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import numpy as np
from astropy.io import fits

from pipeline.instrument import Description, Instrument

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
_AXIS: Final = ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CNAME")
#: What an axis is called, by the first four letters of its CTYPE.
_AXIS_NAMES: Final = {
    "HPLN": "Helioprojective longitude",
    "HPLT": "Helioprojective latitude",
    "SOLA": "Helioprojective coordinate",
    "RA--": "Right ascension",
    "DEC-": "Declination",
}


def complete(header: fits.Header, instrument: Instrument, description: Description) -> fits.Header:
    """A copy of a finished frame's header with the SOLARNET keywords that can be known.

    Parameters
    ----------
    header
        Header behind the recipe.
    instrument
        Its ``solarnet`` rules say where values come from. What is there is kept.
    description
        What the raw header said about the file.

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
    for keyword, rule in instrument.solarnet.items():
        value: Any = rule.value if rule.value is not None else result.get(rule.keyword)
        if keyword in result or value is None or isinstance(value, fits.card.Undefined):
            continue
        if rule.factor != 1.0 and isinstance(value, (int, float)):
            value = value * rule.factor
        result[keyword] = (value, rule.comment)
    for axis in (1, 2):
        name = _AXIS_NAMES.get(str(result.get(f"CTYPE{axis}", ""))[:4].upper())
        if name:
            result.setdefault(f"CNAME{axis}", name)
    return result


def grade(header: fits.Header) -> float:
    """The value of ``SOLARNET``: 1 where `check` finds nothing, 0.5 in part, -1 without what is mandatory."""
    findings = check(header)
    if not findings:
        return 1.0
    return -1.0 if any(_absent(header, keyword) for keyword in _MANDATORY) else 0.5


def check(header: fits.Header) -> list[str]:
    """What is missing or wrong, one sentence each; empty when the header conforms."""
    findings = [
        f"{keyword} is missing" for keyword in (*_MANDATORY, *_FULL, *_PROVENANCE) if _absent(header, keyword)
    ]
    for axis in (1, 2):
        findings += [f"{name}{axis} is missing" for name in _AXIS if _absent(header, f"{name}{axis}")]
    if not any(all(not _absent(header, keyword) for keyword in keywords) for keywords in _POSITIONS):
        findings.append("the observer's position is missing: " + " or ".join("/".join(k) for k in _POSITIONS))
    for keyword in ("DATE-BEG", "DATE-END", "DATEREF", "DATE"):
        text = header.get(keyword)
        if isinstance(text, str) and not _is_stamp(text):
            findings.append(f"{keyword} is no FITS date: {text!r}")
    if int(header.get("BITPIX", -32)) < 0 and "BLANK" in header:
        findings.append("BLANK stands on floating-point data")
    version = header.get("VERSION")
    if version is not None and (isinstance(version, bool) or not isinstance(version, (int, np.integer))):
        findings.append(f"VERSION should be a whole number: {version!r}")
    return findings


def _absent(header: fits.Header, keyword: str) -> bool:
    value = header.get(keyword)
    return value is None or isinstance(value, fits.card.Undefined) or value == ""


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _is_stamp(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

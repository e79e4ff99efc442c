"""SOLARNET on the way out: complete a header from what is known, and grade it by what the checker finds.

Keywords follow the SOLARNET recommendations (arXiv:2011.12139); the rules are in `pipeline.solarnet_check`.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

import astropy.units as u
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.instrument import Description, Instrument, SolarnetRule
from pipeline.solarnet_check.finding import Grade
from pipeline.solarnet_check.header import Hdu
from pipeline.solarnet_check.keywords import conflicting
from pipeline.solarnet_check.report import check_header

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
    header: fits.Header, instrument: Instrument, description: Description, *, axes: int
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
    ``SOLARNET`` grade says so (1 complete, 0.5 partial). What belongs together by the instrument's own rule
    shares a ``POINT_ID``; cards of the raw file that mean something else than SOLARNET's are named in
    ``SOLNETEX``.
    """
    result = header.copy()
    result["OBS_HDU"] = (1, "this HDU holds observational data")
    result["DATE-BEG"] = (_stamp(description.date_beg), "begin of the observation, UTC")
    result["DATE-END"] = (_stamp(description.date_end), "end of the observation, UTC")
    result.setdefault("DATEREF", _stamp(description.date_beg))
    result.setdefault("POINT_ID", description.observation)
    exponent = _exponent(result.get("WAVEUNIT"))
    if exponent is not None:
        result["WAVEUNIT"] = (exponent, f"wavelengths are in 10^{exponent} m")
    for keyword, rule in instrument.solarnet.items():
        value = _value(result, rule)
        if keyword not in result and value is not None:
            result[keyword] = (value, rule.comment)
    binned = [result.get(f"NBIN{axis}") for axis in range(1, axes + 1)]
    if all(isinstance(factor, int) for factor in binned):
        result.setdefault("NBIN", math.prod(binned))
    for axis in range(1, axes + 1):
        name = _AXIS_NAMES.get(str(result.get(f"CTYPE{axis}", ""))[:4].upper())
        if name:
            result.setdefault(f"CNAME{axis}", name)
    _without_old_rotation(result)
    _except_others_words(result)
    return result


def settle(header: fits.Header, shape: tuple[int, ...]) -> None:
    """Write ``SOLARNET`` into the header of a product: 1 where nothing is missed, else 0.5.

    Parameters
    ----------
    header
        Finished, but for the sums of its bytes; gets the card.
    shape
        Of its data, slowest axis first.

    Raises
    ------
    BadInput
        When the header breaks a rule: such a product is not to be published.
    """
    header["SOLARNET"] = (0.5, "partly SOLARNET conformant")
    found = check_header(header, shape)
    error = next((one for one in found if one.grade is Grade.ERROR), None)
    if error is not None:
        raise BadInput(
            f"the product's header would break a rule: {error}",
            keyword=error.keyword,
            found=error.found,
            advice=f"{error.advice}; `heliolake check` on the raw file may show where it comes from",
        )
    if all(one.grade is Grade.NOTE for one in found):
        header["SOLARNET"] = (1.0, "fully SOLARNET conformant")


def _without_old_rotation(header: fits.Header) -> None:
    """A rotation in the old form beside a matrix is forbidden, and instruments differ in its sign."""
    if any(name in header for name in ("PC1_1", "PC1_2", "PC2_1", "CD1_1")):
        for name in ("CROTA", "CROTA1", "CROTA2"):
            header.remove(name, ignore_missing=True, remove_all=True)


def _except_others_words(header: fits.Header) -> None:
    """Name the raw file's own cards that SOLARNET defines otherwise, for readers to pass them over."""
    others = conflicting(Hdu.of(header))
    if others:
        known = [name.strip() for name in str(header.get("SOLNETEX", "")).split(",") if name.strip()]
        header["SOLNETEX"] = (", ".join(dict.fromkeys((*known, *others))), "not as SOLARNET defines them")


def _value(header: fits.Header, rule: SolarnetRule) -> str | int | float | None:
    """What a rule says of a header; `None` where its source is absent."""
    value = rule.value if rule.value is not None else header.get(rule.keyword)
    if value is None:
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


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")

"""Dates of headers in every form archives use, as UTC: the forms of a text, and a header's time scale.

Forms are those of FITS standard 4.0, section 4.4.2 (and the older DD/MM/YY), of JSOC
(``2010.10.15_23:01:30_TAI``) and of SolarSoft (``15-OCT-2010 23:01:30``). ``TIMESYS`` names the time scale
of a header's dates (section 9.2.1).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from astropy.io import fits

from pipeline.cards import header_text

#: Names of UTC, and of what differs from it by less than a second.
_UTC: Final = frozenset({"UTC", "UT", "GMT", "Z", "UT1"})
#: Other scales of FITS (standard 4.0, table 30), as astropy calls them.
_SCALES: Final = {
    "TAI": "tai", "IAT": "tai", "TT": "tt", "TDT": "tt", "ET": "tt", "TCG": "tcg", "TCB": "tcb", "TDB": "tdb",
    "GPS": "tai",
}  # fmt: skip
#: TAI - GPS in seconds, by definition.
_GPS: Final = timedelta(seconds=19)
_SCALE_AT_END: Final = re.compile(
    rf"(.*\d\.?)[ _]?({'|'.join(sorted(_UTC | _SCALES.keys()))})", re.IGNORECASE
)
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH_BY_NAME: Final = re.compile(rf"(\d{{1,2}})-({'|'.join(_MONTHS)})[A-Z]*-(\d{{4}})(.*)", re.IGNORECASE)
_JSOC: Final = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)(?:_(.*))?")
_OLD: Final = re.compile(r"(\d{2})-(\d{2})-(\d{2})")
#: A day, and hours of one or two digits.
_SHORT_HOUR: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d:.*)")
#: Cards that may hold the time of day where that of the date holds the day alone.
_TIMES: Final = ("TIME-OBS", "TIME_OBS", "UTC-OBS", "UTIME", "UT")
#: Cards whose moments are in the scale that TIMESYS names; DATE, when the file was written, is UTC always.
_DATES: Final = re.compile(r"DATE[-_](OBS|BEG|AVG|END)|DATEREF|T_OBS")
_DAYS: Final = re.compile(r"MJD-?(OBS|BEG|AVG|END|REF)")


def parse_date(text: str, time: str = "") -> datetime | None:
    """A date in any form headers use, with its time of day in a second text if need be; UTC.

    A scale behind the text (``_TAI``, ``Z``, ``UT``) counts. Returns `None` when the text is no date.
    """
    stamp, scale = _without_scale(text.strip().replace("/", "-"))
    if jsoc := _JSOC.fullmatch(stamp):
        stamp = "-".join(jsoc.groups()[:3]) + (f"T{jsoc[4]}" if jsoc[4] else "")
    elif named := _MONTH_BY_NAME.fullmatch(stamp):
        month = _MONTHS.index(named[2].upper()) + 1
        stamp = f"{named[3]}-{month:02d}-{int(named[1]):02d}{named[4]}"
    elif old := _OLD.fullmatch(stamp):  # DD/MM/YY, the FITS form before the year 2000
        stamp = f"19{old[3]}-{old[2]}-{old[1]}"
    stamp = stamp.replace(" ", "T")
    if "T" not in stamp and time.strip():
        of_day, scale_of_time = _without_scale(time.strip())
        stamp, scale = f"{stamp}T{of_day}", scale or scale_of_time
    if short := _SHORT_HOUR.fullmatch(stamp):
        stamp = f"{short[1]}T0{short[2]}"
    moment = _moment(stamp)
    return moment if moment is None or not scale else _utc(moment, scale)


def has_time(text: str) -> bool:
    """Whether a date is more than a day: midnight that is written out is a time too."""
    return re.search(r"\d[T _]?\d?\d:\d\d|\d{8}[T_]\d|T\d\d", text) is not None


def time_of_day(header: fits.Header, keyword: str = "") -> str:
    """What a header says of the time of day beside its date: under this keyword, or one of those in use."""
    for name in dict.fromkeys((keyword, *_TIMES)):
        said = header_text(header, name) if name else ""
        if re.match(r"\d?\d:\d\d", said):
            return said
    return ""


def scale_of(header: fits.Header) -> str:
    """The time scale that TIMESYS names, as it is written; empty for UTC."""
    said = header_text(header, "TIMESYS").upper()
    word = re.match(r"[A-Z0-9]*", said)
    return "" if not said or (word and word[0] in _UTC) else said


def in_utc(header: fits.Header) -> fits.Header:
    """The header with its dates in UTC: itself, or a copy where TIMESYS names another scale that is known.

    Notes
    -----
    What is in no date's form, or names its own scale, stays. A scale that is not known (LOCAL) stays too;
    `unknown_scale` says so.
    """
    said = scale_of(header)
    scale = re.split(r"[^A-Z]", said)[0]
    if scale not in _SCALES:
        return header
    result = header.copy()
    for card in list(result.cards):
        if _DATES.fullmatch(card.keyword) and isinstance(card.value, str):
            if _without_scale(card.value.strip())[1]:
                continue
            moment = parse_date(card.value, time_of_day(header) if not has_time(card.value) else "")
            if moment is not None and (has_time(card.value) or time_of_day(header)):
                result[card.keyword] = (
                    _utc(moment, scale).replace(tzinfo=None).isoformat(timespec="milliseconds")
                )
        elif _DAYS.fullmatch(card.keyword) and isinstance(card.value, (int, float)):
            result[card.keyword] = _day_in_utc(float(card.value), scale)
    result["TIMESYS"] = ("UTC", f"times were turned from {scale} into UTC")
    return result


def unknown_scale(header: fits.Header) -> tuple[str, ...]:
    """A caveat about dates in a time scale that is not UTC."""
    said = scale_of(header)
    if not said:
        return ()
    if re.split(r"[^A-Z]", said)[0] in _SCALES:
        return (f"TIMESYS is {said[:20]}: the header's times were turned into UTC",)
    return (
        f"TIMESYS is {said[:20]}, no time scale that can be turned into UTC: its times were taken as UTC",
    )


def _without_scale(text: str) -> tuple[str, str]:
    """A text without the scale at its end, and that scale; empty where it names none, or UTC."""
    match = _SCALE_AT_END.fullmatch(text)
    if match is None:
        return text, ""
    scale = match[2].upper()
    return match[1], "UTC" if scale in _UTC else scale


def _moment(stamp: str) -> datetime | None:
    leap = re.fullmatch(r"(.*:)60(\.\d+)?", stamp)
    try:
        if leap:  # datetime knows no leap second; the next second is meant
            return datetime.fromisoformat(f"{leap[1]}59").replace(tzinfo=UTC) + timedelta(seconds=1)
        parsed = datetime.fromisoformat(stamp)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime, scale: str) -> datetime:
    """The moment that a clock of another scale shows as this one."""
    if scale == "UTC":
        return moment
    utc = _time(moment.replace(tzinfo=None) + (_GPS if scale == "GPS" else timedelta()), scale).utc
    # A leap second is no datetime; the next second is meant.
    parsed = _moment(utc.isot)
    return moment if parsed is None else parsed


def _day_in_utc(day: float, scale: str) -> float:
    offset = _GPS.total_seconds() / 86400 if scale == "GPS" else 0.0
    return float(_time(day + offset, scale, format="mjd").utc.mjd)


def _time(value: Any, scale: str, **how: str) -> Any:
    from astropy.time import Time  # nearly every header is in UTC

    return Time(value, scale=_SCALES[scale], precision=6, **how)

"""Times and exposures: dates in order, and in agreement with exposure time, Julian dates and time axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu, shown
from pipeline.solarnet_check.kinds import is_time
from pipeline.solarnet_check.systems import System
from pipeline.solarnet_check.units import unit_of

_SECTION: Final = "SOLARNET 4"
#: Seconds that written times may differ by: cards round to a millisecond, exposures to more.
_ROUNDING: Final = 0.01
#: The same as a share of an exposure.
_SHARE: Final = 0.01
#: Of a factor that is multiplied out again.
_SAME: Final = 1e-4
_MJD_EPOCH: Final = datetime(1858, 11, 17)  # noqa: DTZ001 -- compared with the header's own scale
_DAY: Final = 86400.0
#: Half a microday: what a Julian date with six digits is rounded to, and then some.
_MJD_ROUNDING: Final = 1.0


def check(hdu: Hdu) -> Iterator[Finding]:
    """What rules about times find in one HDU that observes."""
    yield from _order(hdu)
    yield from _julian(hdu)
    yield from _exposure(hdu)
    yield from _summed(hdu)


def check_axis(hdu: Hdu, system: System) -> Iterator[Finding]:
    """Whether the time axis of a coordinate system lies where DATE-BEG and DATE-END say."""
    axis = next((one for one in system.axes if is_time(system.kind(one))), None)
    begin, end, zero = (hdu.moment(name) for name in ("DATE-BEG", "DATE-END", "DATEREF"))
    span = None if axis is None else system.span(axis)
    if axis is None or span is None or begin is None or zero is None or system.is_table(axis):
        return
    unit = unit_of(system.text("CUNIT", axis) or "s")
    if unit is None or unit.physical_type != "time":
        return
    factor, step = float(unit.to("s")), abs(system.number("CDELT", axis) or 0.0)
    margin = abs(step * factor) + (hdu.number("XPOSURE") or 0.0) + 1.0
    first, last = sorted(value * factor for value in span)
    starts, stops = (begin - zero).total_seconds(), None if end is None else (end - zero).total_seconds()
    if not math.isclose(first, starts, abs_tol=margin) or (stops is not None and last > stops + margin):
        stop = "" if stops is None else f" to {stops:.6g}"
        yield hdu.warning(
            system.name("CRVAL", axis),
            f"an axis from {first:.6g} to {last:.6g} s after DATEREF",
            f"the span of DATE-BEG and DATE-END, {starts:.6g}{stop} s",
            "correct CRVAL and CDELT of the time axis, or the dates",
            "SOLARNET 4.1",
        )


def _order(hdu: Hdu) -> Iterator[Finding]:
    begin, average, end, made = (hdu.moment(name) for name in ("DATE-BEG", "DATE-AVG", "DATE-END", "DATE"))
    if begin and end and end < begin:
        advice = "exchange them, or correct the one that is wrong"
        yield hdu.error(
            "DATE-END",
            shown(hdu.get("DATE-END")),
            f"DATE-BEG ({begin.isoformat()}) or later",
            advice,
            _SECTION,
        )
    elif average and ((begin and average < begin) or (end and average > end)):
        advice = "the average of an observation lies within it"
        yield hdu.error(
            "DATE-AVG", shown(hdu.get("DATE-AVG")), "a moment from DATE-BEG to DATE-END", advice, _SECTION
        )
    if made and begin and made < begin and hdu.text("TIMESYS") in ("", "UTC"):
        advice = "DATE is when the file was made, not when the observation was"
        yield hdu.warning(
            "DATE", shown(hdu.get("DATE")), f"DATE-BEG ({begin.isoformat()}) or later", advice, "SOLARNET 8"
        )
    if hdu.says("DATEREF") and hdu.says("MJDREF"):
        advice = "leave one of them"
        yield hdu.warning("MJDREF", "beside DATEREF", "one zero point of time", advice, "FITS 9.2.2")


def _julian(hdu: Hdu) -> Iterator[Finding]:
    for which in ("BEG", "END", "AVG", "OBS"):
        date, days = hdu.moment(f"DATE-{which}"), hdu.number(f"MJD-{which}")
        if date is None or days is None:
            continue
        away = (date - _MJD_EPOCH).total_seconds() - days * _DAY
        if abs(away) > _MJD_ROUNDING:
            found = f"{days:.6f}, {abs(away):.6g} s from DATE-{which}"
            advice = "write one of the two anew from the other"
            yield hdu.warning(f"MJD-{which}", found, f"the moment of DATE-{which}", advice, "FITS 9.5")


def _exposure(hdu: Hdu) -> Iterator[Finding]:
    begin, end, whole = hdu.moment("DATE-BEG"), hdu.moment("DATE-END"), hdu.number("XPOSURE")
    if begin is None or end is None or whole is None or end < begin:
        return
    span = (end - begin).total_seconds()
    if whole > span * (1 + _SHARE) + _ROUNDING:
        advice = "XPOSURE is the whole exposure in seconds, and ends with the observation"
        yield hdu.warning(
            "XPOSURE",
            f"{whole:.6g} s in an observation of {span:.6g} s",
            "no more than DATE-END - DATE-BEG",
            advice,
            "SOLARNET 5.2",
        )


def _summed(hdu: Hdu) -> Iterator[Finding]:
    number, one, whole = hdu.whole("NSUMEXP"), hdu.number("TEXPOSUR"), hdu.number("XPOSURE")
    if number is None or one is None or whole is None:
        return
    if not math.isclose(number * one, whole, rel_tol=_SAME, abs_tol=1e-9):
        found = f"{number} times {one:.6g} s is not {whole:.6g} s"
        advice = "correct the one that is wrong"
        yield hdu.error("XPOSURE", found, "NSUMEXP times TEXPOSUR", advice, "SOLARNET 5.2")

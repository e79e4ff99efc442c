"""Statistics and counts of pixels, number against number: what needs no pixel to be seen wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu

_SECTION: Final = "SOLARNET 5.6"
_COUNTS: Final = "SOLARNET 5.6.1"
#: Share by which written numbers that should be the same may differ.
_SAME: Final = 1e-3
#: Percent: shares are written with a few digits.
_PERCENT: Final = 0.01
#: The card with the share of each class, and the one with its number.
_SHARES: Final = (
    ("PCT_LOST", "NLOSTPIX"),
    ("PCT_SATP", "NSATPIX"),
    ("PCT_SPIK", "NSPIKPIX"),
    ("PCT_MASK", "NMASKPIX"),
    ("PCT_APRX", "NAPRXPIX"),
    ("PCT_DATA", "NDATAPIX"),
)
_LOST: Final = ("NLOSTPIX", "NSATPIX", "NSPIKPIX")


def check(hdu: Hdu) -> Iterator[Finding]:
    """What rules about statistics find in one HDU that observes, without its pixels."""
    hdu = hdu.without_exceptions()
    yield from _order(hdu)
    yield from _normalised(hdu)
    yield from _spread(hdu)
    yield from _total(hdu)
    yield from _usable(hdu)
    yield from _shares(hdu)


def quantiles(hdu: Hdu) -> dict[str, tuple[float, float]]:
    """Cards of percentiles: the share of pixels below, and the value."""
    found = {"DATAMEDN": (0.5, hdu.number("DATAMEDN"))}
    for name in hdu.values:
        if match := re.fullmatch(r"DATAP(\d\d)", name):
            found[name] = (int(match[1]) / 100.0, hdu.number(name))
    return {name: (share, value) for name, (share, value) in found.items() if value is not None}


def _order(hdu: Hdu) -> Iterator[Finding]:
    ordered = sorted(quantiles(hdu).items(), key=lambda item: item[1][0])
    steps = [(name, value) for name, (_, value) in ordered]
    low, high = hdu.number("DATAMIN"), hdu.number("DATAMAX")
    steps = [*([("DATAMIN", low)] if low is not None else []), *steps]
    steps = [*steps, *([("DATAMAX", high)] if high is not None else [])]
    for (before, smaller), (name, value) in pairwise(steps):
        if value < smaller - _SAME * max(abs(value), abs(smaller)):
            advice = "take both from the same pixels"
            yield hdu.error(
                name, f"{value:g}, below {before} = {smaller:g}", f"{before} or more", advice, _SECTION
            )
    mean = hdu.number("DATAMEAN")
    if mean is not None and low is not None and high is not None and low <= high:
        margin = _SAME * max(abs(low), abs(high))
        if not low - margin <= mean <= high + margin:
            advice = "take all three from the same pixels"
            yield hdu.error(
                "DATAMEAN",
                f"{mean:g}, outside {low:g} to {high:g}",
                "between DATAMIN and DATAMAX",
                advice,
                _SECTION,
            )


def _normalised(hdu: Hdu) -> Iterator[Finding]:
    mean = hdu.number("DATAMEAN")
    if not mean:
        return
    pairs = [("DATANRMS", "DATARMS"), ("DATANMAD", "DATAMAD")]
    pairs += [(name, f"DATAP{name[6:]}") for name in hdu.values if re.fullmatch(r"DATANP\d\d", name)]
    for name, of in pairs:
        said, value = hdu.number(name), hdu.number(of)
        if said is None or value is None:
            continue
        wanted = value / mean
        if not math.isclose(said, wanted, rel_tol=_SAME, abs_tol=1e-6):
            yield hdu.error(
                name, f"{said:g}", f"{wanted:.6g}, {of} divided by DATAMEAN", "correct it", _SECTION
            )


def _spread(hdu: Hdu) -> Iterator[Finding]:
    spread, deviation = hdu.number("DATARMS"), hdu.number("DATAMAD")
    if spread is not None and deviation is not None and deviation > spread * (1 + _SAME):
        advice = (
            "DATAMAD is the mean of absolute deviations from the mean, DATARMS the root of their mean square"
        )
        yield hdu.error("DATAMAD", f"{deviation:g}", f"no more than DATARMS = {spread:g}", advice, _SECTION)


def _total(hdu: Hdu) -> Iterator[Finding]:
    total, masked = hdu.whole("NTOTPIX"), hdu.whole("NMASKPIX")
    if total is None or not hdu.shape:
        return
    wanted = math.prod(hdu.shape) - (masked or 0)
    if total != wanted:
        advice = "count all pixels but those that are masked"
        expected = f"{wanted}, the number of pixels less NMASKPIX"
        yield hdu.error("NTOTPIX", str(total), expected, advice, _COUNTS)


def _usable(hdu: Hdu) -> Iterator[Finding]:
    total, usable = hdu.whole("NTOTPIX"), hdu.whole("NDATAPIX")
    lost = [hdu.whole(name) or 0 for name in _LOST]
    if total is None or usable is None:
        return
    if usable > total - max(lost):
        expected = f"{total - max(lost)} at most, NTOTPIX less what is lost, saturated or a spike"
        yield hdu.error("NDATAPIX", str(usable), expected, "count anew", _COUNTS)
    elif usable < total - sum(lost):
        expected = f"{total - sum(lost)}, NTOTPIX - NLOSTPIX - NSATPIX - NSPIKPIX"
        advice = "say in a class of their own which further pixels are not usable"
        yield hdu.note("NDATAPIX", str(usable), expected, advice, _COUNTS)


def _shares(hdu: Hdu) -> Iterator[Finding]:
    total = hdu.whole("NTOTPIX")
    for name, count in _SHARES:
        said, number = hdu.number(name), hdu.whole(count)
        if said is None or number is None or not total:
            continue
        wanted = 100.0 * number / total
        if not math.isclose(said, wanted, rel_tol=_SAME, abs_tol=_PERCENT):
            expected = f"{wanted:.4g}, {count} as a percentage of NTOTPIX"
            yield hdu.error(name, f"{said:g}", expected, "correct one of the two", _COUNTS)

"""Statistics in the header against the pixels themselves, which are seen a part at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.quality import CLASSES, NOT_MEASURED, Quality
from pipeline.solarnet_check.finding import Finding, Grade
from pipeline.solarnet_check.header import Hdu
from pipeline.solarnet_check.statistics import quantiles

#: Values of an image, NaN where they are missing, and the flags of the same pixels.
Part = tuple[NDArray[np.float64], NDArray[Any] | None]
Parts = Callable[[], Iterator[Part]]

_SECTION: Final = "SOLARNET 5.6"
_COUNTS: Final = "SOLARNET 5.6.1"
#: Shares by which a statistic may differ: rounded when written, summed in another order, in single precision.
_CLOSE: Final = 1e-3
#: Of higher moments, which lose more.
_MOMENT: Final = 0.02
#: Of a value that pixels are counted below.
_VALUE: Final = 1e-4
#: Share of pixels that may have been left out without a word before percentiles are doubted.
_UNKNOWN: Final = 0.005
_MOMENTS: Final = ("DATARMS", "DATAMAD", "DATASKEW", "DATAKURT")
_NAMES: Final = ("DATAMIN", "DATAMAX", "DATAMEAN", *_MOMENTS)


@dataclass
class _Seen:
    """What was seen of the pixels."""

    pixels: int = 0
    finite: int = 0
    counted: int = 0
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0
    absolute: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0
    fourths: float = 0.0
    below: dict[str, int] = field(default_factory=dict)
    up_to: dict[str, int] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        return self.total / self.counted if self.counted else math.nan

    def statistics(self) -> dict[str, float]:
        """By the names of their cards; moments only where they were looked at."""
        found = {"DATAMIN": self.low, "DATAMAX": self.high, "DATAMEAN": self.mean}
        variance = self.squares / self.counted
        if variance > 0:
            found["DATASKEW"] = self.cubes / self.counted / variance**1.5
            found["DATAKURT"] = self.fourths / self.counted / variance**2 - 3.0
        return found | {"DATARMS": math.sqrt(variance), "DATAMAD": self.absolute / self.counted}


def wants_pixels(hdu: Hdu) -> bool:
    """Whether a header says anything that pixels can tell to be wrong."""
    hdu = hdu.without_exceptions()
    counts = any(name.startswith("N") and name.endswith("PIX") for name in hdu.values)
    return bool(hdu.shape) and (counts or bool(quantiles(hdu)) or any(map(hdu.says, _NAMES)))


def flags_of(hdu: Hdu | None) -> dict[str, int]:
    """The bits of a plane of flags by their names, by its QBITn cards; none where it is no such plane."""
    if hdu is None:
        return {}
    cards = ((re.fullmatch(r"QBIT(\d|1[0-5])", name), hdu.text(name)) for name in hdu.values)
    return {text: 1 << int(match[1]) for match, text in cards if match}


def check(hdu: Hdu, parts: Parts, bits: Mapping[str, int]) -> Iterator[Finding]:
    """What the pixels of an HDU say of its statistics.

    Parameters
    ----------
    hdu
        The HDU.
    parts
        Gives its pixels from the first, each time it is called.
    bits
        Of the flags that come with them, by name; see `flags_of`.

    Yields
    ------
    Finding
        Where flags say which pixels count, a difference is an error; else pixels may have been left out for
        reasons that the file does not tell, and only what no choice of pixels can give is one.
    """
    hdu = hdu.without_exceptions()
    seen = _look(hdu, parts, bits)
    yield from _counts(hdu, seen, bits)
    if not seen.counted:
        return
    known = bool(bits)
    found = seen.statistics()
    for name in _NAMES:
        said = hdu.number(name)
        if said is not None and name in found:
            yield from _compare(hdu, name, said, found, known=known)
    yield from _compare_quantiles(hdu, seen, known=known)


def _look(hdu: Hdu, parts: Parts, bits: Mapping[str, int]) -> _Seen:
    refused = _mask(bits, NOT_MEASURED)
    seen, wanted = _Seen(), quantiles(hdu)
    for values, flags in parts():
        seen.pixels += values.size
        fine = np.isfinite(values)
        seen.finite += int(np.count_nonzero(fine))
        if flags is not None:
            for name, _, its in CLASSES:
                number = int(np.count_nonzero(flags & _mask(bits, its)))
                seen.flagged[name] = seen.flagged.get(name, 0) + number
            fine &= (flags & refused) == 0
        kept = values if fine.all() else values[fine]
        if not kept.size:
            continue
        seen.counted += kept.size
        seen.low, seen.high = min(seen.low, float(kept.min())), max(seen.high, float(kept.max()))
        seen.total += float(kept.sum())
        for name, (_, value) in wanted.items():
            margin = _VALUE * abs(value)
            seen.below[name] = seen.below.get(name, 0) + int(np.count_nonzero(kept < value - margin))
            seen.up_to[name] = seen.up_to.get(name, 0) + int(np.count_nonzero(kept <= value + margin))
    if seen.counted and any(map(hdu.says, _MOMENTS)):
        _look_again(seen, parts, refused)
    return seen


def _look_again(seen: _Seen, parts: Parts, refused: int) -> None:
    """Moments about the mean, which is known by now."""
    mean = seen.mean
    for values, flags in parts():
        fine = np.isfinite(values)
        if flags is not None:
            fine &= (flags & refused) == 0
        away = values[fine] - mean
        square = away * away
        seen.absolute += float(np.abs(away).sum())
        seen.squares += float(square.sum())
        seen.cubes += float((square * away).sum())
        seen.fourths += float((square * square).sum())


def _mask(bits: Mapping[str, int], wanted: Quality) -> int:
    return sum(
        value for name, value in bits.items() if name in Quality.__members__ and Quality[name] & wanted
    )


def _compare(
    hdu: Hdu, name: str, said: float, found: Mapping[str, float], *, known: bool
) -> Iterator[Finding]:
    value, spread = found[name], found["DATARMS"]
    size = max(abs(value), spread if name in ("DATAMIN", "DATAMAX", "DATAMEAN") else 0.0)
    margin = _CLOSE * size
    fits = [value]
    if name in ("DATASKEW", "DATAKURT"):
        margin = _MOMENT * max(1.0, abs(value))
        fits += (
            [value + 3.0] if name == "DATAKURT" else []
        )  # some take the excess over a Gaussian's, some do not
    if any(abs(said - one) <= margin for one in fits):
        return
    low, high = found["DATAMIN"] - margin, found["DATAMAX"] + margin
    impossible = name in ("DATAMIN", "DATAMAX", "DATAMEAN") and not low <= said <= high
    advice = "compute it from the pixels that are written, leaving out those that were not measured"
    grade = Grade.ERROR if known or impossible else Grade.WARNING
    yield hdu.find(grade, name, f"{said:g}", f"{value:.6g}, by the pixels", advice, _SECTION)


def _compare_quantiles(hdu: Hdu, seen: _Seen, *, known: bool) -> Iterator[Finding]:
    # Ranks are rounded up, down, or values at two ranks are averaged.
    slack = 1.5 / seen.counted + (0.0 if known else _UNKNOWN)
    for name, (share, value) in quantiles(hdu).items():
        below, up_to = seen.below.get(name, 0) / seen.counted, seen.up_to.get(name, 0) / seen.counted
        if below <= share + slack and up_to >= share - slack:
            continue
        where = f"{100 * below:.3g} %" if below == up_to else f"{100 * below:.3g} to {100 * up_to:.3g} %"
        found = f"{value:g}, which {where} of the pixels are below"
        outside = not seen.low - _CLOSE * abs(seen.low) <= value <= seen.high + _CLOSE * abs(seen.high)
        grade = Grade.ERROR if known or outside else Grade.WARNING
        advice = "compute it from the pixels that are written, leaving out those that were not measured"
        yield hdu.find(grade, name, found, f"a value that {100 * share:g} % are below", advice, _SECTION)


def _counts(hdu: Hdu, seen: _Seen, bits: Mapping[str, int]) -> Iterator[Finding]:
    usable = hdu.whole("NDATAPIX")
    if usable is not None and usable > seen.finite:
        advice = "count pixels that have a value"
        expected = f"{seen.finite} at most: the others have no value"
        yield hdu.error("NDATAPIX", str(usable), expected, advice, _COUNTS)
    if not bits:
        return
    for name, number in seen.flagged.items():
        said = hdu.whole(name)
        if said is not None and said < number:
            advice = "count the flags of the plane beside the image"
            yield hdu.error(name, str(said), f"{number}, by the flags", advice, _COUNTS)
        elif said is not None and said > number:
            advice = "the flags do not say which of them they are"
            yield hdu.note(name, str(said), f"{number}, by the flags", advice, _COUNTS)

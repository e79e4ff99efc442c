"""Headers that say what cannot be: values out of their range, dates that contradict, keywords said twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from astropy.io import fits
from pydantic import BaseModel, ConfigDict

from pipeline.errors import BadInput

#: Keywords that may stand many times.
_COMMENTARY: Final = {"", "COMMENT", "HISTORY", "CONTINUE"}
#: Two keywords for one moment may mean its begin and its middle, in UTC and TAI.
_SAME_MOMENT: Final = timedelta(minutes=10)
_DAY: Final = timedelta(days=1)
_NAMED: Final = 5


class KeywordRule(BaseModel):
    """What a keyword's value may be.

    Attributes
    ----------
    min, max
        Range of a number, both included.
    values
        All values there are; numbers may be written in any way.
    required
        A file without the keyword, or with another value, is put aside; it gets a caveat otherwise.
    source
        Where the range is known from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = None
    max: float | None = None
    values: tuple[str | float, ...] = ()
    required: bool = False
    source: str = ""

    def allows(self, value: Any) -> bool:
        """Whether a header may say this."""
        if self.values and _plain(value) not in {_plain(one) for one in self.values}:
            return False
        if self.min is None and self.max is None:
            return True
        number = _number(value)
        if number is None or (self.min is not None and number < self.min):
            return False
        return self.max is None or number <= self.max

    def __str__(self) -> str:
        if self.values:
            return f"one of {', '.join(map(_plain, self.values))}"
        low, high = ("" if one is None else f"{one:g}" for one in (self.min, self.max))
        return (
            f"a number from {low} to {high}"
            if low and high
            else f"a number, {low or high} at the " + ("least" if low else "most")
        )


def check_values(rules: Mapping[str, KeywordRule], header: fits.Header, source: str = "") -> tuple[str, ...]:
    """Caveats about values that a description does not allow.

    Parameters
    ----------
    rules
        Keyword → what it may be.
    header
        Of the image.
    source
        Name of the file, for messages.

    Raises
    ------
    BadInput
        When a required keyword is absent or has such a value.
    """
    caveats = []
    for keyword, rule in rules.items():
        value = header.get(keyword)
        absent = _is_absent(value)
        if (absent and not rule.required) or (not absent and rule.allows(value)):
            continue
        if rule.required:
            wrong = f"{keyword} cannot be right: it should be {rule}"
            raise BadInput(
                f"the header has no {keyword}" if absent else wrong,
                file=source,
                keyword=keyword,
                found="absent or without value" if absent else _shown(value),
                advice=f"have {keyword} corrected at its source: the image is known by it or divided by it",
            )
        caveats.append(f"{keyword} is {_shown(value)} where {rule} is expected")
    return tuple(caveats)


def check_exposure(keyword: str, header: fits.Header) -> tuple[str, ...]:
    """A caveat about an exposure time that no image has, whatever took it."""
    value = header.get(keyword)
    if _is_absent(value) or KeywordRule(min=0, max=_DAY.total_seconds()).allows(value):
        return ()
    return (f"{keyword} is {_shown(value)}: no exposure of an image lasts so long",)


def check_dates(
    said: Mapping[str, datetime], begin: datetime, written: datetime | None, now: datetime
) -> tuple[str, ...]:
    """Caveats about dates that cannot be, or cannot all be.

    Parameters
    ----------
    said
        Keyword → the beginning of the observation as it states it.
    begin
        The beginning that is believed.
    written
        When the file says it was written.
    now
        The present.
    """
    caveats = [
        f"{keyword} says {_moment(date)} where the observation is said to begin at {_moment(begin)}"
        for keyword, date in said.items()
        if abs(date - begin) > _tolerance(date, begin)
    ]
    if begin > now + _DAY:
        caveats.append(f"the observation is said to begin in the future, at {_moment(begin)}")
    if written is not None and written < begin - _DAY:
        caveats.append(f"DATE says the file was written at {_moment(written)}, before the observation")
    return tuple(caveats)


def check_twice(header: fits.Header) -> tuple[str, ...]:
    """A caveat about keywords that stand several times with different values."""
    counts = Counter(card.keyword for card in header.cards)
    twice = [
        keyword
        for keyword, count in counts.items()
        if count > 1 and keyword not in _COMMENTARY and len(set(_values(header, keyword, count))) > 1
    ]
    if not twice:
        return ()
    named = ", ".join(f"{key} ({_listed(header, key, counts[key])})" for key in twice[:_NAMED])
    more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
    return (f"keywords stand several times with different values, of which the first counts: {named}{more}",)


def _listed(header: fits.Header, keyword: str, count: int) -> str:
    return ", ".join(_values(header, keyword, min(count, 3)))


def _values(header: fits.Header, keyword: str, count: int) -> Iterator[str]:
    return (_shown(header[keyword, number]) for number in range(count))


def _tolerance(first: datetime, second: datetime) -> timedelta:
    """Where a keyword holds a day without a time, the day is all that can be compared."""
    whole = any(date == date.replace(hour=0, minute=0, second=0, microsecond=0) for date in (first, second))
    return _DAY if whole else _SAME_MOMENT


def _moment(date: datetime) -> str:
    return date.replace(tzinfo=None).isoformat(timespec="seconds")


def _is_absent(value: Any) -> bool:
    blank = isinstance(value, str) and not value.strip()
    return blank or value is None or isinstance(value, fits.card.Undefined)


def _shown(value: Any) -> str:
    """A value as the header writes it, of bounded length."""
    return ("no value" if _is_absent(value) else str(value).strip())[:80]


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _plain(value: Any) -> str:
    """A number in its shortest form, other text as it is."""
    number = _number(value)
    return str(value).strip() if number is None else f"{number:g}"

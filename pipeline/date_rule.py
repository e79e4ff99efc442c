"""When an observation began: which of a header's dates counts, and what is said where none is whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from astropy.io import fits
from pydantic import BaseModel, ConfigDict, Field

from pipeline.cards import header_text
from pipeline.dates import has_time, parse_date, time_of_day
from pipeline.errors import BadInput

#: The Sun is drawn since Galileo's days; other years are fillers of archives (0001, 9999).
_YEARS: Final = range(1600, 2500)


class DateRule(BaseModel):
    """Where the date of an observation stands.

    Attributes
    ----------
    keywords
        The first of them that holds a date with a time of day counts.
    time_keyword
        Where the time of day stands that a date lacks; names that are in use for it are known besides.
    middle
        Where the middle of the exposure stands, for files in which no keyword has its begin.
    exposure, seconds
        The keyword of the exposure time, ``EXPTIME`` where none is named, and the seconds in its unit.
    since
        Day before which there was no instrument: earlier dates are none (``25/06/02`` is of 1902).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    keywords: tuple[str, ...] = ("DATE-OBS", "DATE_OBS")
    time_keyword: str = "TIME-OBS"
    middle: tuple[str, ...] = ()
    exposure: str = ""
    seconds: float = Field(default=1.0, gt=0)
    since: date | None = None

    def moment(self, header: fits.Header, keyword: str) -> tuple[datetime | None, bool]:
        """What a keyword says, `None` where it is no date that can be; and whether it says a time of day."""
        text = header_text(header, keyword)
        time = "" if has_time(text) else time_of_day(header, self.time_keyword)
        found = parse_date(text, time) if text else None
        if found is None and text and time:
            found, time = parse_date(text), ""
        can_be = found is not None and found.year in _YEARS and (not self.since or found.date() >= self.since)
        return (found if can_be else None), has_time(text) or bool(time)


def begin_of(
    header: fits.Header, rule: DateRule, exposure: float | None, source: str
) -> tuple[datetime, tuple[str, ...]]:
    """When an observation began (UTC), and caveats where that is not what the first keyword says.

    Parameters
    ----------
    header
        Of the image, its dates in UTC.
    rule
        Where they stand.
    exposure
        Seconds; `None` where it is not known.
    source
        Name of the file, for messages.

    Raises
    ------
    BadInput
        When no keyword holds a date that can be.
    """
    wrong: list[str] = []
    day: tuple[datetime, str] | None = None
    for keyword in rule.keywords:
        found, exact = rule.moment(header, keyword)
        if found is not None and exact:
            return found, _taken_from(keyword, wrong)
        if found is not None:
            day = day or (found, keyword)
        elif text := header_text(header, keyword):
            wrong.append(f"{keyword}={text}")
    for keyword in rule.middle:
        found, exact = rule.moment(header, keyword)
        if found is not None and exact:
            begin = found - timedelta(seconds=(exposure or 0.0) / 2)
            caveat = f"the begin was computed from {keyword}, the middle of the exposure"
            without = "" if exposure else ", without the exposure time, which the header lacks"
            return begin, (caveat + without, *_taken_from(keyword, wrong))
    if day is not None:
        caveat = f"{day[1]} holds a day and nothing the time of day: midnight was taken"
        return day[0], (caveat, *_taken_from(day[1], wrong))
    absent = (f"{name}=absent" for name in rule.keywords if not header_text(header, name))
    since = f"; there was none before {rule.since}" if wrong and rule.since else ""
    raise BadInput(
        "the header's date of observation is no date that can be"
        if wrong
        else "the header has no date of observation",
        file=source,
        keyword=", ".join((*rule.keywords, *rule.middle)),
        found=", ".join((*wrong, *absent)),
        advice=f"correct the header; dates are written YYYY-MM-DDThh:mm:ss{since}",
    )


def _taken_from(keyword: str, wrong: Sequence[str]) -> tuple[str, ...]:
    if not wrong:
        return ()
    return (f"the date was taken from {keyword}, for it cannot be read from {', '.join(wrong)}",)


def said_dates(header: fits.Header, rule: DateRule) -> Iterator[tuple[str, datetime]]:
    """Every date of the observation that a header states."""
    for keyword in (*rule.keywords, *rule.middle):
        found, _ = rule.moment(header, keyword)
        if found is not None:
            yield keyword, found

"""Finding: the first page, search with facets, and the calendar of days with data."""

from __future__ import annotations

import calendar as months
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from math import inf
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from lake.archive.asked import Paged
from lake.archive.asking import Asker, OfLake
from lake.archive.pages.citing import title_of
from lake.archive.pages.rendering import page
from lake.errors import BadInput
from lake.lake import Lake
from lake.releases.facets import facets
from lake.releases.finding import Wanted
from lake.releases.overview import Holding, calendar, first_files, holdings
from lake.releases.search import listing

router = APIRouter(include_in_schema=False)

_SHOWN: Final = 25
"""Results on one page."""
_RARE: Final = (
    *("exposure_min", "exposure_max", "campaign", "kind", "x", "y", "radius"),
    *("polarimetric", "spectroscopic", "embargoed"),
)
"""What few ask for: the form shows it when it is asked for, or opened."""
_NARROWED: Final = ("instrument", "level", "year", "target", "campaign", "kind")
"""Facets by which a search may go on, in this order."""
_VALUES: Final = 8
"""Values of a facet that are offered."""
_NEW: Final = 6
_LEVELS: Final = 8
"""Releases of the latest moment among which the one that was processed most is looked for."""
_YEARS: Final = (1600, 2400)
_FULL: Final = 4
"""How many shades a day of the calendar may have."""


@router.get("/")
def home(request: Request, lake: OfLake, principal: Asker) -> HTMLResponse:
    """The first page: what there is, and where to look."""
    there = holdings(lake)
    latest = sorted(
        (one for one in there if one.last is not None), key=lambda one: str(one.last), reverse=True
    )
    shown: list[dict[str, Any]] = []
    for one in latest[:_NEW]:
        wanted = Wanted(instrument=one.instrument, since=one.last, status="ACTIVE")
        found = listing(lake, wanted, principal=principal, limit=_LEVELS)["releases"]
        shown += sorted(found, key=lambda one: rank(one["level"]))[-1:]
    return page(
        request,
        "home.html",
        holdings=there,
        latest=shown,
        titles={one.instrument: title_of(request, one.instrument) for one in there},
        pictures=_pictures(lake, shown),
    )


@router.get("/search")
def search(request: Request, lake: OfLake, principal: Asker) -> HTMLResponse:
    """Releases that match what the form says, and how to say more of it."""
    words = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    given = {name: value for name, value in words.items() if name in Paged.model_fields}
    mistakes: dict[str, str] = {}
    found: dict[str, Any] = {"releases": [], "more": ""}
    counted: dict[str, Any] = {"count": 0, "more": False, "facets": {}}
    try:
        asked = Paged.model_validate({"limit": _SHOWN, **given})
        wanted = asked.wanted()
        found = listing(lake, wanted, principal=principal, limit=asked.limit, after=asked.after)
        counted = facets(lake, wanted, principal)
    except ValidationError as error:
        mistakes = {str(one["loc"][0]): _sentence(one["msg"]) for one in error.errors() if one["loc"]}
    except BadInput as error:
        mistakes = {error.keyword.partition(",")[0]: f"{error.reason}: {error.advice}"}
    there = holdings(lake)
    without = {name: value for name, value in given.items() if name not in ("after", "limit")}
    return page(
        request,
        "search.html",
        status=422 if mistakes else 200,
        holdings=there,
        levels=_levels(there, given.get("instrument", "")),
        asked=without,
        rare=any(name in _RARE for name in without),
        mistakes=mistakes,
        found=found["releases"],
        number=counted["count"],
        more=counted["more"],
        narrower=list(_narrower(without, counted["facets"])),
        following=urlencode(without | {"after": found["more"]}) if found["more"] else "",
        beginning=urlencode(without) if "after" in given else "",
        chips=_chips(without),
        api=urlencode(without),
        pictures=_pictures(lake, found["releases"]),
    )


@router.get("/calendar")
def days(request: Request, lake: OfLake, principal: Asker) -> HTMLResponse:
    """On which days of a year an instrument has data."""
    there = holdings(lake)
    by_name = {one.instrument: one for one in there}
    chosen = by_name.get(request.query_params.get("instrument", ""), there[0] if there else None)
    level = request.query_params.get("level", "")
    level = level if chosen and level in chosen.levels else ""
    year = _year(request.query_params.get("year", ""), chosen)
    found = calendar(lake, chosen.instrument, year, level or None) if chosen else {}
    return page(
        request,
        "calendar.html",
        holdings=there,
        chosen=chosen,
        level=level,
        year=year,
        years=_years(chosen, year),
        number=sum(found.values()),
        days_with_data=len(found),
        months=[_month(year, month, found) for month in range(1, 13)] if chosen else [],
    )


def _narrower(
    asked: Mapping[str, str], counted: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[tuple[str, list[tuple[str, int, str]]]]:
    """Facets whose values differ among what was found: of each value how many have it, and the question."""
    for name in _NARROWED:
        values = counted.get(name, ())
        if name in asked or len(values) < 2:
            continue
        yield (
            name,
            [
                (str(one["value"]), one["count"], urlencode({**asked, **_with(name, one["value"])}))
                for one in values[:_VALUES]
            ],
        )


def _with(facet: str, value: Any) -> dict[str, str]:
    """A value of a facet in the words of a search."""
    if facet != "year":
        return {facet: str(value)}
    return {"since": f"{value:04d}-01-01", "until": f"{value + 1:04d}-01-01"}


def _levels(there: Sequence[Holding], instrument: str) -> list[str]:
    """The levels there are of an instrument, or of any."""
    found = {level for one in there if instrument in ("", one.instrument) for level in one.levels}
    return sorted(found, key=rank)


def rank(level: str) -> tuple[float, str]:
    """Levels by their number; quick looks at the end."""
    number = re.match(r"\d+(\.\d+)?", level)
    return (float(number[0]) if number else inf, level)


def _pictures(lake: Lake, releases: Sequence[dict[str, Any]]) -> dict[tuple[str, int], str]:
    """Of releases that whoever asks may see, the file whose picture stands for them."""
    return first_files(lake, [(one["product"], one["version"]) for one in releases if one["available"]])


def _chips(asked: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is asked for, a word each, and the question without it."""
    return [
        (name, value, urlencode({other: one for other, one in asked.items() if other != name}))
        for name, value in asked.items()
    ]


def _year(text: str, chosen: Holding | None) -> int:
    if text.isascii() and text.isdigit() and len(text) == 4 and _YEARS[0] <= int(text) <= _YEARS[1]:
        return int(text)
    last = chosen.last if chosen else None
    return (last or datetime.now(UTC)).astimezone(UTC).year


def _years(chosen: Holding | None, year: int) -> list[int]:
    """The years that have data, from the first to the last; the one that is shown among them."""
    if chosen is None or chosen.first is None or chosen.last is None:
        return [year]
    first, last = chosen.first.astimezone(UTC).year, chosen.last.astimezone(UTC).year
    return list(range(min(first, year), max(last, year) + 1))


def _month(year: int, month: int, found: dict[date, int]) -> dict[str, Any]:
    """The weeks of a month, Monday first: of each day its number, how many releases, and how many shades."""
    most = max(found.values(), default=1)
    weeks = [
        [_day(one, month, found.get(one, 0), most) for one in week]
        for week in months.Calendar().monthdatescalendar(year, month)
    ]
    return {"name": months.month_name[month], "weeks": weeks}


def _day(one: date, month: int, number: int, most: int) -> dict[str, Any]:
    following = date.fromordinal(one.toordinal() + 1) if one < date.max else one
    return {
        "day": one.day if one.month == month else 0,
        "date": one.isoformat(),
        "following": following.isoformat(),
        "number": number if one.month == month else 0,
        "shade": 1 + round((_FULL - 1) * number / most) if number else 0,
    }


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")

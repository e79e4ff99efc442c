"""What there is: instruments, days with data, and how many releases match."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from lake.archive.asked import Asked, InstrumentName, LevelName
from lake.archive.asking import Asker, OfLake
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.releases import finding
from lake.releases.facets import facets
from lake.releases.overview import calendar, holdings

router = APIRouter(tags=["overview"])

_MOST = 10_000
"""Counted no further: whoever finds so many has to say more of what they want."""


class Instrument(BaseModel):
    """An instrument with ACTIVE releases: their levels, and when they begin."""

    instrument: str
    levels: list[str]
    first: str | None
    last: str | None


class Instruments(BaseModel):
    """All of them."""

    instruments: list[Instrument]


class Days(BaseModel):
    """Days of a year on which releases begin, and how many."""

    instrument: str
    year: int
    days: dict[str, int]


class Count(BaseModel):
    """How many match; `more` where they were counted no further."""

    count: int
    more: bool


class Value(BaseModel):
    """A value, and how many have it."""

    value: str | int | bool
    count: int


class Facets(BaseModel):
    """Values of each facet, the most frequent first."""

    count: int
    more: bool
    facets: dict[str, list[Value]]


@router.get("/instruments", summary="Instruments of which there is something", response_model=Instruments)
def instruments(lake: OfLake) -> dict[str, Any]:
    """Their levels, and from when to when they have releases."""
    return {
        "instruments": [
            {
                "instrument": one.instrument,
                "levels": list(one.levels),
                "first": iso(one.first),
                "last": iso(one.last),
            }
            for one in holdings(lake)
        ]
    }


@router.get("/instruments/{instrument}/calendar", summary="Days with data", response_model=Days)
def days(
    lake: OfLake,
    instrument: InstrumentName,
    year: Annotated[int, Query(ge=1600, le=2400)],
    level: LevelName | None = None,
) -> dict[str, Any]:
    """How many ACTIVE releases begin on each day of a year; days that have none are left out."""
    if instrument not in {one.instrument for one in holdings(lake)}:
        raise BadInput(
            "there is nothing of such an instrument",
            keyword="instrument",
            found=instrument,
            advice="/api/v1/instruments lists them",
            code=Reason.NOT_FOUND,
        )
    found = calendar(lake, instrument, year, level)
    return {
        "instrument": instrument,
        "year": year,
        "days": {day.isoformat(): number for day, number in found.items()},
    }


@router.get("/facets", summary="What there is of each kind among what matches", response_model=Facets)
def facets_of(lake: OfLake, principal: Asker, asked: Annotated[Asked, Query()]) -> dict[str, Any]:
    """How many that `/releases` with the same words would list are of each instrument, level, year, target …

    Counted among the first 50000; `more` says that there are others. Told again for half a minute.
    """
    return facets(lake, asked.wanted(), principal)


@router.get("/count", summary="How many releases match", response_model=Count)
def count(lake: OfLake, principal: Asker, asked: Annotated[Asked, Query()]) -> dict[str, Any]:
    """As many as `/releases` with the same words would list, page after page; counted up to 10000."""
    number = finding.count(lake, asked.wanted(), principal, _MOST + 1)
    return {"count": min(number, _MOST), "more": number > _MOST}

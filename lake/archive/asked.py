"""What is asked for, in the words of an address."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lake.releases.facts import Shows
from lake.releases.finding import Wanted

MOST: Final = 1000
"""Things on one page."""


def _iso(value: object) -> object:
    """Take no number for a time, as a time since 1970."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("write it as 2011-09-10 or 2011-09-10T12:00:00Z")
    return value


Time = Annotated[
    datetime | None, BeforeValidator(_iso), Field(description="ISO 8601; UTC where no zone is given.")
]
InstrumentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,25}$")]
LevelName = Annotated[str, Field(pattern=r"^[0-9A-Za-z.]{1,12}$")]
Number = Annotated[float | None, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Word = Annotated[str | None, Field(pattern=r"^[ -~]{1,80}$")]


class Asked(BaseModel):
    """What releases are to match, all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: InstrumentName | None = None
    level: LevelName | None = None
    since: Time = None
    until: Time = None
    status: Literal["ACTIVE", "SUPERSEDED", "WITHDRAWN"] = "ACTIVE"
    observation: Annotated[
        str | None, Field(description="Its name; * and ? stand for anything.", pattern=r"^[!-~]{1,250}$")
    ] = None
    words: Annotated[
        str | None,
        Field(description="Words of its name or values; * behind one stands for any ending.", max_length=200),
    ] = None
    available: Annotated[bool, Field(description="Only what you may have now.")] = False
    wave_min: Annotated[Number, Field(description="Has wavelengths from here on, in nanometres.")] = None
    wave_max: Annotated[Number, Field(description="Has wavelengths up to here, in nanometres.")] = None
    x: Annotated[Number, Field(description="Helioprojective, in arcseconds; with y.")] = None
    y: Number = None
    radius: Annotated[
        Number, Field(ge=0, description="How near to x and y its field comes, in arcseconds.")
    ] = None
    mu_min: Annotated[Number, Field(description="Cosine of the heliocentric angle, from here on.")] = None
    mu_max: Number = None
    angle_min: Annotated[Number, Field(ge=0, le=90, description="The same as an angle in degrees.")] = None
    angle_max: Annotated[Number, Field(ge=0, le=90)] = None
    exposure_min: Annotated[Number, Field(description="In seconds.")] = None
    exposure_max: Number = None
    target: Annotated[Word, Field(description="What was looked at, as the header says.")] = None
    campaign: Word = None
    kind: Annotated[Word, Field(description="In which mode it was observed.")] = None
    polarimetric: Annotated[bool | None, Field(description="Whether there are Stokes parameters.")] = None
    spectroscopic: Annotated[bool | None, Field(description="Whether there are spectra.")] = None
    embargoed: Annotated[bool | None, Field(description="Whether it is under embargo now.")] = None

    def wanted(self) -> Wanted:
        """The same in the words of the lake.

        Raises
        ------
        lake.errors.BadInput
            When the time span is empty.
        """
        seen = (
            None if self.words is None else "".join(one if one.isprintable() else " " for one in self.words)
        )
        return Wanted(
            self.instrument,
            self.level,
            _utc(self.since),
            _utc(self.until),
            self.status,
            self.observation,
            seen,
            available=self.available,
            shows=self._shows(),
        )

    def _shows(self) -> Shows:
        given = {one.name: getattr(self, one.name) for one in fields(Shows)}
        for end, other in (("min", "max"), ("max", "min")):
            # The larger the angle, the smaller its cosine.
            angle = getattr(self, f"angle_{other}")
            if angle is not None and given[f"mu_{end}"] is None:
                given[f"mu_{end}"] = math.cos(math.radians(angle))
        return Shows(**given)


class Paged(Asked):
    """The same, and which page of it."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = 100
    after: Annotated[
        str, Field(description="As `next` of the page before has it.", pattern=r"^[A-Za-z0-9_-]{0,800}$")
    ] = ""


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

"""What is said of data where they are cited: creators, publisher, funding, licence. Never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

TEST_CREATOR: Final = "TEST VALUE (no creator is configured)"
TEST_PUBLISHER: Final = "TEST VALUE (no publisher is configured)"
_ORCID: Final = r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$"
_ROR: Final = r"^https://ror\.org/0[a-z0-9]{6}\d{2}$"
_URI: Final = r"^(https?://|info:|urn:)\S+$"
_DOI: Final = r"^10\.\d{4,9}/\S+$"


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_min_length=1)


class Organisation(_Said):
    """A publisher, or where somebody works.

    Attributes
    ----------
    name
        Its name.
    ror
        Its id at the Research Organization Registry, ``https://ror.org/…``.
    """

    name: str
    ror: str | None = Field(default=None, pattern=_ROR)


class Creator(_Said):
    """Who made the data: a person (`family`, `given`) or an organisation or team (`name`).

    Attributes
    ----------
    name
        Of an organisation or a team.
    family, given
        Of a person.
    orcid
        Of a person, ``0000-0002-1825-0097``.
    affiliation
        Where a person works.
    """

    name: str | None = None
    family: str | None = None
    given: str | None = None
    orcid: str | None = Field(default=None, pattern=_ORCID)
    affiliation: tuple[Organisation, ...] = ()

    @field_validator("orcid")
    @classmethod
    def _has_its_check_digit(cls, orcid: str | None) -> str | None:
        if orcid is not None and not _checks(orcid):
            raise ValueError(f"the last digit of the ORCID {orcid} does not fit the others")
        return orcid

    @model_validator(mode="after")
    def _is_a_person_or_an_organisation(self) -> Creator:
        if (self.name is None) == (self.family is None):
            raise ValueError("give a person's family (and given), or the name of an organisation")
        return self

    @property
    def whole_name(self) -> str:
        """As it is sorted: `Family, Given`."""
        return self.name or ", ".join(one for one in (self.family, self.given) if one)


class Funder(_Said):
    """Who paid, and by which award."""

    name: str
    ror: str | None = Field(default=None, pattern=_ROR)
    award: str | None = None
    award_title: str | None = None
    award_uri: str | None = Field(default=None, pattern=_URI)


class Licence(_Said):
    """Under which terms the data may be used; `spdx` is its short name in the SPDX list."""

    name: str
    uri: str = Field(pattern=_URI)
    spdx: str | None = None


class InstrumentSaid(_Said):
    """The instrument that took the data, and its own identifier where it has one (PIDINST)."""

    name: str
    doi: str | None = Field(default=None, pattern=_DOI)


class Citation(_Said):
    """What is said of the data of an instrument where they are cited.

    Attributes
    ----------
    title
        What the data are; observation and level are added to it.
    creators
        Who made them.
    publisher
        Who makes them available.
    licence
        Under which terms.
    funding
        Who paid.
    subjects
        Keywords.
    instrument
        What took them.
    description
        A few sentences on them.
    language
        Of the titles.
    """

    title: str
    creators: tuple[Creator, ...] = Field(min_length=1)
    publisher: Organisation
    licence: Licence | None = None
    funding: tuple[Funder, ...] = ()
    subjects: tuple[str, ...] = ()
    instrument: InstrumentSaid | None = None
    description: str | None = None
    language: str = "en"

    @property
    def of_tests(self) -> bool:
        """Whether any of it is a test value."""
        return self.publisher.name == TEST_PUBLISHER or any(one.name == TEST_CREATOR for one in self.creators)


def with_test_values(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said, with test values marked as such for what is required and not said."""
    return {"creators": [{"name": TEST_CREATOR}], "publisher": {"name": TEST_PUBLISHER}, **said}


def mistakes(said: Mapping[str, Any]) -> list[str]:
    """What of something said cannot be, a sentence each; what is not said may be said elsewhere."""
    try:
        Citation.model_validate({"title": "", **said})
    except ValidationError as error:
        return [
            f"citation.{'.'.join(map(str, one['loc']))}: {one['msg']}, not {one['input']!r}"
            for one in error.errors()
            if not (len(one["loc"]) == 1 and one["loc"][0] not in said)
        ]
    return []


def _checks(orcid: str) -> bool:
    """Whether the last character is the check digit of the others (ISO 7064, mod 11-2)."""
    digits = orcid.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return digits[-1] == ("X" if check == 10 else str(check))

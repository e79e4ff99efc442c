"""Instruments: YAML descriptions of how to recognise files and what to make of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import Any, Final

from astropy.io import fits
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.axes import IMAGES, AxesRule, as_rules, layout_of, stored_dims
from pipeline.cards import header_text as header_text  # noqa: PLC0414 - instruments take it from here
from pipeline.completeness import Expectation
from pipeline.date_rule import DateRule as DateRule  # noqa: PLC0414 - a part of a description
from pipeline.date_rule import begin_of, said_dates
from pipeline.dates import in_utc, unknown_scale
from pipeline.dates import parse_date as parse_date  # noqa: PLC0414 - instruments take it from here
from pipeline.dims import Dims, Layout, flagged
from pipeline.errors import BadInput
from pipeline.keywords import KeywordRule, check_dates, check_exposure, check_twice, check_values
from pipeline.level import Level
from pipeline.preview import PreviewRule

#: Observations name folders and data sets, to which a level and a version are added.
_OBSERVATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_LONGEST_EXPOSURE: Final = 86400 * 30
_LONGEST: Final = timedelta(seconds=_LONGEST_EXPOSURE)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LevelRule(_Model):
    """Which level a file has: by a keyword's value, or one level for all.

    Attributes
    ----------
    keyword, pattern
        Where it stands, and the part of the value that counts; the rest of the value may be anything.
    values
        Value → level; numbers may be written in any way ("1" stands for 1.0 too). Another value is refused.
    otherwise
        The rule for files whose header lacks the keyword, or in whose value the pattern is not found.
    default
        Their level where there is no such rule.
    where
        What must hold for the default to be believed: keyword → pattern of the whole value, in any case; an
        absent keyword has the empty value. Calibrated files of other archives often name no level either, and
        must not pass for raw ones.
    """

    keyword: str = ""
    pattern: str = ""
    values: dict[str, Level] = Field(default_factory=dict)
    otherwise: LevelRule | None = None
    default: Level | None = None
    where: dict[str, str] = Field(default_factory=dict)

    @property
    def levels(self) -> frozenset[str]:
        """All levels the rule can give."""
        own = {*self.values.values(), *([] if self.default is None else [self.default])}
        return frozenset(own | (self.otherwise.levels if self.otherwise else frozenset()))


class MetaRule(_Model):
    """Where a searchable value stands, and what of it counts."""

    keyword: str = ""
    value: str | int | float | None = None
    pattern: str = ""
    map: dict[str, str] = Field(default_factory=dict)
    lower: bool = False
    default: str | int | float | None = None


class Largest(_Model):
    """How large an image, and a file once it is unpacked, may be; what is larger is refused unread.

    Attributes
    ----------
    pixels
        Of an image, all axes together.
    bytes
        Of a file.
    """

    pixels: int = Field(default=1 << 28, gt=0)
    bytes: int = Field(default=4 << 30, gt=0)


class SolarnetRule(_Model):
    """Where a SOLARNET keyword's value comes from: another keyword (scaled, or by a table) or a constant."""

    keyword: str = ""
    value: str | int | float | None = None
    factor: float = 1.0
    map: dict[str, str | int | float] = Field(default_factory=dict)
    comment: str = ""


class EmbargoRule(_Model):
    """What the instrument's people ask for where nothing else was decided about an observation.

    Attributes
    ----------
    months
        From the end of the observation (DATE-END) to the day everybody has its data.
    holders
        Who has them before: accounts, and groups as ``group:NAME``.
    """

    months: int = Field(ge=1, le=1200)
    holders: tuple[str, ...] = ()


class ReferenceRule(_Model):
    """How a known kind of calibration file is recognised, and what it is for.

    Attributes
    ----------
    need
        What steps call it.
    name
        Pattern of the file's whole name; its named groups may be used in `selectors` and `valid_from`.
        A group ``order`` says which of several such files counts: the one with the greatest number. A group
        ``simulated`` that matched says that the file was made from a model.
    contains
        Pattern of what the beginning of the file holds.
    selectors
        Searchable value of a frame → what it must be, as text with ``{group}`` or ``{group:lower}``.
    valid_from, valid_days
        Day at which its validity begins, and days it lasts; always valid when absent.
    source
        Where such files come from.
    """

    need: str
    name: str
    contains: str = ""
    selectors: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    valid_from: str = ""
    valid_days: float | None = None
    source: str


@dataclass(frozen=True)
class Description:
    """What a header says about its file.

    Attributes
    ----------
    instrument, level, observation
        Identity; `observation` is the name of what belongs together.
    date_beg, date_end
        UTC.
    meta
        Searchable values.
    caveats
        Sentences about what was believed instead of what could not be.
    """

    instrument: str
    level: str
    observation: str
    date_beg: datetime
    date_end: datetime
    meta: dict[str, Any]
    caveats: tuple[str, ...] = ()


class Instrument(_Model):
    """An instrument's description, as its YAML file gives it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,24}$")
    title: str
    recognise: tuple[dict[str, str], ...] = Field(min_length=1)
    level: LevelRule
    date: DateRule = DateRule()
    date_end: DateRule = DateRule(keywords=("DATE-END", "DATE_END"))
    observation: str
    meta: dict[str, MetaRule] = Field(default_factory=dict)
    blank_is_missing: bool = True
    largest: Largest = Largest()
    #: The axes of the files, the slowest first; images unless something else is said.
    axes: tuple[AxesRule, ...] = Field(default=IMAGES, min_length=1)
    #: The last axes that flags of quality are kept for; all when empty.
    quality_over: tuple[str, ...] = ()
    keywords: dict[str, KeywordRule] = Field(default_factory=dict)
    solarnet: dict[str, SolarnetRule] = Field(default_factory=dict)
    references: tuple[ReferenceRule, ...] = ()
    #: Level → what a product of that level has gone through when its treatment is complete.
    expects: dict[Level, tuple[Expectation, ...]] = Field(default_factory=dict)
    preview: tuple[PreviewRule, ...] = ()
    #: Searchable values in which images of one film agree; a release has that of the kind with most images.
    film: tuple[str, ...] = ()
    embargo: EmbargoRule | None = None
    credit: str = ""
    #: How its data are cited, for whoever registers them: creators, publisher, licence, subjects.
    citation: dict[str, Any] = Field(default_factory=dict)
    folder: Path = Field(default=Path(), exclude=True)

    @field_validator("axes", mode="before")
    @classmethod
    def _axes_may_be_a_list_of_names(cls, value: object) -> object:
        return as_rules(value)

    def recognises(self, header: fits.Header | Mapping[str, Any]) -> bool:
        """Whether any block of the recognition rules matches the header."""
        return any(
            all(re.fullmatch(pattern, header_text(header, keyword)) for keyword, pattern in block.items())
            for block in self.recognise
        )

    def axes_of(self, level: str) -> tuple[AxesRule, ...]:
        """The rules for the axes of files of a level."""
        return tuple(rule for rule in self.axes if not rule.levels or level in rule.levels)

    def stored_dims(self, level: str, dims: Dims) -> Dims:
        """The dims of the data in a raw file of a level whose frame has these dims."""
        return stored_dims(self.axes_of(level), dims)

    def flagged(self, dims: Dims) -> int:
        """How many of the last of a frame's dims its flags of quality are kept for."""
        return flagged(dims, self.quality_over or dims)

    def layout(self, header: fits.Header, level: str, shape: Sequence[int], source: str = "") -> Layout:
        """Dims and shape of the frame in a file.

        Parameters
        ----------
        header
            Of the data.
        level
            Of the file, as `describe` found it.
        shape
            Of the data as they are stored, the slowest axis first.

        Raises
        ------
        BadInput
            When the file has other axes than the description says.
        """
        found = layout_of(self.axes_of(level), header, shape, source)
        return found._replace(flagged=self.flagged(found.dims))

    @property
    def grouping(self) -> tuple[str, ...]:
        """The searchable values that observations are named after."""
        fields = (field for _, field, _, _ in Formatter().parse(self.observation) if field)
        return tuple(field for field in fields if field in self.meta)

    def describe(self, header: fits.Header, source: str = "") -> Description:
        """Level, observation, dates and searchable values of a file.

        Raises
        ------
        BadInput
            When the header lacks what the description needs.
        """
        level = self._level(header, source)
        header = in_utc(header)
        begin, caveats = begin_of(header, self.date, self._seconds(header), source)
        end = self._date_end(header, begin)
        meta = {name: value for name, rule in self.meta.items() if (value := _meta(header, rule)) is not None}
        try:
            observation = self.observation.format(date=begin, **meta)
            if not _OBSERVATION.fullmatch(observation):
                raise ValueError(f"{observation!r} cannot be a name")
        except (KeyError, ValueError, IndexError) as error:
            keywords = ", ".join(rule.keyword for rule in self.meta.values() if rule.keyword)
            raise BadInput(
                "the header does not say which observation the file belongs to",
                file=source,
                keyword=keywords,
                found=f"no value for {error}" if isinstance(error, KeyError) else str(error),
                advice="correct the header, or correct the instrument's description",
            ) from error
        return Description(self.name, level, observation, begin, end, meta, caveats)

    def check(self, header: fits.Header, described: Description, source: str = "") -> tuple[str, ...]:
        """Caveats about what a raw header says that cannot be.

        Parameters
        ----------
        header
            Of the image.
        described
            What `describe` made of it.
        source
            Name of the file, for messages.

        Raises
        ------
        BadInput
            When a keyword that the description calls required is absent or out of its range.
        """
        scale = unknown_scale(header)
        header = in_utc(header)
        written = header_text(header, "DATE")
        iso = re.match(r"\d{4}-", written)  # two digits of a year are ambiguous
        caveats = [
            *scale,
            *check_values(self.keywords, header, source),
            *check_dates(
                dict(said_dates(header, self.date)),
                described.date_beg,
                parse_date(written) if iso else None,
                datetime.now(UTC),
            ),
            *self._odd_end(header, described.date_beg),
            *check_twice(header),
        ]
        if self._exposure not in self.keywords:
            caveats += check_exposure(self._exposure, header)
        return tuple(caveats)

    def _level(self, header: fits.Header, source: str) -> str:
        rule = self.level
        while not (found := _level_text(header, rule)) and rule.otherwise:
            rule = rule.otherwise
        levels = {_plain(value): level for value, level in rule.values.items()}
        level = levels.get(found) if found else rule.default
        if not found and level is not None:
            self._require_default(rule, header, source)
        if level is None:
            raise BadInput(
                f"the header does not tell a level that {self.title} files have",
                file=source,
                keyword=rule.keyword,
                found=found or "absent",
                advice=f"known values: {', '.join(rule.values)}",
            )
        return level

    def _require_default(self, rule: LevelRule, header: fits.Header, source: str) -> None:
        """Refuse a file without a level that is none of those the default is for."""
        for keyword, pattern in rule.where.items():
            said = header_text(header, keyword)
            if not re.fullmatch(pattern, said, re.IGNORECASE | re.DOTALL):
                raise BadInput(
                    f"the header names no level, and {keyword} is not that of level {rule.default} of "
                    f"{self.title}: it was worked on elsewhere",
                    file=source,
                    keyword=keyword,
                    found=said[:80] or "absent",
                    advice="take the file of that level from the archive; or write the level that this one "
                    "has into its header, and ingest it under a new name",
                )

    def _date_end(self, header: fits.Header, begin: datetime) -> datetime:
        for keyword in self.date_end.keywords:
            text = header_text(header, keyword)
            parsed = parse_date(text, "") if text else None
            if parsed is not None and begin <= parsed <= begin + _LONGEST:
                return parsed
        return begin + timedelta(seconds=self._seconds(header) or 0.0)

    def _seconds(self, header: fits.Header) -> float | None:
        """The exposure time, `None` where the header has none that can be."""
        exposure = header.get(self._exposure)
        if isinstance(exposure, bool) or not isinstance(exposure, (int, float)):
            return None
        seconds = float(exposure) * self.date_end.seconds
        return seconds if 0 <= seconds < _LONGEST_EXPOSURE else None

    @property
    def _exposure(self) -> str:
        return self.date_end.exposure or self.date.exposure or "EXPTIME"

    def _odd_end(self, header: fits.Header, begin: datetime) -> Iterator[str]:
        for keyword in self.date_end.keywords:
            text = header_text(header, keyword)
            if text and not ((end := parse_date(text)) and begin <= end <= begin + _LONGEST):
                yield f"{keyword} is {text[:40]}, which is no end of what began at {begin:%Y-%m-%dT%H:%M:%S}"


def _meta(header: fits.Header, rule: MetaRule) -> Any:
    if rule.value is not None:
        return rule.value
    value = header.get(rule.keyword)
    if isinstance(value, str):
        value = value.strip()
    if value is None or isinstance(value, fits.card.Undefined) or value == "":
        return rule.default
    if isinstance(value, complex):
        return rule.default
    if isinstance(value, float):
        if not math.isfinite(value):  # a number beyond double precision; JSON knows none
            return rule.default
        value = (
            int(value) if value.is_integer() else value
        )  # WAVELNTH is 171 in one archive, 171.0 in another
    if rule.pattern:
        match = re.search(rule.pattern, str(value))
        if not match:
            return rule.default
        value = match[1] if match.groups() else match[0]
    if rule.map:
        value = rule.map.get(str(value), rule.default if rule.default is not None else value)
    return value.lower() if rule.lower and isinstance(value, str) else value


def _level_text(header: fits.Header, rule: LevelRule) -> str:
    text = header_text(header, rule.keyword) if rule.keyword else ""
    if rule.pattern:
        match = re.search(rule.pattern, text)
        return (match[1] if match.groups() else match[0]) if match else ""
    return _plain(text)


def _plain(text: str) -> str:
    """A number in its shortest form, other text as it is: 1, 1. and 1.0 are the same level."""
    return f"{float(text):g}" if re.fullmatch(r"\d+(\.\d*)?", text) else text

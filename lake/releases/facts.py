"""What can be asked of what releases show: wavelength, place, µ, exposure, target, campaign, kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, func, literal, literal_column, or_, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Boolean

from lake.catalogue.expressions import boxed
from lake.catalogue.models import Release
from lake.errors import BadInput, Reason
from lake.fits.facts import FLAGS, RANGES, WORDS

_MANY: Final = 200
_FAR: Final = 1e100
"""Beyond all that is measured; a box has no infinite sides."""
_WORDS: Final = 100
"""Words of one kind that a release has, however many its files have."""


def _settling() -> str:
    ends = [f"{name}_{end}" for name in RANGES for end in ("min", "max")]
    taken = [f"{end[-3:]}((facts ->> '{end}')::float8) AS {end}" for end in ends]
    taken += [f"bool_or((facts ->> '{name}')::bool) AS {name}" for name in FLAGS]
    words = [
        f"""{name} = ARRAY(SELECT DISTINCT word FROM release_file JOIN file ON file.id = release_file.file_id
        CROSS JOIN LATERAL jsonb_array_elements_text(facts -> '{name}') AS told (word)
        WHERE release_file.release_id = release.id ORDER BY word LIMIT {_WORDS})"""  # noqa: S608
        for name in WORDS
    ]
    # Made of names that stand in this house.
    return f"""
    UPDATE release SET {", ".join([f"{name} = found.{name}" for name in (*ends, *FLAGS)] + words)}
    FROM (
      SELECT release_file.release_id, {", ".join(taken)}
      FROM release_file JOIN file ON file.id = release_file.file_id
      WHERE release_file.release_id = ANY(:releases)
      GROUP BY release_file.release_id) AS found
    WHERE release.id = found.release_id
    """  # noqa: S608


@dataclass(frozen=True)
class Shows:
    """What releases are to show, all of it; of a range some of it has to lie within.

    Attributes
    ----------
    wave_min, wave_max
        Wavelengths in nanometres.
    x, y, radius
        A field that comes within so many arcseconds of a place, in helioprojective coordinates.
    mu_min, mu_max
        Cosine of the heliocentric angle of the field's centre.
    exposure_min, exposure_max
        In seconds.
    target, campaign, kind
        A word of the header, in any letters: what was looked at, for which campaign, in which mode.
    polarimetric, spectroscopic
        Whether there are Stokes parameters, or spectra.
    embargoed
        Whether it is under embargo now.
    """

    wave_min: float | None = None
    wave_max: float | None = None
    x: float | None = None
    y: float | None = None
    radius: float | None = None
    mu_min: float | None = None
    mu_max: float | None = None
    exposure_min: float | None = None
    exposure_max: float | None = None
    target: str | None = None
    campaign: str | None = None
    kind: str | None = None
    polarimetric: bool | None = None
    spectroscopic: bool | None = None
    embargoed: bool | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise _odd(f"the {one.name} is no number", one.name, value)
        for name in ("wave", "mu", "exposure"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None and high is not None and low > high:
                raise _odd("the range is empty: it ends before it begins", f"{name}_min", f"{low} to {high}")
        place = (self.x, self.y, self.radius)
        if any(one is not None for one in place) and (None in (self.x, self.y) or (self.radius or 0) < 0):
            raise _odd("a place has x and y, and a radius that is not negative", "x, y, radius", place)

    @property
    def has_words(self) -> bool:
        """Whether words are among it."""
        return not (self.target is None and self.campaign is None and self.kind is None)

    def conditions(
        self, since: float | None = None, until: float | None = None
    ) -> Iterator[ColumnElement[bool]]:
        """As conditions on `Release`.

        Parameters
        ----------
        since, until
            As `indexed` takes them.
        """
        yield from self.indexed(since, until)
        if self.polarimetric is not None:
            yield _flag(Release.polarimetric, self.polarimetric)
        if self.spectroscopic is not None:
            yield _flag(Release.spectroscopic, self.spectroscopic)
        if self.embargoed is not None:
            held = and_(Release.embargo_until.is_not(None), Release.embargo_until > func.now())
            free = or_(Release.embargo_until.is_(None), Release.embargo_until <= func.now())
            yield held if self.embargoed else free

    def indexed(
        self, since: float | None = None, until: float | None = None
    ) -> Iterator[ColumnElement[bool]]:
        """Those of them by which an index finds the few that match.

        Parameters
        ----------
        since, until
            Seconds from 1970 between which they begin, ends included, where that is known: the index of a
            range holds both.
        """
        times = (-_FAR if since is None else since, _FAR if until is None else until)
        for name in ("wave", "mu", "exposure"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None or high is not None:
                yield getattr(Release, f"{name}_min").is_not(None)
                yield _meets(name, (-_FAR if low is None else low, _FAR if high is None else high), times)
        if self.x is not None and self.y is not None:
            yield from _near(self.x, self.y, self.radius or 0.0)
        for column, word in (
            (Release.targets, self.target),
            (Release.campaigns, self.campaign),
            (Release.kinds, self.kind),
        ):
            if word is not None:
                yield column.contains(literal([" ".join(word.lower().split())], ARRAY(Text)))


ANYTHING: Final = Shows()
"""Whatever it is that releases show."""
_SETTLE: Final = text(_settling())


def shown(release: Release) -> dict[str, Any]:
    """What a release shows, as scripts see it; what nobody knows is left out."""
    told: dict[str, Any] = {}
    for name in RANGES:
        low, high = getattr(release, f"{name}_min"), getattr(release, f"{name}_max")
        if low is not None:
            told[name] = [low, high]
    told |= {name: list(words) for name in WORDS if (words := getattr(release, name))}
    return told | {name: flag for name in FLAGS if (flag := getattr(release, name)) is not None}


def settle_facts(session: Session, releases: Sequence[int]) -> None:
    """Take what releases show from their files, within the caller's transaction."""
    session.flush()
    for start in range(0, len(releases), _MANY):
        session.execute(_SETTLE, {"releases": list(releases[start : start + _MANY])})
    session.expire_all()


def _flag(column: Any, wanted: bool) -> ColumnElement[bool]:
    return column.is_(True) if wanted else column.is_not(True)  # type: ignore[no-any-return]


def _meets(name: str, wanted: tuple[float, float], times: tuple[float, float]) -> ColumnElement[bool]:
    (low, high), (since, until) = wanted, times
    return boxed(name).bool_op("&&")(func.box(func.point(low, since), func.point(high, until)))


def _near(x: float, y: float, radius: float) -> Iterator[ColumnElement[bool]]:
    yield Release.x_min.is_not(None)
    kept = literal_column("box(point(x_min, y_min), point(x_max, y_max))", Text)
    around = func.box(func.point(x - radius, y - radius), func.point(x + radius, y + radius))
    yield kept.bool_op("&&")(around)
    across = func.greatest(Release.x_min - x, 0.0, x - Release.x_max)
    up = func.greatest(Release.y_min - y, 0.0, y - Release.y_max)
    yield (across * across + up * up <= radius * radius).op("IS")(literal_column("true", Boolean))


def _odd(reason: str, keyword: str, found: object) -> BadInput:
    return BadInput(reason, keyword=keyword, found=found, advice="correct it", code=Reason.BAD_KEYWORD)

"""Which files make one piece of work, where a recipe makes one of several.

A polariser triplet, a filter scan, the slit steps of a map, a low and a high
gain: a recipe says by ``group_by`` what belongs together. Files whose
searchable values in `GroupBy.values` are alike are walked through in the
order of their time. A group ends where the next file cannot belong to it: its
member is there already, the group has its number, or too much time has passed.
A group that lacks something is named with what it lacks; it is never dropped
in silence.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = str | int | float
_NAMED: Final = 8
_UNTOLD: Final = (
    "is parted from the next one by count alone, so that a missing file would shift them all: "
    "add member or within to the recipe's group_by"
)


class GroupBy(BaseModel):
    """What belongs together, as a recipe says it.

    Attributes
    ----------
    values
        Searchable values that are alike in all files of a group.
    member
        The searchable value that tells the files of a group apart.
    members
        What it is in a whole group, once each; the step is given the files in this order.
    count
        How many files a whole group has: a number, or the searchable value that says so. It alone does not
        part groups of equal `values`: behind a file that is missing all others would be put together wrongly.
    places
        The searchable value that says how many places a whole group's files lie along, where a result has
        them all: those of files that are missing too, and no more for files that came twice.
    within
        [s] Longest time from the beginning of a group's first file to that of its last; shorter than the
        time to the next group's.
    incomplete
        Whether a group that lacks something is left out (and named), or taken with a caveat.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    values: tuple[str, ...] = ()
    member: str = ""
    members: tuple[Value, ...] = ()
    count: int | str | None = None
    places: str = ""
    within: float | None = Field(default=None, gt=0)
    incomplete: Literal["left out", "taken"] = "left out"

    @model_validator(mode="after")
    def _tells_groups_apart(self) -> GroupBy:
        if self.members and not self.member:
            raise ValueError("members has to say of which searchable value: add member: NAME")
        if len({plain(one) for one in self.members}) < len(self.members):
            raise ValueError("members names one of them twice")
        if isinstance(self.count, int) and self.count < 1:
            raise ValueError("count has to be 1 or more")
        if self.members and self.count is not None:
            raise ValueError("give either members or count: the members are as many as they are")
        if not (self.values or self.member or self.count or self.within):
            raise ValueError("says nothing of what belongs together: give values, member, count or within")
        return self

    @property
    def whole(self) -> int | None:
        """How many files every whole group has; `None` where that differs or nothing says so."""
        if self.members:
            return len(self.members)
        return self.count if isinstance(self.count, int) else None

    def names(self) -> tuple[str, ...]:
        """The searchable values it looks at."""
        counted = (self.count,) if isinstance(self.count, str) else ()
        single = filter(None, (self.member, self.places))
        return tuple(dict.fromkeys((*self.values, *single, *counted)))

    def places_of(self, files: Sequence[Grouped]) -> int:
        """How many places the files of a group lie along; their own number where nothing says so."""
        said = (_number(file.meta.get(self.places)) for file in files) if self.places else ()
        return next((number for number in said if number), len(files))


class Grouped(Protocol):
    """What can be grouped: a file with its searchable values and the time it begins at."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Searchable values."""

    @property
    def date_beg(self) -> datetime | None:
        """Begin of the observation."""

    @property
    def name(self) -> str:
        """Name of the file."""


F = TypeVar("F", bound=Grouped)


@dataclass
class Group(Generic[F]):
    """Files that belong together.

    Attributes
    ----------
    files
        In the order the recipe's members are named in, else in that of time.
    lacks
        What a whole group has besides, as a clause; empty where nothing is lacking.
    """

    files: list[F] = field(default_factory=list)
    lacks: str = ""


def groups(files: Iterable[F], rule: GroupBy) -> Iterator[Group[F]]:
    """Files sorted into groups.

    Parameters
    ----------
    files
        Of one observation, in any order.
    rule
        What belongs together.

    Yields
    ------
    Group
        By the time of their first files; with what they lack.
    """
    alike: dict[Hashable, list[F]] = {}
    for file in files:
        key = tuple(plain(file.meta.get(name)) for name in rule.values)
        alike.setdefault(key, []).append(file)
    found: list[Group[F]] = []
    for members in alike.values():
        together = [_finished(Group(run), rule) for run in _runs(sorted(members, key=_time), rule)]
        if len(together) > 1 and not rule.member and rule.within is None:
            together = [Group(one.files, one.lacks or _UNTOLD) for one in together]
        found += together
    yield from sorted(found, key=lambda one: min(map(_time, one.files)))


def _runs(files: list[F], rule: GroupBy) -> Iterator[list[F]]:
    """Files of equal values, cut wherever the next one cannot belong to those before it."""
    current: list[F] = []
    for file in files:
        if current and _ends_before(current, file, rule):
            yield current
            current = []
        current.append(file)
    if current:
        yield current


def _ends_before(current: list[F], file: F, rule: GroupBy) -> bool:
    if rule.member and _member(file, rule) in {_member(one, rule) for one in current}:
        return True
    whole = _whole(current[0], rule)
    if whole is not None and len(current) >= whole:
        return True
    if rule.within is None or current[0].date_beg is None or file.date_beg is None:
        return False
    return (file.date_beg - current[0].date_beg).total_seconds() > rule.within


def _whole(file: F, rule: GroupBy) -> int | None:
    """How many files make a whole group; `None` where nothing says so."""
    if isinstance(rule.count, str):
        return _number(file.meta.get(rule.count))
    return rule.count


def _number(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else None


def _finished(group: Group[F], rule: GroupBy) -> Group[F]:
    if rule.members:
        order = {plain(value): index for index, value in enumerate(rule.members)}
        there = {_member(file, rule) for file in group.files}
        strange = [file for file in group.files if _member(file, rule) not in order]
        if strange:
            values = _listed(str(file.meta.get(rule.member)) for file in strange)
            return Group(group.files, f"has {rule.member} {values}, which the recipe does not name")
        group.files.sort(key=lambda file: order[_member(file, rule)])
        missing = _listed(str(value) for value in rule.members if plain(value) not in there)
        return Group(group.files, f"lacks {rule.member} {missing}" if missing else "")
    whole = _whole(group.files[0], rule)
    if whole is None and isinstance(rule.count, str):
        return Group(group.files, f"does not say how many it has: {rule.count} is no number of files")
    if whole is not None and len(group.files) != whole:
        return Group(group.files, f"has {len(group.files)} of {whole} files")
    return group


def _listed(values: Iterable[str]) -> str:
    """Values by their names, once each; of many only the first, and how many more there are."""
    names = list(dict.fromkeys(values))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _member(file: F, rule: GroupBy) -> Hashable:
    return plain(file.meta.get(rule.member))


def plain(value: Any) -> Hashable:
    """1, 1.0 and "1" are the same place: one archive writes numbers, another text."""
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return str(value)


def _time(file: F) -> tuple[bool, str, str]:
    date = file.date_beg
    return date is None, "" if date is None else date.isoformat(), file.name

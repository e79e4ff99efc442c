"""The choice of a reference for one frame: by date, then by the frame's own values. Asks no service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, NamedTuple

from lake.calibration.references import ReferenceInfo
from lake.entries import in_utc, iso

#: A selector that names single files. A campaign has a reference for each of its frames (the spikes of
#: AIA), so these are looked up; comparing them one by one would take the square of their number.
NAMING = "FILENAME"
_FEW = 50


class Shelf(NamedTuple):
    """The references of one need: those for many frames, and those for single files by name."""

    general: tuple[ReferenceInfo, ...]
    by_file: Mapping[str, tuple[ReferenceInfo, ...]]
    all: tuple[ReferenceInfo, ...]

    def near(self, keywords: Mapping[str, Any]) -> Sequence[ReferenceInfo]:
        """Those that can be meant, and all where they are few."""
        if len(self.all) <= _FEW:
            return self.all
        return (*self.general, *self.by_file.get(str(keywords.get(NAMING, "")).strip(), ()))


_EMPTY = Shelf((), {}, ())


@dataclass(frozen=True)
class Context:
    """A numbered list of references; picklable, so that a plan can be made from it anywhere.

    Parameters
    ----------
    number
        Its number.
    instrument
        The instrument it is for; "" for all.
    references
        What it lists.
    note
        Why it was made.
    created
        When.
    """

    number: int
    instrument: str
    references: tuple[ReferenceInfo, ...]
    note: str = ""
    created: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "context": self.number,
            "instrument": self.instrument,
            "note": self.note,
            "created": iso(self.created),
            "references": [reference.as_dict() for reference in self.references],
        }

    def shelf(self, instrument: str, need: str) -> Shelf:
        """What there is for a need of an instrument."""
        return self._shelves.get((instrument, need), _EMPTY)

    @cached_property
    def _shelves(self) -> dict[tuple[str, str], Shelf]:
        sorted_by_use: dict[tuple[str, str], list[ReferenceInfo]] = {}
        for one in self.references:
            sorted_by_use.setdefault((one.instrument, one.need), []).append(one)
        return {use: _shelf(references) for use, references in sorted_by_use.items()}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_shelves"}


@dataclass(frozen=True)
class Choice:
    """The reference chosen for a frame, None when none fits, and the reason as a sentence."""

    reference: ReferenceInfo | None
    why: str


def choose(
    context: Context | None, instrument: str, need: str, date: datetime | None, keywords: Mapping[str, Any]
) -> Choice:
    """The reference of a context for one frame, with the reason. Pure: asks nothing of any service.

    Of those of the instrument and need whose validity holds the date and whose selectors all agree with the
    frame, the one with the most selectors is taken, then a measured one before a simulated one, then the
    latest beginning of validity, then the one added last.

    Parameters
    ----------
    context
        Where to look; None is a lake without contexts.
    instrument, need
        What for.
    date
        Time of the frame; without one, references with a validity do not fit.
    keywords
        Header values of the frame, by keyword.
    """
    if context is None:
        return Choice(None, f"no context is in use, so there is no {need} for {instrument}; {_how(need)}")
    named = context.shelf(instrument, need).near(keywords)
    dated = [one for one in named if _valid(one, date)]
    fitting = [one for one in dated if not _mismatch(one, keywords)]
    if not fitting:
        return Choice(None, _why_not(context, instrument, need, date, keywords, named, dated))
    best = max(fitting, key=lambda one: (len(one.selectors), not one.simulated, start_of(one), one.id))
    facts = [f"valid {_validity(best)}"]
    facts += [f"{key}={value}" for key, value in best.selectors.items()]
    others = f", the most specific and latest of {len(fitting)} that fit" if len(fitting) > 1 else ""
    simulated = "; it is simulated" if best.simulated else ""
    return Choice(
        best, f"{need}: {best.did} of context {context.number} ({', '.join(facts)}{others}){simulated}"
    )


def names_of(reference: ReferenceInfo) -> tuple[str, ...]:
    """The files a reference is for by name; none when it is for any."""
    wanted = reference.selectors.get(NAMING, ())
    every = wanted if isinstance(wanted, (list, tuple)) else (wanted,)
    return tuple(str(one).strip() for one in every)


def _shelf(references: Sequence[ReferenceInfo]) -> Shelf:
    by_file: dict[str, tuple[ReferenceInfo, ...]] = {}
    for one in references:
        for name in names_of(one):
            by_file[name] = (*by_file.get(name, ()), one)
    general = tuple(one for one in references if NAMING not in one.selectors)
    return Shelf(general, by_file, tuple(references))


def _valid(reference: ReferenceInfo, date: datetime | None) -> bool:
    begin, end = reference.valid_from, reference.valid_until
    if date is None:
        return begin is None and end is None
    moment = in_utc(date)
    return (begin is None or in_utc(begin) <= moment) and (end is None or moment < in_utc(end))


def _mismatch(reference: ReferenceInfo, keywords: Mapping[str, Any]) -> list[str]:
    """The selectors the frame does not agree with."""
    return [
        key
        for key, value in reference.selectors.items()
        if key not in keywords or not agrees(value, keywords[key])
    ]


def agrees(wanted: Any, found: Any) -> bool:
    """Whether a value is the one a selector asks for, or one of them; 171 and "171.0" are the same."""
    if isinstance(wanted, (list, tuple)):
        return any(agrees(one, found) for one in wanted)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    try:
        return float(wanted) == float(found)
    except (TypeError, ValueError):
        return str(wanted).strip() == str(found).strip()


def _why_not(
    context: Context,
    instrument: str,
    need: str,
    date: datetime | None,
    keywords: Mapping[str, Any],
    named: Sequence[ReferenceInfo],
    dated: Sequence[ReferenceInfo],
) -> str:
    start = f"context {context.number} has no {need} for {instrument}"
    others = context.shelf(instrument, need).all
    if others and not named:
        name = keywords.get(NAMING, "absent")
        return f"{start} and {NAMING} {name!r}; its {len(others)} are for other files; {_how(need)}"
    if not named:
        return f"{start}; {_how(need)}"
    if not dated:
        near = sorted(named, key=lambda one: one.id)
        if date is not None:
            near.sort(key=partial(_distance, date))
        ranges = ", ".join(f"{one.did} ({_validity(one)})" for one in near[:3])
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        return f"{start} at {iso(date) or 'an unknown time'}; it has {ranges}{more}; {_how(need)}"
    nearest = min(dated, key=lambda one: (len(_mismatch(one, keywords)), one.id))
    clashes = ", ".join(
        f"{key} is {keywords.get(key, 'absent')!r}, not {nearest.selectors[key]!r}"
        for key in _mismatch(nearest, keywords)
    )
    return f"{start} with this frame's keywords; nearest is {nearest.did}, but {clashes}; {_how(need)}"


def _how(need: str) -> str:
    return f"add one with `heliolake context add --need {need}`"


def _validity(reference: ReferenceInfo) -> str:
    begin = "always" if reference.valid_from is None else f"from {iso(reference.valid_from)}"
    if reference.valid_until is None:
        return begin
    end = f"until {iso(reference.valid_until)}"
    return end if reference.valid_from is None else f"{begin} {end}"


def _distance(date: datetime, reference: ReferenceInfo) -> float:
    """Seconds between a time and the nearest end of a validity that does not hold it."""
    ends = [end for end in (reference.valid_from, reference.valid_until) if end is not None]
    return min(abs((in_utc(end) - in_utc(date)).total_seconds()) for end in ends)


def start_of(reference: ReferenceInfo) -> float:
    """Beginning of its validity in seconds since 1970."""
    return float("-inf") if reference.valid_from is None else in_utc(reference.valid_from).timestamp()

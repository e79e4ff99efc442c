"""Contexts: immutable, numbered lists of references, and the choice among them for one frame."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from lake.catalogue.models import Context as ContextRow
from lake.catalogue.models import ContextReference, CurrentContext, Observation, Product, Reference, Release
from lake.catalogue.session import transaction
from lake.entries import in_utc, iso
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.names import ProductKey
from lake.references import ReferenceInfo, info

_LOCK = 7_201_955_022  # numbers are given one after the other, without gaps


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


@dataclass(frozen=True)
class Choice:
    """The reference chosen for a frame, None when none fits, and the reason as a sentence."""

    reference: ReferenceInfo | None
    why: str


@dataclass(frozen=True)
class ContextDiff:
    """What changed from one context to another; `replaced` holds pairs (old, new)."""

    added: tuple[ReferenceInfo, ...]
    removed: tuple[ReferenceInfo, ...]
    replaced: tuple[tuple[ReferenceInfo, ReferenceInfo], ...]


def create(lake: Lake, references: Sequence[ReferenceInfo], instrument: str = "", note: str = "") -> Context:
    """Number a list of references; an equal list of the same instrument keeps its number."""
    ids = sorted({reference.id for reference in references})
    content = hashlib.sha256(f"{instrument} {ids}".encode()).hexdigest()
    with transaction(lake.sessions) as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        number = session.scalar(select(ContextRow.number).where(ContextRow.content == content))
        if number is None:
            number = (session.scalar(select(func.max(ContextRow.number))) or 0) + 1
            session.add(ContextRow(number=number, instrument=instrument, content=content, note=note))
            session.flush()
            session.add_all(ContextReference(context=number, reference_id=one) for one in ids)
    return load(lake, number)


def extend(
    lake: Lake,
    base: Context | None,
    add: Sequence[ReferenceInfo],
    remove: Sequence[ReferenceInfo] = (),
    note: str = "",
    instrument: str = "",
) -> Context:
    """A new context: the base's references, less some, plus some."""
    gone = {reference.id for reference in remove}
    kept = [] if base is None else [one for one in base.references if one.id not in gone]
    return create(lake, [*kept, *add], instrument if base is None else base.instrument, note)


def load(lake: Lake, number: int) -> Context:
    """A context by its number.

    Raises
    ------
    BadInput
        With code not-found.
    """
    with transaction(lake.sessions) as session:
        row = session.get(ContextRow, number)
        if row is None:
            raise BadInput(
                f"there is no context {number}",
                keyword="context",
                found=number,
                advice="list them with `heliolake context list`",
                code=Reason.NOT_FOUND,
            )
        query = (
            select(Reference)
            .join(ContextReference, ContextReference.reference_id == Reference.id)
            .where(ContextReference.context == number)
            .order_by(Reference.instrument, Reference.need, Reference.id)
        )
        references = tuple(info(one) for one in session.scalars(query))
    return Context(row.number, row.instrument, references, row.note, row.created)


def listing(lake: Lake) -> list[dict[str, Any]]:
    """All contexts with the number of their references and what they are current for ("" is all)."""
    query = (
        select(ContextRow, func.count(ContextReference.reference_id))
        .outerjoin(ContextReference, ContextReference.context == ContextRow.number)
        .group_by(ContextRow.number)
        .order_by(ContextRow.number)
    )
    with transaction(lake.sessions) as session:
        rows = session.execute(query).all()
        current = session.execute(select(CurrentContext.instrument, CurrentContext.context)).all()
    return [
        {
            "context": row.number,
            "instrument": row.instrument,
            "note": row.note,
            "created": iso(row.created),
            "references": count,
            "current_for": sorted(one.instrument for one in current if one.context == row.number),
        }
        for row, count in rows
    ]


def use(lake: Lake, number: int) -> None:
    """Make a context the one used when none is named, for its instrument (or for all)."""
    context = load(lake, number)
    statement = insert(CurrentContext).values(instrument=context.instrument, context=number)
    with transaction(lake.sessions) as session:
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["instrument"], set_={"context": number, "since": func.now()}
            )
        )


def current(lake: Lake, instrument: str = "") -> Context | None:
    """The context in use for an instrument: its own, else the one for all; None when there is neither."""
    query = select(CurrentContext.instrument, CurrentContext.context).where(
        CurrentContext.instrument.in_((instrument, ""))
    )
    with transaction(lake.sessions) as session:
        found = {row.instrument: row.context for row in session.execute(query)}
    number = found.get(instrument, found.get(""))
    return None if number is None else load(lake, number)


def choose(
    context: Context | None, instrument: str, need: str, date: datetime | None, keywords: Mapping[str, Any]
) -> Choice:
    """The reference of a context for one frame, with the reason. Pure: asks nothing of any service.

    Of those of the instrument and need whose validity holds the date and whose selectors all agree with the
    frame, the one with the most selectors is taken, then the latest beginning of validity, then the one
    added last.

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
    named = [one for one in context.references if one.instrument == instrument and one.need == need]
    dated = [one for one in named if _valid(one, date)]
    fitting = [one for one in dated if not _mismatch(one, keywords)]
    if not fitting:
        return Choice(None, _why_not(context, instrument, need, date, keywords, named, dated))
    best = max(fitting, key=lambda one: (len(one.selectors), _start(one), one.id))
    facts = [f"valid {_validity(best)}"]
    facts += [f"{key}={value}" for key, value in best.selectors.items()]
    others = f", the most specific and latest of {len(fitting)} that fit" if len(fitting) > 1 else ""
    simulated = "; it is simulated" if best.simulated else ""
    return Choice(
        best, f"{need}: {best.did} of context {context.number} ({', '.join(facts)}{others}){simulated}"
    )


def diff(old: Context, new: Context) -> ContextDiff:
    """What changed between two contexts; a removed and an added reference of like purpose make a pair."""
    added = [one for one in new.references if one.id not in {ref.id for ref in old.references}]
    removed = [one for one in old.references if one.id not in {ref.id for ref in new.references}]
    replaced = []
    for gone in list(removed):
        for come in added:
            if _purpose(gone) == _purpose(come) and _overlap(gone, come):
                replaced.append((gone, come))
                removed.remove(gone)
                added.remove(come)
                break
    return ContextDiff(tuple(added), tuple(removed), tuple(replaced))


def affected(lake: Lake, change: ContextDiff) -> list[dict[str, Any]]:
    """ACTIVE releases that a change of context asks to reprocess.

    `certain` is True where the release was made with a reference that is gone, and False where a new
    reference could apply by instrument, time and the metadata the lake knows.
    """
    gone = {one.did: one for one in [*change.removed, *(pair[0] for pair in change.replaced)]}
    come = [*change.added, *(pair[1] for pair in change.replaced)]
    query = (
        select(Release, Observation)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Release.status == "ACTIVE")
    )
    found: dict[str, dict[str, Any]] = {}
    with transaction(lake.sessions) as session:
        if gone:
            for release, observation in session.execute(query.where(Release.refs.overlap(list(gone)))):
                used = [did for did in release.refs if did in gone]
                _note(found, release, observation, f"made with {', '.join(used)}", certain=True)
        for one in come:
            wider = query.where(Release.scope == one.instrument, Release.recipe.is_not(None))
            if one.valid_from is not None:
                wider = wider.where(Release.date_end >= one.valid_from)
            if one.valid_until is not None:
                wider = wider.where(Release.date_beg < one.valid_until)
            for release, observation in session.execute(wider):
                if one.did not in release.refs and not _excluded(one, observation.meta):
                    _note(found, release, observation, f"{one.did} may apply", certain=False)
    return sorted(found.values(), key=lambda row: str(row["product"]))


def _note(
    found: dict[str, dict[str, Any]], release: Release, observation: Observation, why: str, *, certain: bool
) -> None:
    key = ProductKey(observation.scope, observation.name, release.level)
    row = {
        "product": key.name,
        "did": f"{release.scope}:{release.dataset}",
        "version": release.version,
        "certain": certain,
        "why": why,
    }
    found.setdefault(key.name, row)


def _excluded(reference: ReferenceInfo, meta: Mapping[str, Any]) -> bool:
    """True where a selector contradicts what the lake knows about the observation."""
    return any(
        key.lower() in meta and not _agrees(value, meta[key.lower()])
        for key, value in reference.selectors.items()
    )


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
        if key not in keywords or not _agrees(value, keywords[key])
    ]


def _agrees(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, (list, tuple)):
        return any(_agrees(one, found) for one in wanted)
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
    if not named:
        return f"{start}; {_how(need)}"
    if not dated:
        near = sorted(named, key=lambda one: (_distance(one, date), one.id))
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


def _distance(reference: ReferenceInfo, date: datetime | None) -> float:
    """Seconds between a time and the nearest end of a validity that does not hold it."""
    if date is None:
        return 0.0
    ends = [end for end in (reference.valid_from, reference.valid_until) if end is not None]
    return min((abs((in_utc(end) - in_utc(date)).total_seconds()) for end in ends), default=0.0)


def _start(reference: ReferenceInfo) -> float:
    return float("-inf") if reference.valid_from is None else in_utc(reference.valid_from).timestamp()


def _purpose(reference: ReferenceInfo) -> tuple[str, str, str]:
    return reference.instrument, reference.need, str(sorted(reference.selectors.items(), key=str))


def _overlap(first: ReferenceInfo, second: ReferenceInfo) -> bool:
    def end(one: ReferenceInfo) -> float:
        return float("inf") if one.valid_until is None else in_utc(one.valid_until).timestamp()

    return _start(first) < end(second) and _start(second) < end(first)

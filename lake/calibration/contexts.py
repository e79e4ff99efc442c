"""Contexts: immutable, numbered lists of references, and what a change from one to another asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Subquery, func, select, text
from sqlalchemy.dialects.postgresql import insert

from lake.calibration.choice import Context, agrees, names_of, start_of
from lake.calibration.references import ReferenceInfo, info
from lake.catalogue.models import Context as ContextRow
from lake.catalogue.models import (
    ContextReference,
    CurrentContext,
    File,
    Observation,
    Product,
    Reference,
    Release,
    ReleaseFile,
)
from lake.catalogue.session import transaction
from lake.entries import in_utc, iso
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.values import each
from lake.rucio.client import batches

_MANY = 10_000
_LOCK = 7_201_955_022  # numbers are given one after the other, without gaps


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
            numbers = select(ContextRow.number).order_by(ContextRow.number.desc()).limit(20)
            known = list(session.scalars(numbers))
            raise BadInput(
                f"there is no context {number}",
                advice=f"the latest are: {', '.join(map(str, known))}; `heliolake context list` tells of them"
                if known
                else "make the first one: `heliolake context add FOLDER`",
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


def diff(old: Context, new: Context) -> ContextDiff:
    """What changed between two contexts; a removed and an added reference of like purpose make a pair."""
    before, after = ({one.id: one for one in context.references} for context in (old, new))
    added = {number: one for number, one in after.items() if number not in before}
    removed = {number: one for number, one in before.items() if number not in after}
    by_purpose: dict[tuple[str, str, str], list[ReferenceInfo]] = {}
    for one in added.values():
        by_purpose.setdefault(_purpose(one), []).append(one)
    replaced = []
    for gone in list(removed.values()):
        rivals = by_purpose.get(_purpose(gone), [])
        come = next((one for one in rivals if one.id in added and _overlap(gone, one)), None)
        if come is not None:
            replaced.append((gone, come))
            del removed[gone.id], added[come.id]
    return ContextDiff(tuple(added.values()), tuple(removed.values()), tuple(replaced))


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
        made = query.where(Release.recipe.is_not(None))
        for one in (reference for reference in come if not names_of(reference)):
            wider = made.where(Release.scope == one.instrument)
            if one.valid_from is not None:
                wider = wider.where(Release.date_end >= one.valid_from)
            if one.valid_until is not None:
                wider = wider.where(Release.date_beg < one.valid_until)
            for release, observation in session.execute(wider):
                if one.did not in release.refs and not _excluded(one, observation.meta):
                    _note(found, release, observation, f"{one.did} may apply", certain=False)
        for scope, did_by_file in _named_files(come).items():
            for files in batches(did_by_file, _MANY):
                holding = _holding(scope, files)
                wider = made.join(holding, holding.c.observation == Observation.id).add_columns(
                    holding.c.file
                )
                for release, observation, file in session.execute(wider):
                    did = did_by_file[file]
                    if did not in release.refs:
                        _note(found, release, observation, f"{did} may apply", certain=False)
    return sorted(found.values(), key=lambda row: str(row["product"]))


def _named_files(references: Iterable[ReferenceInfo]) -> dict[str, dict[str, str]]:
    """By instrument: the files that references name, and the reference that does."""
    result: dict[str, dict[str, str]] = {}
    for one in references:
        for name in names_of(one):
            result.setdefault(one.instrument, {})[name] = one.did
    return result


def _holding(scope: str, names: Sequence[str]) -> Subquery:
    """The observations that hold files of these names."""
    return (
        select(Product.observation_id.label("observation"), File.name.label("file"))
        .join(Release, Release.product_id == Product.id)
        .join(ReleaseFile, ReleaseFile.release_id == Release.id)
        .join(File, File.id == ReleaseFile.file_id)
        .where(Release.status == "ACTIVE", File.scope == scope, File.name == func.any(names))
        .distinct()
        .subquery()
    )


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
    """True where a selector contradicts what the lake knows about the observation: all of its values."""
    return any(
        key.lower() in meta and not any(agrees(value, one) for one in each(meta[key.lower()]))
        for key, value in reference.selectors.items()
    )


def _purpose(reference: ReferenceInfo) -> tuple[str, str, str]:
    return reference.instrument, reference.need, str(sorted(reference.selectors.items(), key=str))


def _overlap(first: ReferenceInfo, second: ReferenceInfo) -> bool:
    def end(one: ReferenceInfo) -> float:
        return float("inf") if one.valid_until is None else in_utc(one.valid_until).timestamp()

    return start_of(first) < end(second) and start_of(second) < end(first)

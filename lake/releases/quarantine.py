"""Files that were put aside: why, since when, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from lake.catalogue.models import Quarantined, Run
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.rucio.client import batches

_MANY = 5000  # subjects of one statement
_KIND = ("stage", "code", "reason", "advice", "recipe")
"""What cases that stand together have in common."""


@dataclass(frozen=True)
class Case:
    """One file put aside.

    Parameters
    ----------
    subject
        Path of the file, or its DID once it is in the lake.
    reason, keyword, found, advice
        As in `BadInput`.
    code
        Short, stable code of the reason.
    stage
        `ingest` or `process`.
    sha256
        Of its bytes, where they could be read.
    unit_id, run_id
        What met it, in processing.
    """

    subject: str
    reason: str
    code: str
    stage: str
    sha256: str = ""
    keyword: str = ""
    found: str = ""
    advice: str = ""
    unit_id: str | None = None
    run_id: str | None = None

    @classmethod
    def of(cls, error: BadInput, stage: str, *, subject: str = "", sha256: str = "") -> Case:
        """The case that an error of the lake describes."""
        return cls(
            subject=subject or error.file,
            reason=error.reason,
            code=str(error.code),
            stage=stage,
            sha256=sha256,
            keyword=error.keyword,
            found=error.found,
            advice=error.advice,
        )


def record(lake: Lake, cases: Sequence[Case]) -> None:
    """Put files aside. The same file for the same reason is one case that counts how often it was met."""
    # One statement may not touch a row twice: the last of equal cases speaks for them.
    rows = {(case.subject, case.sha256, case.code, case.stage): _row(case) for case in cases}
    if not rows:
        return
    statement = insert(Quarantined)
    statement = statement.on_conflict_do_update(
        index_elements=["subject", "sha256", "code", "stage"],
        set_={
            "last_seen": func.now(),
            "count": Quarantined.count + 1,
            "resolved": None,
            **{
                name: statement.excluded[name]
                for name in ("reason", "keyword", "found", "advice", "unit_id", "run_id")
            },
        },
    )
    with transaction(lake.sessions) as session:
        session.execute(statement, list(rows.values()))


def resolve(lake: Lake, subjects: Sequence[str], stage: str | None = None) -> int:
    """Mark the open cases of files as settled, as when a repaired file was taken in; returns how many."""
    settled = 0
    with transaction(lake.sessions) as session:
        for batch in batches(subjects, _MANY):
            statement = (
                update(Quarantined)
                .where(Quarantined.subject == func.any(batch), Quarantined.resolved.is_(None))
                .values(resolved=func.now())
                .returning(Quarantined.id)
            )
            if stage is not None:
                statement = statement.where(Quarantined.stage == stage)
            settled += len(session.execute(statement).all())
    return settled


def listing(
    lake: Lake,
    *,
    stage: str | None = None,
    code: Reason | str | None = None,
    run_id: str | None = None,
    resolved: bool = False,
    limit: int = 10_000,
) -> list[dict[str, Any]]:
    """Open cases (or, with `resolved`, all), the latest first."""
    query = (
        select(Quarantined, Run.recipe)
        .outerjoin(Run, Run.id == Quarantined.run_id)
        .order_by(Quarantined.last_seen.desc(), Quarantined.subject)
        .limit(limit)
    )
    if not resolved:
        query = query.where(Quarantined.resolved.is_(None))
    for column, value in (
        (Quarantined.stage, stage),
        (Quarantined.code, None if code is None else str(code)),
        (Quarantined.run_id, run_id),
    ):
        if value is not None:
            query = query.where(column == value)
    with transaction(lake.sessions) as session:
        return [_describe(row, recipe) for row, recipe in session.execute(query)]


def grouped(cases: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Cases that have the same reason and the same way out, together; in the order of the first of each."""
    together: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for case in cases:
        kind = (*(case[key] for key in _KIND), case["resolved"] is None)
        together.setdefault(kind, []).append(case)
    return list(together.values())


def _row(case: Case) -> dict[str, Any]:
    # PostgreSQL's text has no NUL, damaged headers do.
    return {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in vars(case).items()
    }


def _describe(row: Quarantined, recipe: str | None) -> dict[str, Any]:
    return {
        "file": row.subject,
        "code": row.code,
        "reason": row.reason,
        "keyword": row.keyword,
        "found": row.found,
        "advice": row.advice,
        "stage": row.stage,
        "sha256": row.sha256,
        "unit": row.unit_id,
        "run": row.run_id,
        "recipe": recipe,
        "first_seen": iso(row.first_seen),
        "last_seen": iso(row.last_seen),
        "count": row.count,
        "resolved": iso(row.resolved),
    }

"""Files that were put aside: why, since when, and what to do about each."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from lake.catalogue.models import Quarantined, Run
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.known import require_operator
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.rucio.client import batches
from lake.text import printable

_MANY = 5000  # subjects of one statement
_TYPED: Final = 2
"""Paths that a command bears; more are told by their folder."""
_NAMED: Final = 100
"""Files of a decision that the audit trail names."""
KIND: Final = ("stage", "code", "reason", "advice", "recipe")
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


def close(lake: Lake, cases: Collection[int], *, reason: str, principal: Principal) -> int:
    """Settle open cases that nobody will repair, for a reason that is kept; returns how many.

    A file that is met again opens its case again.

    Parameters
    ----------
    lake
        The lake.
    cases
        Their numbers, as `listing` has them.
    reason
        Why nothing is to be done about them.
    principal
        Who decides: somebody who runs the data centre.

    Raises
    ------
    BadInput
        When there is no reason, none of the cases is open, or the principal may not decide.
    """
    require_operator(principal, "closing cases of the quarantine")
    if not reason.strip() or not reason.isprintable():
        raise BadInput(
            "closing a case needs a reason",
            keyword="reason",
            found=printable(reason) or "nothing",
            advice="say in a sentence why nothing is to be done about it; it is kept",
            code=Reason.BAD_KEYWORD,
        )
    settled: list[str] = []
    with transaction(lake.sessions) as session:
        for batch in batches(sorted(cases), _MANY):
            statement = (
                update(Quarantined)
                .where(Quarantined.id == func.any(batch), Quarantined.resolved.is_(None))
                .values(resolved=func.now())
                .returning(Quarantined.subject)
            )
            settled += session.scalars(statement)
        if not settled:
            raise BadInput(
                "none of these cases is open any more",
                advice="load the list again",
                code=Reason.NOT_FOUND,
            )
        told = {"reason": reason.strip(), "files": sorted(settled)[:_NAMED]}
        about = settled[0] if len(settled) == 1 else f"{len(settled)} files"
        audit.record(session, principal.signature, "quarantine.close", about, told)
    return len(settled)


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
        kind = (*(case[key] for key in KIND), case["resolved"] is None)
        together.setdefault(kind, []).append(case)
    return list(together.values())


def way_out(group: Sequence[Mapping[str, Any]]) -> str:
    """What `heliolake` is told to try the files of a group again, once what is wrong is put right."""
    if group[0]["stage"] == "process":
        return f"process {shlex.quote(group[0]['recipe'] or 'RECIPE')} --retry-quarantined"
    paths = [str(case["file"]) for case in group]
    # Never the folder above them all: it may hold half a disk.
    named = paths if len(paths) <= _TYPED else sorted({str(PurePath(path).parent) for path in paths})
    return f"ingest {' '.join(map(shlex.quote, named))}"


def _row(case: Case) -> dict[str, Any]:
    # PostgreSQL's text has no NUL, damaged headers do.
    return {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in vars(case).items()
    }


def _describe(row: Quarantined, recipe: str | None) -> dict[str, Any]:
    return {
        "case": row.id,
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

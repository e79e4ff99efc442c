"""What every unit ever gave, under its content hash, in whatever run: the same unit is never done twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from lake.catalogue.models import File, UnitResult
from lake.catalogue.session import changed, transaction
from lake.lake import Lake
from lake.ledger.units import Result
from lake.releases.releases import entry
from lake.rucio.client import batches

_MANY = 10_000


def results(lake: Lake, unit_ids: Iterable[str]) -> dict[str, Result]:
    """What units gave in any run, of those that are known."""
    found: dict[str, Result] = {}
    with transaction(lake.sessions) as session:
        for batch in batches(unit_ids, _MANY):
            query = (
                select(UnitResult, File)
                .outerjoin(File, File.id == UnitResult.file_id)
                .where(UnitResult.unit_id == func.any(batch))
            )
            for row, file in session.execute(query):
                made = None if file is None else entry(file, row.refs)
                found[row.unit_id] = Result(row.unit_id, row.outcome, made, dict(row.detail))
    return found


def known_outcomes(lake: Lake, unit_ids: Iterable[str]) -> dict[str, str]:
    """How units ended in any run (done or quarantined), of those that are known, without what they gave."""
    found: dict[str, str] = {}
    with transaction(lake.sessions) as session:
        for batch in batches(unit_ids, _MANY):
            query = select(UnitResult.unit_id, UnitResult.outcome).where(
                UnitResult.unit_id == func.any(batch)
            )
            found.update((row.unit_id, row.outcome) for row in session.execute(query))
    return found


def record_quarantined(lake: Lake, units: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Remember that units can give no file, so that they are not tried again; a result is never replaced.

    Parameters
    ----------
    lake
        The lake.
    units
        Each with the reason.
    """
    rows = (
        {"unit_id": unit_id, "outcome": "quarantined", "detail": dict(detail)} for unit_id, detail in units
    )
    with transaction(lake.sessions) as session:
        for batch in batches(rows, _MANY):
            session.execute(insert(UnitResult).on_conflict_do_nothing(index_elements=["unit_id"]), batch)


def forget_quarantined(lake: Lake, unit_ids: Sequence[str]) -> int:
    """Let quarantined units be tried again; results with a file are kept."""
    with transaction(lake.sessions) as session:
        return changed(
            session.execute(
                delete(UnitResult).where(
                    UnitResult.unit_id.in_(list(unit_ids)), UnitResult.outcome == "quarantined"
                )
            )
        )


def forget_lost(lake: Lake, unit_ids: Sequence[str]) -> int:
    """Let units be done anew whose files are lost, or were not what the units stand for."""
    with transaction(lake.sessions) as session:
        return sum(
            changed(session.execute(delete(UnitResult).where(UnitResult.unit_id.in_(batch))))
            for batch in batches(unit_ids, _MANY)
        )

"""The ledger: leases and runs of processes that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlalchemy import select

from lake.catalogue.models import Release, Unit
from lake.catalogue.session import transaction
from lake.fsck.difference import Difference, Look
from lake.lake import Lake
from lake.ledger import leases
from lake.ledger.owners import is_dead
from lake.ledger.run import Run


def leases_and_runs(look: Look) -> Iterator[Difference]:
    """Leases and runs of processes that are gone."""
    with transaction(look.lake.sessions) as session:
        owners = session.scalars(select(Unit.lease_owner).where(Unit.state == "leased").distinct()).all()
    for owner in owners:
        if owner is not None and is_dead(owner):
            detail = "units are leased by a process that is gone"
            yield Difference("dead-lease", owner, detail, partial(_free, look.lake))
    for run_id, owner in look.picture.open_runs.items():
        if not is_dead(owner):
            continue
        run = Run(look.lake, run_id, owner)
        if _is_over(look, run):  # its executors outlived it
            yield Difference(
                "unfinished-run",
                run_id,
                "its process is gone, and nothing is left to do",
                run.end_as_it_is,
            )
        else:
            command = "reduce" if run_id in look.picture.reductions else "process"
            detail = f"its process is gone; continue it with `heliolake {command} --run {run_id}`"
            yield Difference("unfinished-run", run_id, detail)


def _is_over(look: Look, run: Run) -> bool:
    """Whether a run of nobody has done all of its work: units, and what was to be made of them.

    A reduction makes its reference after the last unit, and a release may have been begun only: whoever goes
    on with the run does that, and does nothing twice.
    """
    if run.id in look.picture.reductions or run.left():
        return False
    with transaction(look.lake.sessions) as session:
        begun = select(Release.id).where(Release.draft_key == run.id, Release.status == "DRAFT").exists()
        return not session.scalar(select(begun))


def _free(lake: Lake) -> None:
    leases.take_over(lake)

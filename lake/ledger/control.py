"""Runs held up, let go, and given up, from any process; those who carry them out look up what is asked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import func, select, update

from lake.catalogue.models import Run as RunRow
from lake.catalogue.models import Unit
from lake.catalogue.session import changed, transaction
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.ledger.executors import Executor, executors
from lake.ledger.results import forget_quarantined
from lake.ledger.run import Run
from lake.ledger.units import ENDED
from lake.releases import nearby
from lake.releases.drafts import discard_all

OPEN: Final = ("running", "paused", "stopped", "failed")
"""States of a run that is not through: whoever wants may go on with it."""


def pause(lake: Lake, run_id: str, by: Principal) -> None:
    """Hold a run up: nobody claims its units any more, and what is at work is finished or given back.

    Raises
    ------
    BadInput
        When it is not being carried out.
    """
    advice = f"`heliolake process --run {run_id}` or `heliolake reduce --run {run_id}` goes on with it"
    _change(lake, run_id, by, "pause", "paused", ("running",), {"stopped": advice, "failed": advice})


def resume(lake: Lake, run_id: str, by: Principal) -> None:
    """Let a paused run go on; what was stopped otherwise is left as it is, for whoever takes it up.

    Raises
    ------
    BadInput
        When it has ended.
    """
    if _status(lake, run_id) in ("running", "stopped", "failed"):
        return
    _change(lake, run_id, by, "resume", "running", ("paused",), {})


def cancel(lake: Lake, run_id: str, by: Principal) -> None:
    """Give a run up: units at work too, and the versions reserved for it. What it published stays.

    Raises
    ------
    BadInput
        When it has ended.
    """
    _change(lake, run_id, by, "cancel", "cancelled", OPEN, {})
    if not any(one.alive for one in executors(lake, run_id)):
        give_up(lake, run_id)


def give_up(lake: Lake, run_id: str) -> None:
    """Free the units of a cancelled run, and the versions that were reserved for it."""
    with transaction(lake.sessions) as session:
        session.execute(
            update(Unit)
            .where(Unit.run_id == run_id, Unit.state == "leased")
            .values(state="planned", lease_owner=None, lease_until=None)
        )
    discard_all(lake, run_id)


def troubled(lake: Lake, run_id: str, reason: str = "") -> dict[str, str]:
    """Units of a run that failed or were put aside for a reason that holds some words; their products.

    Raises
    ------
    BadInput
        When there is none.
    """
    _status(lake, run_id)
    told = func.coalesce(Unit.outcome["outcome"], Unit.outcome)
    query = select(Unit.unit_id, Unit.product).where(
        Unit.run_id == run_id, Unit.state.in_(("failed", "quarantined"))
    )
    if reason:
        query = query.where(func.coalesce(told["reason"].astext, "").icontains(reason, autoescape=True))
    with transaction(lake.sessions) as session:
        found = dict(session.execute(query).tuples().all())
    if found:
        return found
    words = f" for a reason with {reason!r} in it" if reason else ""
    raise BadInput(
        f"no unit of run {run_id} failed or was put aside{words}",
        code=Reason.NOT_FOUND,
        advice=f"`heliolake runs show {run_id}` lists what went wrong",
    )


def try_again(lake: Lake, run_id: str, by: Principal, reason: str = "") -> tuple[int, int]:
    """Plan units again of a run that somebody carries out; they do them with the others.

    Returns
    -------
    again, later
        How many, and how many are left for they belong to products that are through.

    Raises
    ------
    BadInput
        When there is none.
    """
    found = troubled(lake, run_id, reason)
    run = Run(lake, run_id, "")
    through = set(run.finished_products(set(found.values())))
    again = [unit for unit, product in found.items() if product not in through]
    number = run.replan_units(again)
    note_retry(lake, run_id, by, reason, number)
    return number, len(found) - len(again)


def try_again_later(lake: Lake, run_id: str, units: Collection[str], by: Principal) -> int:
    """Let units that a run put aside be done again, at the latest when their recipe is run next.

    Returns
    -------
    int
        How many.
    """
    status = _status(lake, run_id)
    number = forget_quarantined(lake, sorted(units))
    if status in OPEN:
        run = Run(lake, run_id, "")
        found = {unit: product for unit, product in troubled(lake, run_id).items() if unit in units}
        through = set(run.finished_products(set(found.values())))
        number = max(number, run.replan_units([one for one in found if found[one] not in through]))
    if number:
        note_retry(lake, run_id, by, "", number)
    return number


def note_retry(lake: Lake, run_id: str, by: Principal, reason: str, number: int) -> None:
    """Enter into the audit trail that units are tried again."""
    with transaction(lake.sessions) as session:
        audit.record(session, by.signature, "run.retry", run_id, {"reason": reason, "units": number})


def at_it(lake: Lake, run_id: str) -> list[Executor]:
    """The executors of a run that live."""
    return [one for one in executors(lake, run_id) if one.alive]


def _status(lake: Lake, run_id: str) -> str:
    with transaction(lake.sessions) as session:
        status = session.scalar(select(RunRow.status).where(RunRow.id == run_id))
    if status is None:
        raise BadInput(
            f"there is no run {run_id!r}",
            advice=nearby.run_instead_of(lake, run_id),
            code=Reason.NOT_FOUND,
        )
    return status


def _change(
    lake: Lake,
    run_id: str,
    by: Principal,
    what: str,
    status: str,
    among: Collection[str],
    advice: dict[str, str],
) -> None:
    """Give a run another status, and enter who did so into the audit trail."""
    before = _status(lake, run_id)
    note = "" if status == "running" else f"{status} by {by.shown}"
    end = {"finished": func.now()} if status in ENDED else {}
    with transaction(lake.sessions) as session:
        done = changed(
            session.execute(
                update(RunRow)
                .where(RunRow.id == run_id, RunRow.status.in_(among))
                .values(status=status, note=note, **end)
            )
        )
        if done:
            audit.record(session, by.signature, f"run.{what}", run_id, {"before": before})
            return
    raise BadInput(
        f"run {run_id} cannot be {_PAST[what]}: it is {before}",
        advice=advice.get(before, "`heliolake runs` lists those that are not through"),
    )


_PAST: Final = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}

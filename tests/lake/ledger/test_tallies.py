"""What units took is kept with each, and counted for the run as they end."""

from __future__ import annotations

from sqlalchemy import select

from lake.catalogue.models import StepTime, Tally, Unit
from lake.catalogue.session import transaction
from lake.lake import Lake
from lake.ledger.run import Run
from lake.ledger.units import Facts, Finished
from tests.lake.ledger.hands import ELSEWHERE, held


def facts(worker: str, **seconds: float) -> Facts:
    return Facts(worker, seconds, bytes_in=100, bytes_out=10, memory=7)


def tallied(lake: Lake, run: Run) -> dict[tuple[str, str], tuple[int, int, int, float]]:
    """Of each executor and worker: units, troubles, bytes read, seconds; minutes together."""
    found: dict[tuple[str, str], tuple[int, int, int, float]] = {}
    with transaction(lake.sessions) as session:
        for row in session.scalars(select(Tally).where(Tally.run_id == run.id)):
            units, troubles, read, seconds = found.get((row.executor, row.worker), (0, 0, 0, 0.0))
            found[row.executor, row.worker] = (
                units + row.units,
                troubles + row.troubles,
                read + row.bytes_in,
                seconds + row.seconds,
            )
    return found


def test_a_unit_keeps_who_did_it_how_long_and_with_how_much(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    (unit,) = mine.claim(1)
    mine.finish([Finished(unit.unit_id, "done", {"x": 1}, facts("w/0", read=0.5))])
    with transaction(lake.sessions) as session:
        row = session.scalars(select(Unit).where(Unit.unit_id == unit.unit_id)).one()
    assert row.facts == {
        "by": mine.owner, "worker": "w/0", "in": 100, "out": 10, "memory": 7, "seconds": {"read": 0.5}
    }  # fmt: skip
    run.replan(["done"])
    with transaction(lake.sessions) as session:
        assert session.scalars(select(Unit).where(Unit.unit_id == unit.unit_id)).one().facts is None


def test_units_are_counted_by_executor_and_worker_over_all_that_is_entered(lake: Lake, run: Run) -> None:
    one, other = held(run, next(ELSEWHERE)), held(run, next(ELSEWHERE))
    a, b, c, d = one.claim(4)
    one.finish([Finished(a.unit_id, "done", {}, facts("w/0", read=0.25, register=1.0))])
    one.finish([Finished(b.unit_id, "failed", {}, facts("w/0", read=0.25))])
    one.finish([Finished(c.unit_id, "done", {}, facts("w/1")), Finished(d.unit_id, "skipped")])
    (e,) = other.claim(1)
    other.finish([Finished(e.unit_id, "quarantined", {}, facts(""))])
    assert tallied(lake, run) == {
        (one.owner, "w/0"): (2, 1, 200, 1.5),
        (one.owner, "w/1"): (1, 0, 100, 0.0),
        (other.owner, ""): (1, 1, 100, 0.0),
    }


def test_what_was_taken_over_is_not_counted(lake: Lake, run: Run) -> None:
    slow, quick = held(run, next(ELSEWHERE)), held(run, next(ELSEWHERE))
    (unit,) = slow.claim(1, lease_seconds=-1)
    quick.claim(1)
    assert slow.finish([Finished(unit.unit_id, "done", {}, facts("w/0", read=1.0))]) == 0
    assert tallied(lake, run) == {}


def test_times_of_a_step_go_into_buckets_that_keep_their_sum(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    claimed = mine.claim(5)
    times = [0.1, 0.101, 5.0, 0.0, 0.1]
    ended = [
        Finished(unit.unit_id, "done", {}, facts("w", despike=seconds))
        for unit, seconds in zip(claimed, times, strict=True)
    ]
    mine.finish(ended[:2])
    mine.finish(ended[2:])
    with transaction(lake.sessions) as session:
        query = select(StepTime).where(StepTime.run_id == run.id).order_by(StepTime.bucket)
        rows = [(row.step, row.times, round(row.seconds, 6)) for row in session.scalars(query)]
    assert rows == [("despike", 1, 0.0), ("despike", 3, 0.301), ("despike", 1, 5.0)]

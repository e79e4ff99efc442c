"""Executors: others see who carries a run out, where, and whether they live."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from lake.lake import Lake
from lake.ledger import executors
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from tests.lake.ledger.hands import ELSEWHERE, held


def silent_for(lake: Lake, run: Run, seconds: float) -> None:
    with lake.engine.begin() as connection:
        connection.execute(
            text("UPDATE executor SET seen = now() - make_interval(secs => :s) WHERE run_id = :run"),
            {"s": seconds, "run": run.id},
        )


def test_who_holds_a_run_is_seen_and_says_what_it_does(lake: Lake, run: Run) -> None:
    with run.kept("kodaikanal"):
        run.say("paused")
        (one,) = executors.executors(lake, run.id)
        assert (one.owner, one.site, one.note, one.alive) == (this_process(), "kodaikanal", "paused", True)
        assert one.ended is None
    (one,) = executors.executors(lake, run.id)
    assert (one.alive, one.note) == (False, "")
    assert one.ended is not None
    assert one.started <= one.seen <= one.ended


def test_an_executor_that_comes_again_lives_again(lake: Lake, run: Run) -> None:
    for _ in range(2):
        with run.kept():
            pass
    with run.kept():
        assert [one.alive for one in executors.executors(lake, run.id)] == [False, False, True]


def test_a_process_of_this_host_that_is_gone_is_not_taken_for_alive(
    lake: Lake, run: Run, dead_owner: str
) -> None:
    executors.begin(lake, run.id, dead_owner)
    assert [one.alive for one in executors.executors(lake, run.id)] == [False]


@pytest.mark.parametrize(("seconds", "alive"), [(30, True), (90, False)])
def test_an_executor_elsewhere_lives_as_long_as_it_is_heard_of(
    lake: Lake, run: Run, seconds: float, alive: bool
) -> None:
    executors.begin(lake, run.id, next(ELSEWHERE))
    silent_for(lake, run, seconds)
    assert [one.alive for one in executors.executors(lake, run.id)] == [alive]


def test_a_heartbeat_is_heard_for_all_runs_that_are_not_ended(lake: Lake, run: Run) -> None:
    owner = next(ELSEWHERE)
    executors.begin(lake, run.id, owner)
    silent_for(lake, run, 90)
    executors.beat(lake, owner)
    assert executors.executors(lake, run.id)[0].alive
    executors.end(lake, run.id, owner)
    before = executors.executors(lake, run.id)[0].seen
    executors.beat(lake, owner)
    assert executors.executors(lake, run.id)[0].seen == before


def test_a_heart_is_heard_while_leases_are_kept(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lake.ledger import leases

    mine = held(run, next(ELSEWHERE))
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.01)
    with mine.kept():
        first = executors.executors(lake, run.id)[0].seen
        while executors.executors(lake, run.id)[0].seen == first:
            pass

"""Runs are held up, let go and given up from anywhere, by a rule and with a trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.policy import OWNER, Principal
from lake.lake import Lake
from lake.ledger import control, executors, runs
from lake.ledger.run import Run
from lake.ledger.units import Finished
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import find_by_key
from tests.lake.ledger.hands import ELSEWHERE, held

Change = Callable[[Lake, str, Principal], None]


def status(lake: Lake, run: Run) -> str:
    return str(runs.find_run(lake, run.id)["status"])


def test_a_paused_run_gives_no_units_until_it_is_resumed(lake: Lake, run: Run) -> None:
    worker = held(run, next(ELSEWHERE))
    (first, *_) = worker.claim(2)
    control.pause(lake, run.id, OWNER)
    assert worker.claim(2) == []
    assert worker.finish([Finished(first.unit_id, "done")]) == 1, "what is at work may be finished"
    assert worker.give_back() == 1
    control.resume(lake, run.id, OWNER)
    assert len(worker.claim(20)) == 9


def test_who_is_ended_while_the_run_is_paused_leaves_it_paused(lake: Lake, run: Run) -> None:
    control.pause(lake, run.id, OWNER)
    run.end("stopped", "interrupted")
    assert status(lake, run) == "paused"
    control.resume(lake, run.id, OWNER)
    run.end("done")
    assert status(lake, run) == "done"


def test_a_cancelled_run_is_empty_handed_and_stays_cancelled(lake: Lake, run: Run, scope: str) -> None:
    product = ProductKey(scope, "o0", "1")
    reserve(lake, product, run.id)
    held(run, next(ELSEWHERE)).claim(3)
    control.cancel(lake, run.id, OWNER)
    assert (run.counts()["leased"], run.counts()["planned"]) == (0, 10)
    assert run.claim(1) == []
    run.adopt()
    run.end("done")
    assert status(lake, run) == "cancelled"
    assert "cancelled by" in runs.find_run(lake, run.id)["note"]
    assert reserve(lake, product, "another").version == 2, "the version it had is given up for good"
    assert find_by_key(lake, product, run.id) is None


def test_units_at_work_are_left_to_those_who_live_to_give_them_up(lake: Lake, run: Run) -> None:
    worker = held(run, next(ELSEWHERE))
    worker.claim(3)
    executors.begin(lake, run.id, worker.owner)
    control.cancel(lake, run.id, OWNER)
    assert run.counts()["leased"] == 3
    control.give_up(lake, run.id)
    assert run.counts()["leased"] == 0


@pytest.mark.parametrize("before", ["done", "cancelled"])
@pytest.mark.parametrize("change", [control.pause, control.resume, control.cancel])
def test_what_has_ended_is_refused_in_words(lake: Lake, run: Run, change: Change, before: str) -> None:
    if before == "done":
        run.end("done")
    else:
        control.cancel(lake, run.id, OWNER)
    with pytest.raises(BadInput, match=f"run {run.id} cannot be .*: it is {before}"):
        change(lake, run.id, OWNER)
    assert status(lake, run) == before


def test_a_run_that_nobody_carries_out_is_not_paused(lake: Lake, run: Run) -> None:
    run.end("stopped")
    with pytest.raises(BadInput, match=r"it is stopped .*process --run"):
        control.pause(lake, run.id, OWNER)
    control.resume(lake, run.id, OWNER)
    assert status(lake, run) == "stopped", "whoever carries it out says that it runs"


@pytest.mark.parametrize("change", [control.pause, control.resume, control.cancel])
def test_a_run_that_is_not_there_is_named(lake: Lake, change: Change) -> None:
    with pytest.raises(BadInput, match="there is no run") as refused:
        change(lake, "20000101-zzzz", OWNER)
    assert refused.value.code is Reason.NOT_FOUND


def test_the_audit_trail_tells_who_did_what_to_a_run(lake: Lake, run: Run) -> None:
    for change in (control.pause, control.resume, control.cancel):
        change(lake, run.id, Principal("ada", operator=True))
    told = [(one.what, one.who) for one in audit.every(lake) if one.subject == run.id]
    assert told == [("run.pause", "ada"), ("run.resume", "ada"), ("run.cancel", "ada")]

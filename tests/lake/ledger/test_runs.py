"""Runs are listed, newest first, with how far each is."""

from __future__ import annotations

import pytest

from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import Finished
from tests.lake.ledger.hands import ELSEWHERE, held, make_run


def test_a_run_is_listed_with_its_counts_and_its_end(lake: Lake, run: Run) -> None:
    run.end("failed", "a service was lost")
    (listed,) = [one for one in runs.runs(lake, limit=20) if one["run"] == run.id]
    assert (listed["status"], listed["note"], listed["units"]["planned"]) == (
        "failed",
        "a service was lost",
        10,
    )
    held(run, "somebody").adopt()
    adopted = runs.find_run(lake, run.id)
    assert [adopted[name] for name in ("status", "owner", "finished")] == ["running", "somebody", None]


def test_a_run_that_does_not_exist_is_said_so(lake: Lake) -> None:
    with pytest.raises(BadInput, match="no run"):
        runs.find_run(lake, "20000101-none")


def test_of_a_run_all_is_told_that_is_known(lake: Lake, run: Run, scope: str) -> None:
    mine = held(run, next(ELSEWHERE))
    (unit, *_) = mine.claim(3)
    mine.finish([Finished(unit.unit_id, "skipped")])
    numbers = {"planned": 7, "leased": 2, "done": 0, "skipped": 1, "quarantined": 0, "failed": 0}
    shown = runs.find_run(lake, run.id)
    created = shown.pop("created")
    assert created.endswith("Z")
    whole = {
        "run": run.id,
        "plan": scope,
        "status": "running",
        "recipe": "r",
        "owner": this_process(),
        "finished": None,
        "note": "",
    }
    at = {"": {"planned": 7, "leased": 2, "skipped": 1}}
    assert shown == whole | {"units": numbers, "at": at, "document": {"recipe": "r"}}
    assert runs.runs_of_plan(lake, scope) == [whole | {"created": created}]
    (listed,) = [one for one in runs.runs(lake, limit=20) if one["run"] == run.id]
    assert listed == whole | {"created": created, "units": numbers}
    run.end("done")
    assert runs.find_run(lake, run.id)["finished"] >= created


def test_runs_come_newest_first_as_many_as_are_asked_for(lake: Lake, scope: str) -> None:
    first, second = (make_run(lake, scope, 1) for _ in range(2))
    assert [one["run"] for one in runs.runs_of_plan(lake, scope)] == [second.id, first.id]
    assert len(runs.runs(lake, limit=1)) == 1
    named = [one["run"] for one in runs.runs(lake, limit=20)]
    assert named.index(second.id) < named.index(first.id)

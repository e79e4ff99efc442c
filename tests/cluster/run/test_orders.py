"""A run that is being carried out is held up, let go and given up by others, and nothing is half done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.report import Report
from cluster.run import orders
from cluster.run.orders import Cancelled
from cluster.run.process import process
from lake.errors import BadInput
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.ledger import control, executors, runs
from lake.ledger.run import Run
from lake.releases import search
from lake.releases.finding import Wanted
from pipeline.recipe import recipes
from tests.cluster.frames import aia_series, at

COUNT = 12


@pytest.fixture(scope="module")
def lake(home: Home) -> Iterator[Lake]:
    with Lake.open(home.lake_config()) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "EVERY", 0.02)


def ingested(lake: Lake, folder: Path, day: int) -> Plan:
    ingest(lake, aia_series(folder, at(2015, 11, day), COUNT))
    return make_plan(lake, recipes()["aia-l15"], Query(observation=f"aia171_201511{day:02d}"))


def run_of(lake: Lake, plan: Plan) -> Run:
    return Run(lake, runs.runs_of_plan(lake, plan.id)[0]["run"], "a watcher")


def at_the_first_unit(act: Callable[[], object]) -> Callable[[int, int, str], None]:
    """Progress that does something when the first unit is through, once."""
    todo = [act]

    def tell(done: int, _total: int, _what: str) -> None:
        if done and todo:
            todo.pop()()

    return tell


def statuses(lake: Lake, observation: str) -> list[tuple[int, str, int]]:
    found = search.search(lake, Wanted(instrument="sdo_aia", level="1.5", pattern=observation, status=None))
    return sorted((one["version"], one["status"], one["files"]) for one in found)


def test_a_paused_run_holds_nothing_says_so_and_goes_on_where_it_was(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    plan = ingested(lake, tmp_path, 1)
    reports: list[Report] = []

    def carry_out() -> None:
        tell = at_the_first_unit(lambda: control.pause(lake, run_of(lake, plan).id, OWNER))
        reports.append(process(lake, home.scheduler(), plan, on_progress=tell))

    thread = threading.Thread(target=carry_out)
    thread.start()
    while not runs.runs_of_plan(lake, plan.id):
        assert thread.is_alive()
    run = run_of(lake, plan)
    while not any(one.note == "paused" for one in executors.executors(lake, run.id)):
        assert thread.is_alive()
    held = run.counts()
    assert (held["leased"], held["planned"] > 0, held["planned"] + held["done"]) == (0, True, COUNT)
    with pytest.raises(BadInput, match=f"run {run.id} is paused .*runs resume {run.id}"):
        process(lake, home.scheduler(), plan)
    assert run.counts() == held
    control.resume(lake, run.id, OWNER)
    thread.join()
    assert reports[0].counts()["done"] == COUNT
    assert statuses(lake, "aia171_20151101") == [(1, "ACTIVE", COUNT)]
    assert runs.find_run(lake, run.id)["status"] == "done"


def test_a_cancelled_run_publishes_nothing_and_the_same_plan_begins_anew(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    plan = ingested(lake, tmp_path, 2)
    tell = at_the_first_unit(lambda: control.cancel(lake, run_of(lake, plan).id, OWNER))
    with pytest.raises(Cancelled, match="was cancelled; what it had published stays"):
        process(lake, home.scheduler(), plan, on_progress=tell)
    given_up = run_of(lake, plan)
    assert runs.find_run(lake, given_up.id)["status"] == "cancelled"
    assert given_up.counts()["leased"] == 0
    assert statuses(lake, "aia171_20151102") == []
    assert not control.at_it(lake, given_up.id)
    report = process(lake, home.scheduler(), plan)
    assert report.more["run"] != given_up.id
    assert report.counts()["done"] == COUNT
    assert statuses(lake, "aia171_20151102") == [(2, "ACTIVE", COUNT)], "a version is never given again"


def test_a_run_that_is_stopped_while_it_is_paused_waits_for_whoever_resumes_it(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    plan = ingested(lake, tmp_path, 3)

    def stopped() -> None:
        control.pause(lake, run_of(lake, plan).id, OWNER)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process(lake, home.scheduler(), plan, on_progress=at_the_first_unit(stopped))
    run = run_of(lake, plan)
    assert runs.find_run(lake, run.id)["status"] == "paused"
    control.resume(lake, run.id, OWNER)
    report = process(lake, home.scheduler(), plan)
    assert (report.more["run"], report.counts()["done"]) == (run.id, COUNT)

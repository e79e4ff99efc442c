"""Going on: which run carries out a plan after failures, on other hosts, and when two ask at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from distributed import Client

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.report import Report
from cluster.run.process import process
from lake.errors import BadInput, Retriable
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.run import Run
from lake.ledger.units import UnitSpec
from lake.releases import publishing, quarantine, search
from lake.releases.drafts import discard
from lake.releases.finding import Wanted
from pipeline.errors import Fatal
from pipeline.errors import Retriable as PipelineRetriable
from pipeline.recipe import recipes
from tests.cluster.frames import aia_file, aia_series, at
from tests.stored import path_of


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


def planned(lake: Lake, day: int) -> Plan:
    return make_plan(lake, recipes()["aia-l15"], Query(observation=f"aia171_201703{day:02d}"))


def processed(home: Home, lake: Lake, plan: Plan, *, retry_quarantined: bool = False) -> Report:
    return process(lake, home.scheduler(), plan, retry_quarantined=retry_quarantined)


def counted(report: Report) -> dict[str, int]:
    return {outcome: count for outcome, count in report.counts().items() if count}


def released(lake: Lake, day: int) -> list[tuple[int, str, int]]:
    found = search.search(lake, Wanted(instrument="sdo_aia", level="1.5", pattern=f"aia171_201703{day:02d}"))
    return sorted((one["version"], one["status"], one["files"]) for one in found)


def entered(lake: Lake, plan: Plan, owner: str) -> Run:
    specs = [UnitSpec(unit.unit_id, unit.product.name, {"unit": unit.payload()}) for unit in plan.units]
    document = {key: value for key, value in plan.document().items() if key != "units"}
    return Run.create(lake, plan.id, document, plan.recipe.name, specs, owner)


def test_a_product_is_held_back_while_a_file_cannot_be_reached(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    paths = aia_series(tmp_path, at(2017, 3, 1), 3)
    ingest(lake, paths)
    plan = planned(lake, 1)
    stored = path_of(lake, "sdo_aia", paths[1].name)
    aside = stored.rename(tmp_path / "aside")
    report = processed(home, lake, plan)
    assert counted(report) == {"done": 2, "failed": 1}
    assert "is the storage mounted" in next(item.reason for item in report.items if item.outcome == "failed")
    assert released(lake, 1) == []
    aside.rename(stored)
    again = processed(home, lake, plan)
    assert again.more["run"] == report.more["run"]
    assert counted(again) == {"done": 3}
    assert released(lake, 1) == [(1, "ACTIVE", 3)]


def test_a_run_of_a_living_process_is_not_taken(home: Home, lake: Lake, tmp_path: Path) -> None:
    ingest(lake, aia_series(tmp_path, at(2017, 3, 2), 1))
    plan = planned(lake, 2)
    tell = "from lake.ledger.owners import this_process; print(this_process(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", tell], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        run = entered(lake, plan, other.stdout.readline().strip())
        with pytest.raises(BadInput, match=f"run {run.id} is being carried out"):
            processed(home, lake, plan)
        other.communicate("\n")
    report = processed(home, lake, plan)
    assert report.more["run"] == run.id
    assert counted(report) == {"done": 1}


def test_a_run_of_another_host_is_taken_once_nobody_works_on_it(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2017, 3, 3), 2))
    plan = planned(lake, 3)
    run = entered(lake, plan, "elsewhere:12:34.00")
    run.claim(1, lease_seconds=600)
    with pytest.raises(BadInput, match="being carried out"):
        processed(home, lake, plan)
    run.give_back()
    report = processed(home, lake, plan)
    assert (report.more["run"], counted(report)) == (run.id, {"done": 2})


def test_a_unit_whose_end_was_lost_is_done_again(
    home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, aia_series(tmp_path, at(2017, 3, 6), 3))
    keep, losses = Run.finish, iter([1])
    monkeypatch.setattr(Run, "finish", lambda run, ends: keep(run, ends[next(losses, 0) :]))
    assert counted(processed(home, lake, planned(lake, 6))) == {"done": 3}
    assert released(lake, 6) == [(1, "ACTIVE", 3)]


def test_a_ledger_that_keeps_nothing_ends_the_run_instead_of_going_round(
    home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, aia_series(tmp_path, at(2017, 3, 7), 2))
    plan = planned(lake, 7)
    with monkeypatch.context() as fault:
        fault.setattr(Run, "finish", lambda run, ends: 0)
        with pytest.raises(Fatal, match="the ledger does not keep how unit"):
            processed(home, lake, plan)
    assert counted(processed(home, lake, plan)) == {"done": 2}


def test_what_was_made_for_a_draft_that_was_given_up_is_made_again(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    """`fsck --repair` gives up drafts that nobody went on with; their version never comes back."""
    paths = aia_series(tmp_path, at(2017, 3, 9), 2)
    ingest(lake, paths)
    plan = planned(lake, 9)
    stored = path_of(lake, "sdo_aia", paths[1].name)
    aside = stored.rename(tmp_path / "aside")
    run = processed(home, lake, plan).more["run"]
    aside.rename(stored)
    discard(lake, plan.units[0].product, run)
    again = processed(home, lake, plan)
    assert (again.more["run"], counted(again)) == (run, {"done": 2})
    assert released(lake, 9) == [(2, "ACTIVE", 2)]


def test_a_product_that_grew_between_a_closed_dataset_and_its_release_gets_the_next_version(
    home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, aia_series(tmp_path, at(2017, 3, 10), 2))
    plan = planned(lake, 10)

    def breaks(*_: object) -> None:
        raise Retriable("the catalogue was lost")

    with monkeypatch.context() as fault:
        fault.setattr(publishing, "into_catalogue", breaks)
        with pytest.raises(Retriable, match="was lost"):
            processed(home, lake, plan)
    ingest(lake, [aia_file(tmp_path, at(2017, 3, 10, 9), LVL_NUM=1.5)])
    with pytest.raises(PipelineRetriable, match="changed while it was published"):
        processed(home, lake, plan)
    assert counted(processed(home, lake, plan)) == {"done": 2}
    assert released(lake, 10) == [(2, "SUPERSEDED", 1), (3, "ACTIVE", 3)]


def test_an_interrupted_run_cancels_its_blocks_while_its_client_lives(
    home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, aia_series(tmp_path, at(2017, 3, 8), 2))
    keep, seen = Client.cancel, list[str]()

    def cancel(client: Client, *args: object, **options: object) -> None:
        seen.append(client.status)
        keep(client, *args, **options)

    def interrupt(done: int, total: int, name: str) -> None:
        if name:
            raise KeyboardInterrupt

    monkeypatch.setattr(Client, "cancel", cancel)
    plan = planned(lake, 8)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        process(lake, home.scheduler(), plan, on_progress=interrupt)
    assert seen == ["running"], interrupted
    assert counted(processed(home, lake, plan)) == {"done": 2}


def test_what_was_put_aside_can_be_tried_again(home: Home, lake: Lake, tmp_path: Path) -> None:
    bad = aia_file(tmp_path, at(2017, 3, 4, 9), EXPTIME=0.0)
    ingest(lake, [*aia_series(tmp_path, at(2017, 3, 4), 1), bad])
    plan = planned(lake, 4)
    assert counted(processed(home, lake, plan)) == {"done": 1, "quarantined": 1}
    again = processed(home, lake, plan, retry_quarantined=True)
    assert counted(again) == {"skipped": 1, "quarantined": 1}
    assert again.more["run"] is not None
    assert released(lake, 4) == [(1, "ACTIVE", 1)]


def test_a_product_none_of_whose_files_can_be_used_makes_no_release(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    bad = aia_file(tmp_path, at(2017, 3, 5), EXPTIME=0.0)
    ingest(lake, [bad])
    assert counted(processed(home, lake, planned(lake, 5))) == {"quarantined": 1}
    assert counted(processed(home, lake, planned(lake, 5))) == {"quarantined": 1}
    assert released(lake, 5) == []
    subjects = {one["file"] for one in quarantine.listing(lake, stage="process")}
    assert f"sdo_aia:{bad.name}" in subjects
    assert {run["status"] for run in runs.runs_of_plan(lake, planned(lake, 5).id)} == {"done"}

"""`heliolake runs`: how a run gets on, and what somebody does about it, on the terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import heliolake
from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.pacing import step_rows
from cluster.plan.plan import Query, make_plan
from cluster.run import orders
from cluster.run.process import process
from lake.errors import BadInput
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.ledger import control, runs
from pipeline.recipe import recipes
from tests.cluster.frames import aia_file, aia_series, at
from tests.heliolake.conftest import Command

COUNT = 10


@pytest.fixture(scope="module")
def lake(home: Home) -> Iterator[Lake]:
    with Lake.open(home.lake_config()) as opened:
        yield opened


def made(
    home: Home, lake: Lake, folder: Path, day: int, *, act: Callable[[str], object] | None = None, **bad: Any
) -> str:
    """A run over a day of its own, with one file that differs; something may be done at its first unit."""
    files = aia_series(folder, at(2015, 12, day), COUNT)
    if bad:
        files.append(aia_file(folder, at(2015, 12, day, 9), **bad))
    ingest(lake, files)
    plan = make_plan(lake, recipes()["aia-l15"], Query(observation=f"aia171_201512{day:02d}"))
    todo = [act] if act else []

    def tell(done: int, _total: int, _what: str) -> None:
        if done and todo:
            todo.pop()(runs.runs_of_plan(lake, plan.id)[0]["run"])

    process(lake, home.scheduler(), plan, on_progress=tell)
    return str(runs.runs_of_plan(lake, plan.id)[0]["run"])


@pytest.fixture(scope="module")
def ended(home: Home, lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run that is done, one of whose files was put aside."""
    return made(home, lake, tmp_path_factory.mktemp("ended"), 1, EXPTIME=0.0)


@pytest.fixture
def held_up(home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that was paused, and whose process was ended then."""
    monkeypatch.setattr(orders, "EVERY", 0.02)

    def stop(run: str) -> None:
        control.pause(lake, run, OWNER)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(home, lake, tmp_path, 2, act=stop)
    return next(str(one["run"]) for one in runs.runs(lake, limit=100) if one["status"] == "paused")


def test_what_workers_told_of_units_is_shown(here: Command, ended: str) -> None:
    said = here("runs", "show", ended, "--json")
    assert said.code == 1, "a file was put aside"
    told = said.document()
    assert (told["units"]["done"], told["units"]["quarantined"]) == (COUNT, 1)
    assert {"read", "write", "register"} <= {one["step"] for one in told["steps"]}
    assert sum(one["share"] for one in told["steps"]) == pytest.approx(1.0)
    assert all(0.0 <= one["median"] <= 1.1 * one["p95"] for one in told["steps"])
    assert sum(one["units"] for one in told["workers"]) == COUNT + 1
    assert told["memory"] > 50e6, "of a Python with numpy"
    assert [one["alive"] for one in told["executors"]] == [False]
    assert (told["left"], told["status"]) == (None, "done")


def test_troubles_are_shown_with_the_command_that_tries_again(here: Command, ended: str) -> None:
    said = here("runs", "show", ended, "--watch")
    assert said.code == 1
    assert "1 quarantined at step" in said.out
    assert f"runs retry {ended} --reason" in " ".join(said.out.split())
    assert "register" in said.out


@pytest.mark.parametrize("what", ["pause", "resume", "cancel"])
def test_what_is_done_stays_so(here: Command, ended: str, what: str) -> None:
    said = here("runs", what, ended)
    assert said.code == 2
    assert f"run {ended} cannot be" in said.err
    assert "it is done" in said.err


def test_only_what_went_wrong_for_that_reason_is_tried_again(here: Command, lake: Lake, ended: str) -> None:
    said = here("runs", "retry", ended, "--reason", "no such words")
    assert said.code == 2
    assert "no such words" in said.err
    again = here("runs", "retry", ended, "--reason", "EXPOSURE", "--json")
    assert again.code == 1, "the file is as bad as it was"
    told = again.document()
    assert (told["skipped"], told["quarantined"]) == (COUNT, 1)
    assert told["run"] not in (None, ended), "what was published is left as it is"
    assert runs.find_run(lake, ended)["units"]["quarantined"] == 1


def test_a_paused_run_that_nobody_waits_with_is_carried_out_by_who_resumes_it(
    here: Command, lake: Lake, held_up: str
) -> None:
    assert "paused" in here("runs", "show", held_up).out
    refused = here("process", "--run", held_up)
    assert refused.code == 2
    assert f"run {held_up} is paused" in refused.err
    said = here("runs", "resume", held_up, "--json")
    assert said.code == 0, said.err
    assert said.document()["done"] == COUNT
    assert runs.find_run(lake, held_up)["status"] == "done"


def test_a_notebook_shows_a_run_and_acts_on_it(home: Home, ended: str) -> None:
    with heliolake.connect(home.path) as connection:
        run = connection.run(ended)
        status = run.watch()
        assert status["ended"] == COUNT + 1
        assert f"run {ended}, aia-l15: done" in repr(status)
        html = status._repr_html_()
        assert "<progress" in html
        for row in step_rows(status):
            assert all(f"<td>{cell}</td>" in html for cell in row), (
                "as the dashboard and the terminal have it"
            )
        for act in (run.pause, run.resume, run.cancel):
            with pytest.raises(BadInput, match="it is done"):
                act()
        with pytest.raises(BadInput, match="no unit of run"):
            run.retry("no such words")
        with pytest.raises(BadInput, match="there is no run"):
            connection.run("20000101-zzzz")

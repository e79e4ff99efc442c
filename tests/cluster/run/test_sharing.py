"""Runs and notebooks share a cluster: none starves the other, and none pays for what the other did."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, Future, LocalCluster

from cluster.run import execute
from cluster.run.execute import DaskExecution
from cluster.run.sharing import PRIORITY, Neighbours, Sharing, look
from pipeline import Recipe
from pipeline.outcome import Status
from tests.cluster.run.test_execute import carried_out, job, site  # noqa: F401 - a fixture among them
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.toy import RECIPE

WAITING = Neighbours(present=True, waiting=True, runs=1)
NOBODY = Neighbours(present=False, waiting=False, runs=1)


class Clock:
    """Time that passes when it is told to, and who is met then."""

    def __init__(self) -> None:
        self.now, self.met = 0.0, NOBODY

    def sharing(self, workers: int = 2, share: float = 0.5) -> Sharing:
        return Sharing(lambda: self.met, workers, share, lambda: self.now)

    def __call__(self, sharing: Sharing, seconds: float) -> int:
        """Let time pass; the room there is then."""
        self.now += seconds
        return sharing.room(2)


def test_who_is_alone_has_all_the_room_and_no_debts() -> None:
    clock = Clock()
    sharing = clock.sharing()
    assert clock(sharing, 1) == 4
    sharing.spent(1000.0)
    assert clock(sharing, 1) == 4
    clock.met = WAITING
    assert clock(sharing, 1) == 2, "what was spent alone is not held against it"


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_beside_others_a_run_takes_its_share_of_the_workers_time(share: float) -> None:
    clock = Clock()
    sharing = clock.sharing(workers=2, share=share)
    clock.met = WAITING
    ours = 0.0
    for _ in range(10_000):
        if clock(sharing, 1):  # then both workers are at blocks of ours for this second
            sharing.spent(2.0)
            ours += 2.0
    assert ours / 20_000 == pytest.approx(share, abs=0.01)


def test_two_runs_take_together_what_one_would() -> None:
    clock = Clock()
    sharing = clock.sharing()
    clock.met = WAITING._replace(runs=2)
    ours = 0.0
    for _ in range(10_000):
        if clock(sharing, 1):
            sharing.spent(2.0)
            ours += 2.0
    assert ours / 20_000 == pytest.approx(0.25, abs=0.01)


def test_when_the_others_are_gone_all_is_ours_at_once() -> None:
    clock = Clock()
    sharing = clock.sharing()
    clock.met = WAITING
    clock(sharing, 1)
    sharing.spent(100.0)
    assert clock(sharing, 1) == 0
    clock.met = NOBODY
    assert clock(sharing, 1) == 4


def test_whoever_was_met_in_between_was_there() -> None:
    clock = Clock()
    sharing = clock.sharing()
    assert sharing.alone_since(0.0)
    clock.now, clock.met = 5.0, NOBODY._replace(present=True)
    sharing.look()
    clock.now, clock.met = 9.0, NOBODY
    assert not sharing.alone_since(4.0)
    assert sharing.alone_since(6.0)


@pytest.fixture(scope="module")
def cluster(
    site: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LocalCluster]:
    """Two workers; whoever is on one that dies is told at once."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(tmp_path_factory.mktemp("dask")),
            host="127.0.0.1",
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def run(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        yield client


@pytest.fixture
def notebook(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        yield client


def slept(seconds: float, number: int) -> int:
    time.sleep(seconds)
    return number


def ended(futures: list[Future]) -> int:
    return sum(future.done() for future in futures)


@pytest.mark.slow
def test_a_run_goes_on_beside_hundreds_of_tasks_of_a_notebook_which_goes_on_too(
    run: Client, notebook: Client, tmp_path: Path
) -> None:
    carried_out(run, [job(tmp_path, f"w{n}") for n in range(8)])  # workers that know how
    jobs = [job(tmp_path, f"s{n}", SLOW=0.2) for n in range(24)]
    tasks = notebook.map(slept, [0.2] * 500, range(500), pure=False)
    before = ended(tasks)
    manifests = carried_out(run, jobs)
    meanwhile = ended(tasks) - before
    notebook.cancel(tasks, force=True)
    assert {one.outcome.status for one in manifests.values()} == {Status.DONE}
    # 24 of ours and as many of theirs take as long: each side has had a good part of the workers' time.
    assert 6 <= meanwhile < 400, "neither waited for the other to end"


def kill_the_worker(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_notebook_that_kills_workers_gets_no_unit_of_a_run_put_aside(
    run: Client, notebook: Client, tmp_path: Path
) -> None:
    jobs = [job(tmp_path, f"n{n}", SLOW=0.3) for n in range(6)]
    tasks = notebook.map(kill_the_worker, range(3), pure=False)
    manifests = carried_out(run, jobs)
    assert {one.outcome.status for one in manifests.values()} <= {Status.DONE, Status.FAILED}
    assert all(one.outcome.retriable for one in manifests.values() if one.outcome.status is Status.FAILED)
    notebook.cancel(tasks, force=True)


def test_what_dies_alone_beside_others_may_be_tried_again(
    run: Client, notebook: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "KILLS", 1)
    held = notebook.submit(bytes, 10**6)
    held.result(60)
    manifest = carried_out(run, [job(tmp_path, "beside", KILL=True)])["beside"]
    assert (manifest.outcome.status, manifest.outcome.retriable) == (Status.FAILED, True)
    assert "while others used the cluster" in manifest.outcome.reason
    held.cancel(force=True)


def test_the_scheduler_tells_runs_from_others(run: Client, notebook: Client) -> None:
    assert not DaskExecution(run, Recipe.parse(RECIPE)).sharing.ask().present
    ours = [run.submit(slept, 2.0, n, priority=PRIORITY, pure=False) for n in range(2)]
    assert Neighbours(*run.run_on_scheduler(look, PRIORITY)) == NOBODY
    theirs = notebook.map(slept, [0.01] * 4, range(4), pure=False)
    while not (found := Neighbours(*run.run_on_scheduler(look, PRIORITY))).present:
        assert ended(theirs) == 0
    assert found == WAITING
    run.cancel(ours, force=True)
    notebook.cancel(theirs, force=True)

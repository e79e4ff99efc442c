"""Workers that are jobs: what their scripts say, and a real SLURM in which they are cancelled."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.connect import connected
from cluster.run.execute import DaskExecution
from cluster.sites.schedulers.batch import made
from cluster.sites.schedulers.opening import opened
from cluster.sites.site import BatchDask
from cluster.workers import worker_environment
from lake.errors import Fatal, Retriable
from pipeline import Recipe
from pipeline.outcome import Status
from tests.cluster.run.test_execute import job
from tests.guarded import Guarded
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.slurm import machine
from tests.slurm.machine import Slurm
from tests.toy import RECIPE

pytest.importorskip(
    "dask_jobqueue", reason="dask-jobqueue is not installed: pip install 'heliolake[jobqueue]'"
)

_PATIENCE_S = 120


@pytest.fixture(scope="module")
def slurm(toy_instrument: Path) -> Iterator[Slurm]:  # noqa: F811
    machine.require()
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        with Slurm(folder) as slurm, pytest.MonkeyPatch.context() as changed:
            changed.setenv("SLURM_CONF", str(slurm.conf))
            changed.setenv("PYTHONPATH", str(toy_instrument), prepend=os.pathsep)
            yield slurm
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def small(**more: object) -> BatchDask:
    asked = {"kind": "slurm", "memory": "600MiB", "interface": "lo", "patience": _PATIENCE_S}
    return BatchDask.model_validate(asked | more)


def until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_a_run_goes_on_when_all_its_workers_are_cancelled(slurm: Slurm, tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"b{n}") for n in range(12)]
    with opened(small(), tmp_path / "way") as scheduler, connected(scheduler) as client:
        manifests = DaskExecution(client, Recipe.parse(RECIPE))(jobs)
        done = [next(manifests)]
        cancelled = slurm.jobs("running")
        slurm.cancel(*cancelled)
        done += manifests
        assert len(cancelled) == 1
        assert cancelled != slurm.jobs("running")
    assert [one.outcome.status for one in done] == [Status.DONE] * 12


@pytest.mark.slow
def test_jobs_are_set_up_like_the_workers_of_a_home_and_end_with_the_run(
    slurm: Slurm, tmp_path: Path
) -> None:
    with opened(small(workers=2), tmp_path / "way") as scheduler, connected(scheduler) as client:
        client.wait_for_workers(2, timeout=_PATIENCE_S)
        found = client.run(lambda: dict(os.environ))
        assert len(found) == len(slurm.jobs("running")) == 2
        for environment in found.values():
            assert worker_environment().items() <= environment.items()
        assert scheduler.key is not None
        assert scheduler.key.stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "way").iterdir())
    until(lambda: not slurm.jobs("running,completing,pending"))


@pytest.fixture
def closed_queue(slurm: Slurm) -> Iterator[None]:
    slurm.said("scontrol", "update", "PartitionName=day", "State=DOWN")
    yield
    slurm.said("scontrol", "update", "PartitionName=day", "State=UP")


@pytest.mark.slow
@pytest.mark.usefixtures("closed_queue")
def test_a_queue_that_takes_longer_than_its_patience_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(
            Retriable, match=r"no worker after 2 s; look into .*/way/heliolake-\w+ and at the queue"
        ),
        opened(small(patience=2), tmp_path / "way"),
    ):
        pass


@pytest.mark.slow
@pytest.mark.usefixtures("closed_queue")
def test_a_job_that_is_cancelled_before_it_starts_is_asked_for_again(slurm: Slurm, tmp_path: Path) -> None:
    """Dask awaits for ever a worker it never saw."""
    cancelled = []

    def cancel() -> None:
        until(lambda: slurm.jobs("pending"))
        cancelled.extend(slurm.jobs("pending"))
        slurm.cancel(*cancelled)
        slurm.said("scontrol", "update", "PartitionName=day", "State=UP")

    with ThreadPoolExecutor(1) as pool:
        cancelling = pool.submit(cancel)
        with opened(small(), tmp_path / "way"):
            cancelling.result()
            assert slurm.jobs("running") != cancelled


@pytest.mark.slow
def test_jobs_that_never_become_workers_are_asked_for_less_and_less_often(
    slurm: Slurm, tmp_path: Path
) -> None:
    dask = small(python="/none/bin/python", patience=25)
    before = len(slurm.jobs())
    with pytest.raises(Retriable, match="no worker after 25 s; look into"), opened(dask, tmp_path / "way"):
        pass
    assert 1 <= len(slurm.jobs()) - before <= 3
    said = [one.read_text() for one in (tmp_path / "way").rglob("*.err")]
    assert all("/none/bin/python: No such file" in one for one in said)


@pytest.mark.slow
def test_what_the_batch_system_refuses_is_said_in_its_words(slurm: Slurm, tmp_path: Path) -> None:
    with (
        pytest.raises(Fatal, match=r"SLURM refuses the jobs of workers: .*invalid partition"),
        opened(small(queue="moon"), tmp_path / "way"),
    ):
        pass


@pytest.mark.slow
def test_no_job_outlives_a_run_that_is_killed(slurm: Slurm, tmp_path: Path) -> None:
    dask = small().model_dump(mode="json", exclude_none=True)
    started = Guarded((sys.executable, "-c", _OPENED, repr(dask), str(tmp_path / "way")), tmp_path / "said")
    with started as run:
        until(lambda: "open" in run.said() or not run.runs)
        assert slurm.jobs("running"), run.said()
        run.kill()
        until(lambda: not slurm.jobs("running,completing,pending"))


_OPENED = """
import ast, sys, time
from pathlib import Path
from cluster.sites.schedulers.opening import opened
from cluster.sites.site import BatchDask
if __name__ == "__main__":
    with opened(BatchDask.model_validate(ast.literal_eval(sys.argv[1])), Path(sys.argv[2])):
        print("open", flush=True)
        time.sleep(600)
"""


def test_a_machine_without_the_batch_system_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind, command in (("slurm", "squeue"), ("pbs", "qselect")):
        with (
            pytest.raises(Fatal, match=f"there is no {command} on this machine"),
            opened(small(kind=kind), tmp_path / "way"),
        ):
            pass


SBATCH = ("-p night", "-A sun", "--mem=2G", "-t 01:00:00", "--cpus-per-task=1", "--qos=low")
PBS = ("-q night", "-A sun", "-l select=1:ncpus=1:mem=2048MB", "-l walltime=01:00:00", "--qos=low")


@pytest.mark.parametrize(
    ("kind", "directive", "directives"), [("slurm", "#SBATCH", SBATCH), ("pbs", "#PBS", PBS)]
)
def test_the_job_says_all_that_its_description_says(
    kind: str, directive: str, directives: Sequence[str], tmp_path: Path
) -> None:
    dask = small(
        kind=kind,
        queue="night",
        account="sun",
        walltime="01:00:00",
        memory="2GiB",
        python="/shared/env/bin/python",
        scratch="/scratch",
        prologue=("module load python",),
        directives=("--qos=low",),
    )

    async def script() -> str:
        return str(made(dask, tmp_path, Path("/shared/key.pem"), "one", asynchronous=True).job_script())

    lines = asyncio.run(script()).splitlines()
    heads = [line for line in lines if line.startswith(directive)]
    assert {f"{directive} {said}" for said in directives} <= set(heads)
    first = lines.index("module load python")
    for name, value in worker_environment().items():
        assert lines.index(f"export {name}={shlex.quote(value)}") > first
    command = lines[-1].split()
    assert command[:3] == ["/shared/env/bin/python", "-m", "distributed.cli.dask_worker"]
    for option, value in OPTIONS.items():
        assert command[command.index(option) + 1] == value


#: Of a worker of one hour: its work is handed over five minutes before the end, more or less.
OPTIONS = {
    "--nthreads": "1",
    "--memory-limit": "2.00GiB",
    "--local-directory": "/scratch",
    "--lifetime": "3300s",
    "--lifetime-stagger": "150s",
    "--protocol": "tls://",
    "--tls-key": "/shared/key.pem",
}


def test_an_interface_that_this_machine_has_not_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(Fatal, match=r"this machine has no interface ib99, but .*lo"),
        opened(small(interface="ib99"), tmp_path / "way"),
    ):
        pass


def test_a_folder_that_no_job_could_name_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(Fatal, match=r"my way/.* cannot stand in the script of a job; .* without blanks"),
        opened(small(), tmp_path / "my way"),
    ):
        pass

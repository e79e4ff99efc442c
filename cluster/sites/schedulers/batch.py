"""Workers that are jobs of SLURM or PBS: asked for, given back, and asked for again when one is lost."""

from __future__ import annotations

import getpass
import logging
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import dask as dask_settings
import psutil
from distributed.core import Status
from distributed.security import Security

from cluster.connect import shared_key
from cluster.home.process import write_private
from cluster.scheduler import Scheduler
from cluster.sites.schedulers.extras import required
from cluster.sites.site import BatchDask
from cluster.workers import SETTINGS, worker_environment
from lake.errors import Fatal, Retriable

log = logging.getLogger(__name__)

_NAMES: Final = {"slurm": "SLURM", "pbs": "PBS"}
_CLASSES: Final = {"slurm": "SLURMCluster", "pbs": "PBSCluster"}
#: What tells the jobs of this user that wait or run, an identifier a line.
_LISTINGS: Final = {
    "slurm": ("squeue", "--noheader", "--format=%i", "--user"),
    "pbs": ("qselect", "-u"),
}
#: Seconds between two looks at the jobs; longer and longer while jobs end before their worker appears.
_EVERY_S: Final = 5.0
_LONGEST_S: Final = 300.0


@contextmanager
def running(dask: BatchDask, folder: Path) -> Iterator[Scheduler]:
    """A scheduler in this process, and jobs that are its workers; they end with it.

    Raises
    ------
    lake.errors.Fatal
        When dask-jobqueue or the batch system's commands are absent, or it refuses such a job.
    lake.errors.Retriable
        When it does not answer.
    """
    required("dask_jobqueue", "jobqueue", _NAMES[dask.kind])
    name = f"heliolake-{secrets.token_hex(4)}"
    work = (dask.folder or folder) / name
    if re.search(r"[^\w@%+=:,./-]", str(work)):
        raise Fatal(f"{work} cannot stand in the script of a job; give the site a folder without blanks")
    if dask.interface is not None and dask.interface not in (there := sorted(psutil.net_if_addrs())):
        raise Fatal(
            f"this machine has no interface {dask.interface}, but {', '.join(there)}; name one of these"
        )
    _jobs(dask.kind)
    try:
        work.mkdir(mode=0o700)
    except OSError as error:
        raise Fatal(f"{work} cannot be made: {error.strerror}; name a folder that the nodes share") from error
    key = _fresh_key(work)
    with ExitStack() as stack:
        stack.callback(key.unlink, missing_ok=True)
        with dask_settings.config.set(SETTINGS):
            cluster = stack.enter_context(made(dask, work, key, name))
        _submit(cluster, dask)
        stack.enter_context(_kept_whole(cluster, dask))
        advice = f"look into {work} and at the queue"
        yield Scheduler(cluster.scheduler_address, key, advice=advice)
    # Only now: what jobs said is of interest where something went wrong.
    shutil.rmtree(work, ignore_errors=True)


def made(dask: BatchDask, work: Path, key: Path, name: str, **options: Any) -> Any:
    """The cluster of dask-jobqueue that a description asks for, with no job yet.

    Parameters
    ----------
    dask
        The description.
    work
        Folder of this cluster, which the nodes share.
    key
        What scheduler, workers and clients share.
    name
        Begins the names of its workers.
    options
        More for dask-jobqueue.
    """
    import dask_jobqueue

    mine = [f"export {name}={shlex.quote(value)}" for name, value in worker_environment().items()]
    walltime = _seconds(dask.walltime)
    margin = min(300, walltime // 10)
    return getattr(dask_jobqueue, _CLASSES[dask.kind])(
        name=name,
        job_name="heliolake",
        queue=dask.queue,
        account=dask.account,
        walltime=dask.walltime,
        cores=1,
        processes=1,
        memory=dask.memory,
        python=dask.python or sys.executable,
        local_directory=str(dask.scratch) if dask.scratch else None,
        log_directory=str(work),
        job_extra_directives=list(dask.directives),
        # Modules are found where they are installed, not in the folder that the command was given in.
        job_script_prologue=[*dask.prologue, *mine, "export PYTHONSAFEPATH=1"],
        # A worker hands its work over before the batch system kills it, and not all of them at once.
        worker_extra_args=["--lifetime", f"{walltime - margin}s", "--lifetime-stagger", f"{margin // 2}s"],
        interface=dask.interface,
        protocol="tls://",
        security=shared_key(key),
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
        **options,
    )


def _fresh_key(work: Path) -> Path:
    fresh = Security.temporary()
    write_private(work / "key.pem", fresh.tls_scheduler_key + fresh.tls_scheduler_cert)
    return work / "key.pem"


def _seconds(walltime: str) -> int:
    hours, minutes, seconds = map(int, walltime.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


def _jobs(kind: str) -> set[str]:
    """Identifiers of the jobs of this user that wait or run.

    Raises
    ------
    lake.errors.Fatal
        When there is no such command here.
    lake.errors.Retriable
        When the batch system does not answer.
    """
    command = [*_LISTINGS[kind], getpass.getuser()]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except FileNotFoundError as error:
        raise Fatal(
            f"there is no {command[0]} on this machine; run Heliolake where {_NAMES[kind]} takes jobs"
        ) from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (getattr(error, "stderr", "") or "no answer").strip().splitlines()[-1]
        raise Retriable(f"{_NAMES[kind]} does not answer ({command[0]}): {said}; try again later") from error
    return {line.partition(".")[0].strip() for line in told.stdout.splitlines()}


def _submit(cluster: Any, dask: BatchDask) -> None:
    """Ask for the jobs.

    Raises
    ------
    lake.errors.Fatal
        When the batch system refuses them.
    """
    try:
        cluster.sync(_renew, cluster, dask.workers, [])
    except (RuntimeError, ValueError, OSError) as error:
        said = str(error).partition("stderr:\n")[2].strip() or str(error)
        raise Fatal(
            f"{_NAMES[dask.kind]} refuses the jobs of workers: {said}; mend the site's settings"
        ) from error


@contextmanager
def _kept_whole(cluster: Any, dask: BatchDask) -> Iterator[None]:
    """Replace jobs that ended, for whatever reason, as long as the block runs.

    Dask itself takes note of workers that it knew. A job that ended while it stood in the queue, or before
    its worker was there, it would await for ever.
    """
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_whole, args=(cluster, dask, stop), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _keep_whole(cluster: Any, dask: BatchDask, stop: threading.Event) -> None:
    wait = _EVERY_S
    useful: set[str] = set()
    while not stop.wait(wait):
        # Before the listing: a job that is submitted after it is not taken for lost.
        asked = {name: job.job_id for name, job in list(cluster.workers.items())}
        working = {worker.name for worker in list(cluster.scheduler.workers.values())}
        useful |= {job for name, job in asked.items() if name in working}
        try:
            there = _jobs(dask.kind)
            gone = [name for name, job in asked.items() if job not in there]
            if gone or len(asked) < dask.workers:
                log.warning("%d of %d jobs of workers ended; asking for others", len(gone), dask.workers)
                cluster.sync(_renew, cluster, dask.workers, gone)
            futile = gone and useful.isdisjoint(asked[name] for name in gone)
            wait = min(2 * wait, _LONGEST_S) if futile else _EVERY_S
        except Exception as error:  # whatever it is: the run goes on with the workers there are
            said = (str(error).strip() or repr(error)).splitlines()[-1]
            log.warning("lost workers are not replaced now: %s", said)
            wait = min(2 * wait, _LONGEST_S)


async def _renew(cluster: Any, count: int, gone: Sequence[str]) -> None:
    """Forget jobs that are gone and ask for as many as are missing."""
    if gone:
        await cluster.scale_down(gone)
    while len(cluster.worker_spec) < count:
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        await cluster
    except Exception:
        # dask-jobqueue leaves a job that was refused as it was, and the cluster would await it to the end.
        for job in cluster.workers.values():
            if job.status is Status.created:
                job.status = Status.failed
        raise

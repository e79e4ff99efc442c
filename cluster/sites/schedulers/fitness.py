"""Whether a cluster that others set up can do what Heliolake asks, and what it needs for that."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from distributed import Client
from distributed.diagnostics.plugin import WorkerPlugin

from cluster.connect import connected
from cluster.scheduler import Scheduler
from cluster.workers import KEEP_MEMORY, compute_environment
from lake.errors import Fatal, Retriable

#: Whose versions must be those of here, for what is sent to workers is code and objects of theirs.
_ALIKE: Final = ("heliolake", "dask", "distributed", "cloudpickle")

#: mallopt(3): what a process can still be told that did not have the variables when it was started.
_MALLOPT: Final = {-1: "MALLOC_TRIM_THRESHOLD_", -3: "MALLOC_MMAP_THRESHOLD_"}


def made_fit(scheduler: Scheduler, environment: Mapping[str, str], patience: float) -> None:
    """Wait for a worker, look whether it can be used, and set up all there are and will be.

    Raises
    ------
    lake.errors.Fatal
        When the cluster has other software, or workers of several threads.
    lake.errors.Retriable
        When it has no worker in time.
    """
    with connected(scheduler) as client:
        _await_worker(client, scheduler, patience)
        _require_versions(client, scheduler)
        _require_one_thread(client, scheduler)
        try:
            client.register_plugin(Setup(environment))
        except OSError as error:
            raise Retriable(f"the Dask cluster at {scheduler} was lost; {scheduler.advice}") from error


def _await_worker(client: Client, scheduler: Scheduler, patience: float) -> None:
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise Retriable(
            f"the Dask cluster at {scheduler} has no worker after {patience:.0f} s; {scheduler.advice}, "
            "or give the site more patience"
        ) from error


def _require_versions(client: Client, scheduler: Scheduler) -> None:
    found = client.get_versions(packages=list(_ALIKE))
    here = _versions(found["client"])
    there = [("its scheduler has", _versions(found["scheduler"], *_ALIKE[1:]))]
    there += [("its workers have", _versions(worker)) for worker in found["workers"].values()]
    for who, versions in there:
        other = [
            f"{name} {version or 'not at all'} (here {here[name]})"
            for name, version in versions.items()
            if version != here[name]
        ]
        if other:
            raise Fatal(
                f"the Dask cluster at {scheduler} has other software than this machine: {who} "
                f"{', '.join(other)}; install the same at both"
            )


def _versions(told: Mapping[str, Any], *names: str) -> dict[str, str | None]:
    packages = told["packages"]
    python = ".".join(str(told["host"]["python"]).split(".")[:2])
    return {"python": python} | {name: packages.get(name) for name in names or _ALIKE}


def _require_one_thread(client: Client, scheduler: Scheduler) -> None:
    """Several frames at once in one worker need several times the memory that was reckoned with."""
    most = max(client.nthreads().values(), default=1)
    if most > 1:
        raise Fatal(
            f"the Dask cluster at {scheduler} has workers of {most} threads; start workers of one thread, "
            "and more of them (dask worker --nthreads 1 --nworkers N)"
        )


class Setup(WorkerPlugin):  # type: ignore[misc]  # distributed carries no types
    """Gives every worker, those to come included, what those of a home are started with.

    Parameters
    ----------
    environment
        Variables besides those for computing.
    """

    name = "heliolake-setup"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)

    def setup(self, worker: Any) -> None:
        """Set up one worker, in its own process."""
        for name, value in compute_environment().items():
            os.environ.setdefault(name, value)
        os.environ.update(self.environment)
        if "numba" in sys.modules:
            sys.modules["numba"].config.reload_config()
        _keep_memory()
        _never_download()


def _keep_memory() -> None:
    """Tell glibc what its variables would have; other libraries have no such word."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, variable in _MALLOPT.items():
            mallopt(option, int(KEEP_MEMORY[variable]))


def _never_download() -> None:
    """Tables of the Earth's rotation come with the packages: workers would stand still, each for itself."""
    from astropy.utils.data import conf as data
    from astropy.utils.iers import conf as iers

    iers.auto_download = False
    data.allow_internet = False

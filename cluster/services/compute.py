"""The Dask cluster of a home: scheduler, dashboard and one worker process per core."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import psutil

from cluster.board.named import PAINTER, SITE, VARIABLE
from cluster.home.home import Home
from cluster.services.base import Service, fetch, python
from cluster.workers import compute_environment
from lake.storage import cache, credentials


class Dask(Service):
    """A `LocalCluster` in a process of its own."""

    name = "dask"
    port_names = ("scheduler", "dashboard")

    def __init__(self, workers: int | None = None) -> None:
        """Have so many workers, one per core where it is not said."""
        self._workers = workers

    @property
    def workers(self) -> int:
        """How many workers there are to be."""
        return self._workers or worker_count()

    def prepare(self, home: Home) -> None:
        """Write the settings astropy reads in workers: it must never download there."""
        config = home.dask / "config"
        config.mkdir(mode=0o700, exist_ok=True)
        text = "[utils.iers.iers]\nauto_download = False\n\n[utils.data]\nallow_internet = False\n"
        (config / "astropy.cfg").write_text(text)

    def environment(self, home: Home) -> dict[str, str]:
        """One thread per library and worker, no downloads, compiled kernels shared by everybody."""
        return (
            compute_environment()
            | store_environment(home)
            | board_environment(home)
            | {
                "ASTROPY_CONFIG_DIR": str(home.dask / "config"),
                "DASK_LOGGING__DISTRIBUTED": "warning",
            }
        )

    def command(self, home: Home) -> Sequence[str]:
        """Our main module, given everything it must know."""
        ports = [str(home.port(name)) for name in self.port_names]
        folder, key = str(home.dask), str(home.dask_key)
        return python("-m", "cluster.services.dask_main", *ports, str(self.workers), folder, key)

    def problem(self, home: Home) -> str:
        """Whether the scheduler answers and no worker is missing."""
        url = f"{home.url('dashboard')}/json/counts.json"
        try:
            workers = int(json.loads(fetch(url))["workers"])
        except (OSError, ValueError, KeyError) as error:
            return f"it does not answer: {getattr(error, 'reason', error)}"
        missing = self.workers - workers
        return f"{missing} of {self.workers} workers missing" if missing > 0 else ""

    def address(self, home: Home) -> str:
        """The dashboard, which is what people want to see."""
        return f"{home.url('dashboard')}/status"

    def witnesses(self, process: psutil.Process) -> tuple[int, ...]:
        """The worker processes, and the small one that cleans up after them; not who paints for the page."""
        return tuple(sorted(child.pid for child in process.children() if not _paints(child)))


def store_environment(home: Home) -> dict[str, str]:
    """Variables for every process that reads and writes what a home keeps."""
    return {credentials.VARIABLE: str(home.store_credentials), cache.FOLDER: str(home.path / "cache")}


def board_environment(home: Home) -> dict[str, str]:
    """Variables that tell a scheduler where the lake is that its dashboard shows."""
    whole = home.whole
    return {VARIABLE: str(whole.path)} | ({} if whole is home else {SITE: home.path.name})


def _paints(process: psutil.Process) -> bool:
    try:
        return PAINTER in process.cmdline()
    except psutil.Error:  # gone meanwhile
        return True


def worker_count() -> int:
    """One worker per core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

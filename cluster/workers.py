"""How every Dask cluster of ours is set up, wherever its workers run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

SETTINGS: Final[dict[str, Any]] = {
    "distributed.worker.multiprocessing-method": "spawn",
    # Fused tasks are named by 115 letters and four digits of a hash. Two stacks of a notebook whose names
    # differ later than that could share a task, and one get the images of the other.
    "optimization.fuse.active": False,
    # A lost worker is replaced at once; work it held is tried elsewhere before it is given up.
    "distributed.scheduler.allowed-failures": 3,
    # The profiler looks at every thread a hundred times a second otherwise, and every process at its own
    # clock fifty times, also when nothing runs: a tenth of a core.
    "distributed.worker.profile.interval": "100ms",
    "distributed.admin.tick.interval": "500ms",
    # Pages that every user of the machine can open: no logs, no folders, no code; workers have none at all.
    "distributed.scheduler.http.routes": [
        "cluster.services.dask_pages",
        "cluster.board.metrics",
        "distributed.http.health",
        "distributed.http.statics",
    ],
    "distributed.worker.http.routes": [],
    # The page Heliolake in the dashboard, where the scheduler is told of a lake.
    "distributed.scheduler.preload": ["cluster.board.preload"],
    "distributed.worker.preload": ["cluster.services.plain_logs"],
}
"""What a cluster does otherwise than Dask's defaults."""

_ONE_THREAD: Final = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM", "BLIS")

#: glibc returns large arrays to the kernel at once, and Dask asks it to return small ones too; every image
#: then costs tens of thousands of page faults, a third of a worker's time. A worker keeps its memory instead.
KEEP_MEMORY: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "100000000",
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}


def compute_environment() -> dict[str, str]:
    """Variables for every process of this machine that computes."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return _anywhere() | {"NUMBA_CACHE_DIR": str(cache / "heliolake" / "numba")}


def worker_environment() -> dict[str, str]:
    """Variables for workers that are started elsewhere: `SETTINGS` among them, no folder of this machine."""
    return _anywhere() | as_variables(SETTINGS) | {"DASK_LOGGING__DISTRIBUTED": "warning"}


def as_variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings of Dask as the variables it reads them from."""
    return {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": str(value)
        for name, value in settings.items()
    }


def _anywhere() -> dict[str, str]:
    return {f"{library}_NUM_THREADS": "1" for library in _ONE_THREAD} | KEEP_MEMORY

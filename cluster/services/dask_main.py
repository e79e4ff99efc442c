"""The process that holds the Dask cluster of a home.

Run as ``python -m cluster.services.dask_main SCHEDULER_PORT DASHBOARD_PORT WORKERS FOLDER KEY``.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import dask
import psutil
from distributed import LocalCluster
from distributed.security import Security

from cluster.connect import shared_key
from cluster.home.process import write_private

_MEMORY_SHARE = 0.8
"""Share of the machine's memory the workers may use together; the rest is for the other services."""

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
        "distributed.http.health",
        "distributed.http.statics",
    ],
    "distributed.worker.http.routes": [],
    "distributed.worker.preload": ["cluster.services.plain_logs"],
}
"""What the cluster does otherwise than Dask's defaults."""


def main(scheduler_port: int, dashboard_port: int, workers: int, folder: str, key: Path) -> None:
    """Run the cluster until asked to end.

    Whoever can talk to a Dask scheduler can run code as its owner, and every user of
    the machine can reach a loopback port: only those who can read `key` are let in.
    """
    fresh = Security.temporary()
    write_private(key, fresh.tls_scheduler_key + fresh.tls_scheduler_cert)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dask.config.set({"temporary-directory": folder, **SETTINGS})
    with LocalCluster(
        protocol="tls://",
        security=shared_key(key),
        host="127.0.0.1",
        scheduler_port=scheduler_port,
        dashboard_address=f"127.0.0.1:{dashboard_port}",
        worker_dashboard_address=None,
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=int(psutil.virtual_memory().total * _MEMORY_SHARE / workers),
        local_directory=folder,
        silence_logs=False,
    ):
        stop.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))

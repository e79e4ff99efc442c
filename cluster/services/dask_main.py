"""The process that holds the Dask cluster of a home.

Run as ``python -m cluster.services.dask_main SCHEDULER_PORT DASHBOARD_PORT WORKERS FOLDER``.
"""

from __future__ import annotations

import signal
import sys
import threading

import dask
import psutil
from distributed import LocalCluster

_MEMORY_SHARE = 0.8
"""Share of the machine's memory the workers may use together; the rest is for the other services."""


def main(scheduler_port: int, dashboard_port: int, workers: int, folder: str) -> None:
    """Run the cluster until asked to end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dask.config.set(
        {
            "temporary-directory": folder,
            "distributed.worker.multiprocessing-method": "spawn",
            # A lost worker is replaced at once; work it held is tried elsewhere before it is given up.
            "distributed.scheduler.allowed-failures": 3,
            # The profiler looks at every thread a hundred times a second otherwise, also when nothing runs.
            "distributed.worker.profile.interval": "100ms",
        }
    )
    with LocalCluster(
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
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])

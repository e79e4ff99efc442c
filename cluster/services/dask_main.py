"""The process that holds the Dask cluster of a home.

Run as ``python -m cluster.services.dask_main SCHEDULER_PORT DASHBOARD_PORT WORKERS FOLDER KEY``.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import dask
import psutil
from distributed import LocalCluster
from distributed.security import Security

from cluster.connect import shared_key
from cluster.home.process import write_private
from cluster.workers import SETTINGS

_MEMORY_SHARE = 0.8
"""Share of the machine's memory the workers may use together; the rest is for the other services."""


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

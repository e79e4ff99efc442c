"""What a worker knows of itself, told with what it made."""

from __future__ import annotations

import resource
import socket
import sys

from distributed import get_worker


def this_worker() -> str:
    """`host/name` of the Dask worker that this thread works for, or the host alone where it is none."""
    host = socket.gethostname()
    try:
        return f"{host}/{get_worker().name}"
    except ValueError:
        return host


def peak_memory() -> int:
    """Most bytes that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak

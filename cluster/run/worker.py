"""What a worker knows of itself, told with what it made."""

from __future__ import annotations

import resource
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

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


class Told(NamedTuple):
    """What a worker made, and what that took."""

    made: Any
    worker: str
    seconds: float
    memory: int


def told(do: Callable[[Any], Any], piece: Any) -> Told:
    """Carry out a piece of work (in a worker), and tell what it took."""
    begin = time.perf_counter()
    made = do(piece)
    return Told(made, this_worker(), time.perf_counter() - begin, peak_memory())

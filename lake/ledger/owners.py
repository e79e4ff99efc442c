"""Who holds a lease: a process, told from every other by host, pid and start."""

from __future__ import annotations

import os
import socket
from functools import cache

import psutil

_CLOCK_TOLERANCE = 2.0
"""Seconds; the kernel derives the start of a process from a clock that NTP may nudge meanwhile."""


def this_process() -> str:
    """The owner string of this process: `host:pid:start`."""
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    # Asked for once: the same process must not have two names when its clock is nudged. A fork asks anew.
    return f"{socket.gethostname()}:{pid}:{psutil.Process(pid).create_time():.2f}"


def pid_of(owner: str) -> int:
    """Number of an owner's process on its host; 0 where its name does not tell."""
    pid = [*owner.split(":"), ""][1]
    return int(pid) if pid.isdigit() else 0


def is_dead(owner: str) -> bool:
    """True where the owner was a process of this host and is certainly gone.

    A process on another host cannot be looked at; its leases run out by the clock.
    """
    host, pid, start = [*owner.split(":"), "", ""][:3]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        process = psutil.Process(int(pid))
        other = abs(process.create_time() - float(start)) >= _CLOCK_TOLERANCE
        # A zombie holds a pid but works on nothing.
        return other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, ValueError):
        return False

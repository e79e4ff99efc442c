"""Which processes belong to which service of which home, and how they are ended.

Two things identify a process. Its *record* (pid and creation time, so that a reused
pid is never mistaken for ours) names the main process of a service. Its *mark*, an
environment variable every child inherits, finds what a killed main process left
behind. PostgreSQL overwrites its environment with its title; its processes are
known by their working folder instead, which is always the data folder.
"""

from __future__ import annotations

from contextlib import suppress

import psutil

from cluster.home.home import Home
from cluster.home.process import reap, record_file

MARK = "HELIOLAKE_SERVICE"


def forget(home: Home, name: str) -> None:
    """Remove the record of a service."""
    record_file(home.run, name).unlink(missing_ok=True)


def mark(home: Home, name: str) -> str:
    """Value of the environment variable that marks the processes of a service."""
    return f"{home.identity}:{name}"


def members(home: Home, name: str | None = None) -> list[psutil.Process]:
    """Every living process of a service, or of the whole home.

    Parameters
    ----------
    home
        The home.
    name
        The service; None for all of them.
    """
    reap()
    wanted = mark(home, name) if name else f"{home.identity}:"
    folders = (home.postgres / "data", home.postgres / "data.new") if name in (None, "postgres") else ()
    data = tuple(map(str, folders))
    return [
        process
        for process in psutil.process_iter()
        if process.pid != psutil.Process().pid and _belongs(process, wanted, data)
    ]


def _belongs(process: psutil.Process, wanted: str, data: tuple[str, ...]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if data and process.name() == "postgres" and process.cwd() in data:
            return True
        found = process.environ().get(MARK, "")
    except (psutil.Error, OSError):  # gone meanwhile, or another user's
        return False
    return found.startswith(wanted) if wanted.endswith(":") else found == wanted


def sweep(home: Home, name: str | None = None) -> None:
    """Kill every process of a service (or of the home), also those that appear meanwhile."""
    for _ in range(10):
        left = members(home, name)
        if not left:
            return
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)

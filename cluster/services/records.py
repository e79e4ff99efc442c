"""Which processes belong to which service of which home, and how they are ended.

Two things identify a process. Its *record* (pid and creation time, so that a reused
pid is never mistaken for ours) names the main process of a service. Its *mark*, an
environment variable every child inherits, finds what a killed main process left
behind. PostgreSQL overwrites its environment with its title; its processes are
known by their working folder instead, which is always the data folder.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from cluster.home import Home, write_private

MARK = "HELIOLAKE_SERVICE"
_CLOCK_TOLERANCE = 2.0  # seconds; the kernel derives creation times from a clock that NTP may nudge

_children: list[subprocess.Popen[bytes]] = []
"""Main processes this very process started: they stay zombies unless we ask for their exit status."""


@dataclass(frozen=True)
class ProcessRecord:
    """The main process of a service as it was when the service was last known to be well.

    Attributes
    ----------
    name
        Name of the service.
    pid, created
        Identity of its main process; `created` in seconds since the epoch.
    witnesses
        Pids of lasting child processes: when they change, something died and was replaced.
    """

    name: str
    pid: int
    created: float
    witnesses: tuple[int, ...] = field(default=())

    @classmethod
    def load(cls, home: Home, name: str) -> ProcessRecord | None:
        """The record of a service, None when there is none (or none that can be read)."""
        try:
            content = json.loads(_record_file(home, name).read_text())
            return cls(content["name"], content["pid"], content["created"], tuple(content["witnesses"]))
        except (OSError, ValueError, KeyError):
            return None

    @classmethod
    def alive_in(cls, home: Home, name: str) -> bool:
        """Whether the recorded main process of a service runs."""
        record = cls.load(home, name)
        return record is not None and record.process() is not None

    def save(self, home: Home) -> None:
        """Write the record."""
        write_private(_record_file(home, self.name), json.dumps(asdict(self)) + "\n")

    def process(self) -> psutil.Process | None:
        """The recorded process, if it is still that process and runs."""
        reap()
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def forget(home: Home, name: str) -> None:
    """Remove the record of a service."""
    _record_file(home, name).unlink(missing_ok=True)


def adopt(child: subprocess.Popen[bytes]) -> None:
    """Keep a started process in view so that `reap` can collect its exit status."""
    _children.append(child)


def reap() -> None:
    """Collect the exit status of ended children of this process."""
    _children[:] = [child for child in _children if child.poll() is None]


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


def _record_file(home: Home, name: str) -> Path:
    return home.run / f"{name}.json"

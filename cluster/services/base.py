"""What every embedded service has in common: how it is started, asked after and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import psutil

import cluster
from cluster.home.home import Home
from cluster.home.process import ProcessRecord, adopt
from cluster.services import ports, records
from lake.errors import Fatal

_LOG_LIMIT = 10_000_000  # bytes; a longer log is set aside when its service starts
_STRAY_VARIABLES = (
    "RUCIO_",
    "DASK_",
    "PG",
    "GUNICORN_",
    "FLASK_",
    "X509_",
    "AWS_",
    "WEED_",
    "HELIOLAKE_STORES",
    "HELIOLAKE_CACHE",
    "HELIOLAKE_BOARD",
)
"""Settings of the caller's shell that must not reach the services of a home."""

_GONE = "its process is gone; `heliolake up` starts it again"
_REPLACED = "a process of it died and was replaced since the last `heliolake up`"


@dataclass(frozen=True)
class ServiceState:
    """How a service is.

    Attributes
    ----------
    name
        Name of the service.
    state
        ``running``, ``stopped`` (never started, or stopped in order), ``dead`` (its process
        is gone although nobody stopped it) or ``unhealthy`` (runs but does not answer).
    pid
        Its main process.
    url
        Its address, '' when it has none.
    detail
        A sentence where there is something to say.
    """

    name: str
    state: str
    pid: int | None = None
    url: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A plain dictionary, for JSON."""
        return asdict(self)


class Service(ABC):
    """One embedded service; subclasses say how to start it and how to see that it is well."""

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]] = ()
    patience: ClassVar[float] = 8.0
    """Seconds it may take to end when asked to."""
    start_limit: ClassVar[float] = 240.0
    """Seconds after which a start has failed; generous, machines may be busy."""

    @abstractmethod
    def command(self, home: Home) -> Sequence[str]:
        """The command line of the main process. It must hold no secret: others can see it."""

    @abstractmethod
    def problem(self, home: Home) -> str:
        """What is wrong with the running service, '' when it is well. Must answer within seconds."""

    def prepare(self, home: Home) -> None:  # noqa: B027 -- optional, most services need it
        """Write what the service reads when it starts; its ports are reserved already."""

    def environment(self, home: Home) -> dict[str, str]:
        """Variables set for the service besides those of the caller."""
        return {}

    def address(self, home: Home) -> str:
        """The address shown to people."""
        return ""

    def witnesses(self, process: psutil.Process) -> tuple[int, ...]:
        """Pids of child processes that live as long as all is well."""
        return ()

    def ask_to_end(self, process: psutil.Process) -> None:
        """Begin an orderly end."""
        process.terminate()

    def probe(self, home: Home) -> ServiceState:
        """How the service is now."""
        record = ProcessRecord.load(home.run, self.name)
        if record is None:
            return ServiceState(self.name, "stopped")
        process = record.process()
        if process is None:
            return ServiceState(self.name, "dead", detail=_GONE)
        state = ServiceState(self.name, "running", record.pid, self.address(home))
        problem = self.problem(home)
        if problem:
            return replace(state, state="unhealthy", detail=problem)
        try:
            # Children that came after `up` wrote them down (a slow second worker) are no loss.
            lost = set(record.witnesses) - set(self.witnesses(process))
        except psutil.NoSuchProcess:  # it, or a child of it, ended while it was looked at
            if record.process() is None:
                return ServiceState(self.name, "dead", detail=_GONE)
            lost = set(record.witnesses)
        return replace(state, detail=_REPLACED) if lost else state

    def ensure(self, home: Home) -> bool:
        """Start the service unless it is well. Returns whether it had to be started.

        A service that runs but is not well gets some time to recover by itself first:
        PostgreSQL, gunicorn and Dask replace lost child processes without our help.
        """
        state = self.probe(home)
        deadline = time.monotonic() + 15
        while state.state == "unhealthy" and time.monotonic() < deadline:
            time.sleep(0.2)
            state = self.probe(home)
        if state.state == "running":
            self._record(home, state.pid)
            return False
        self.stop(home)
        self.start(home)
        return True

    def start(self, home: Home) -> None:
        """Start the service and wait until it is well."""
        records.sweep(home, self.name)
        for attempt in range(3):
            for name in self.port_names:
                ports.reserve(home, name)
            self.prepare(home)
            process = launch(home, self.name, self.command(home), self.environment(home))
            self._record(home, process.pid)
            problem = self._wait(home, process)
            if not problem:
                self._record(home, process.pid)
                return
            self.stop(home)
            # Another program may have taken the port between our look and the server's start.
            if attempt == 2 or all(ports.is_free(home.port(name) or 0) for name in self.port_names):
                raise Fatal(f"{self.name} did not start: {problem}{log_tail(home, self.name)}")

    def stop(self, home: Home) -> None:
        """End the service and whatever belongs to it."""
        record = ProcessRecord.load(home.run, self.name)
        process = record.process() if record else None
        if process is not None:
            try:
                self.ask_to_end(process)
                process.wait(self.patience)
            except (psutil.NoSuchProcess, psutil.TimeoutExpired):
                pass
        records.sweep(home, self.name)
        records.forget(home, self.name)

    def _wait(self, home: Home, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + self.start_limit
        problem = "no answer"
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return f"it ended with exit code {process.returncode}"
            problem = self.problem(home)
            if not problem:
                return ""
            time.sleep(0.05)
        return problem

    def _record(self, home: Home, pid: int | None) -> None:
        if pid is None:
            return
        try:
            process = psutil.Process(pid)
            ProcessRecord(self.name, pid, process.create_time(), self.witnesses(process)).save(home.run)
        except psutil.NoSuchProcess:
            pass


def launch(
    home: Home, name: str, command: Sequence[str], extra: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a marked process in its own session, its output going to the log of the service."""
    log = home.log / f"{name}.log"
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=home.run,
            env=service_environment(home, name) | dict(extra or {}),
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(descriptor)
    adopt(child)
    return child


def service_environment(home: Home, name: str) -> dict[str, str]:
    """The caller's environment without its settings for servers, with our packages and our mark."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_STRAY_VARIABLES)}
    house = str(Path(cluster.__file__).resolve().parent.parent)
    path = kept.get("PYTHONPATH", "")
    return kept | {
        "PYTHONPATH": f"{house}{os.pathsep}{path}" if path else house,
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        records.MARK: records.mark(home, name),
    }


def fetch(url: str) -> bytes:
    """What a server of ours answers; never through a proxy, whatever the environment says.

    Raises
    ------
    OSError
        When it does not answer within seconds, or answers with an error.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        content: bytes = answer.read()
    return content


def python(*arguments: str) -> list[str]:
    """A command line for this very interpreter."""
    return [sys.executable, *arguments]


def log_tail(home: Home, name: str, lines: int = 8) -> str:
    """The end of a service's log, for an error message."""
    log = home.log / f"{name}.log"
    try:
        tail = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return ""
    return "\n".join(["", f"The end of {log}:", *tail])

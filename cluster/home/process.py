"""The main process of a service of a home, as it was recorded when it was last known to be well."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

PRIVATE_FILE = 0o600
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
    def load(cls, run: Path, name: str) -> ProcessRecord | None:
        """The record of a service, None when there is none (or none that can be read)."""
        try:
            content = json.loads(record_file(run, name).read_text())
            return cls(content["name"], content["pid"], content["created"], tuple(content["witnesses"]))
        except (OSError, ValueError, KeyError):
            return None

    @classmethod
    def alive_in(cls, run: Path, name: str) -> bool:
        """Whether the recorded main process of a service runs."""
        record = cls.load(run, name)
        return record is not None and record.process() is not None

    def save(self, run: Path) -> None:
        """Write the record."""
        write_private(record_file(run, self.name), json.dumps(asdict(self)) + "\n")

    def process(self) -> psutil.Process | None:
        """The recorded process, if it is still that process and runs."""
        reap()
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def record_file(run: Path, name: str) -> Path:
    """File of the record of a service, in a home's folder of such facts."""
    return run / f"{name}.json"


def adopt(child: subprocess.Popen[bytes]) -> None:
    """Keep a started process in view so that `reap` can collect its exit status."""
    _children.append(child)


def reap() -> None:
    """Collect the exit status of ended children of this process."""
    _children[:] = [child for child in _children if child.poll() is None]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)

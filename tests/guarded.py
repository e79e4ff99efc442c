"""Processes that end with the test that started them, with all their offspring, even when the test is killed.

Run as ``python -m tests.guarded COMMAND...``; it ends when nobody holds the other end of its input any more.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_HOUSE = Path(__file__).resolve().parent.parent


class Guarded:
    """A command that runs within a ``with`` block.

    Parameters
    ----------
    command
        What to run, in the foreground.
    log
        File for what it says.
    environment
        Variables besides those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = command
        self.log = log
        self.environment = os.environ | (environment or {})

    def __enter__(self) -> Self:
        with self.log.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.guarded", *self.command],
                cwd=_HOUSE,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def kill(self) -> None:
        """End the command without a chance to clean up, as the kernel does when there is no memory left."""
        for one in psutil.Process(self.process.pid).children():
            one.kill()

    @property
    def runs(self) -> bool:
        """Whether it has not come to an end."""
        return self.process.poll() is None

    def said(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens at."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _guard(command: Sequence[str]) -> int:
    # What loses its parent becomes ours: daemons are found as well.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end, args=(child,), daemon=True).start()
    status = child.wait()
    _kill_all()
    return status


def _end(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.read()
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()


def _kill_all() -> None:
    while left := [one for one in psutil.Process().children(recursive=True) if _runs(one)]:
        for one in left:
            one.kill()
        psutil.wait_procs(left, timeout=5)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))

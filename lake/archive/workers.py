"""Several processes that serve one archive: they share its socket and what they count of those who ask.

One that is lost is replaced.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from socket import socket
from typing import Final

from lake.archive.limits import shared_memory
from lake.archive.server import ENDING, address_of, listening
from lake.errors import Fatal

_LOOK: Final = 0.5
"""Seconds between two looks at whether all are there."""
_AT_ONCE: Final = 60.0
"""Seconds: one that gives up sooner, and was not killed, would do so again."""

Command = Callable[[int, int, int], Sequence[str]]
"""What starts a process, from its number and the descriptors of the socket and of what is counted."""


def tend(
    command: Command, workers: int, *, host: str, port: int, root: str = "", ready: Callable[[str], None]
) -> None:
    """Have several processes serve an archive until told to end.

    Parameters
    ----------
    command
        What starts each of them; it calls `end_with_parent`.
    workers
        How many.
    host, port, root
        As `lake.archive.server.serve` takes them.
    ready
        Told the address once it is open.

    Raises
    ------
    Fatal
        When the place is taken, or one of them cannot start.
    """
    ending = threading.Event()
    before = {one: signal.signal(one, lambda *_: ending.set()) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        with closing(listening(host, port)) as opened:
            ready(address_of(opened, host, root))
            _keep(command, workers, opened, ending)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def end_with_parent() -> None:
    """Have this process end when the one that started it is gone, whatever became of that."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _keep(command: Command, workers: int, opened: socket, ending: threading.Event) -> None:
    counts = shared_memory()
    serving: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
    try:
        while not ending.is_set():
            for number in range(workers):
                process, since = serving.get(number, (None, 0.0))
                if process is not None and process.poll() is None:
                    continue
                if process is not None and process.returncode > 0 and time.monotonic() - since < _AT_ONCE:
                    raise Fatal(
                        f"A process of the archive ended at once, with {process.returncode}; what it said "
                        "stands above. Put that right, or serve with --workers 1."
                    )
                line = command(number, opened.fileno(), counts)
                passed = [opened.fileno(), counts]
                begun = subprocess.Popen(line, stdin=subprocess.PIPE, pass_fds=passed)
                serving[number] = begun, time.monotonic()
            ending.wait(_LOOK)
    finally:
        for process, _ in serving.values():
            process.terminate()
        for process, _ in serving.values():
            _see_off(process)
        os.close(counts)


def _see_off(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(ENDING + 5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

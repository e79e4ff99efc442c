"""Silence for a library's warnings that threads may ask for at the same time."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Silence:
    """`warnings.catch_warnings` changes the whole process: two threads that overlap would undo each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._filters = warnings.catch_warnings()

    def begin(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._filters.__exit__(None, None, None)


_silence = _Silence()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence warnings while reading files whose oddities are reported in sentences of our own."""
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()

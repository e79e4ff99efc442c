"""How many read parts of files at once: few, so that what is held is bounded; not many more wait for them.

Whoever waits holds one of the threads that answer everybody: where all of them waited for a slow storage,
nobody would get even a page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException

_AT_ONCE: Final = 4
_WAITING: Final = 20
_AGAIN: Final = 2
"""Seconds after which somebody who found no place may come again."""


class Gate:
    """Lets so many in at once.

    Parameters
    ----------
    at_once, waiting
        How many are inside, and how many wait.
    """

    def __init__(self, at_once: int = _AT_ONCE, waiting: int = _WAITING) -> None:
        self._inside = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be inside for as long as the block lasts.

        Raises
        ------
        HTTPException
            503, when too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many look closely at once. Try again in some seconds.",
                {"Retry-After": str(_AGAIN)},
            )
        try:
            with self._inside:
                yield
        finally:
            self._places.release()


READING: Final = Gate()
"""For tiles and values."""

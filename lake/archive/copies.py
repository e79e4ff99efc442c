"""Copies of what is stored, at this site or another: the nearest that is whole, as far as can be told unread.

A storage that is away is no proof that something is lost: then the answer is to try again. One that has just
failed, or lets somebody wait, is not asked again for some seconds, for each visitor would wait for it, and
all others for them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from lake.entries import FileEntry
from lake.errors import BadInput, Fatal, HeliolakeLakeError, Reason, Retriable
from lake.grant import Grant
from lake.lake import Lake
from lake.storage.store import Ref, Store, key_of

_log = logging.getLogger(__name__)
T = TypeVar("T")

_LEFT_ALONE: Final = 10.0
"""Seconds for which a storage that failed is not asked."""
_PATIENCE: Final = 5.0
"""Seconds for which an answer may be waited for before nobody else asks."""


class _Away:
    """Storages that failed a moment ago."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._asked: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def asked(self, store: Store, question: Callable[[], T]) -> T:
        """What a storage answers.

        Raises
        ------
        Retriable, Fatal
            When it does not answer, or did not a moment ago.
        """
        now = time.monotonic()
        with self._lock:
            asked = self._asked.setdefault(store.url, [])
            if self._until.get(store.url, 0.0) > now or min(asked, default=now) < now - _PATIENCE:
                raise Retriable("A storage failed a moment ago, and is not asked again yet.")
            asked.append(now)
        try:
            return question()
        except (Retriable, Fatal) as error:
            _log.warning("a storage is away: %s", error)
            with self._lock:
                self._until[store.url] = time.monotonic() + _LEFT_ALONE
            raise
        finally:
            with self._lock:
                asked.remove(now)


_AWAY: Final = _Away()


def copies(lake: Lake, key: str, size: int | None = None) -> Iterator[Store]:
    """Stores that hold a key, the near one first.

    Parameters
    ----------
    lake
        Whose stores.
    key
        Of what.
    size
        Bytes it has to have; any number where nobody knows.

    Raises
    ------
    Retriable
        Behind the last that holds it, when a store that might hold it too does not answer.
    """
    silent: HeliolakeLakeError | None = None
    for store in lake.stores:
        try:
            there = _AWAY.asked(store, lambda store=store: store.stat(key))  # type: ignore[misc]
        except (Retriable, Fatal) as error:
            silent = error
            continue
        if there is not None and size in (None, there.size):
            yield store
    if silent is not None:
        raise Retriable("A storage that may hold it does not answer.") from silent


def holder(lake: Lake, key: str) -> Store:
    """The nearest store that holds a key, the near one where all say that they do not.

    Raises
    ------
    Retriable
        When none has it that answers, and one does not.
    """
    return next(copies(lake, key), lake.store)


def copy_of(lake: Lake, _grant: Grant, file: FileEntry) -> Ref:
    """The nearest copy of a file with all its bytes; for those to whom it was granted.

    Raises
    ------
    BadInput
        When each is lost, or has another size.
    Retriable
        When none is whole where an answer comes, and one storage does not answer.
    """
    key = key_of(file.scope, file.name)
    for store in copies(lake, key, file.size):
        return Ref(store.url, key, file.sha256)
    raise lost(file)


def lost(file: FileEntry) -> BadInput:
    """The answer to who asks for bytes that are not there, or not those registered."""
    _log.error("%s is lost or damaged: `heliolake fsck --deep` names it", file.did)
    return BadInput(
        "the bytes of this file cannot be given now",
        file=file.name,
        advice="tell the data centre: it restores them",
        code=Reason.MISSING_FILE,
    )

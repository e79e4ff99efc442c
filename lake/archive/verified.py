"""Which copies of files on this machine's disks were found right as a whole since they last changed.

A part of a file has no sum of its own. So the first who asks for one waits until all of the file is compared,
and of what proved right, or wrong, that is remembered for as long as nothing is written to it; yet no longer
than a day, for a disk may spoil what nobody wrote to. Copies in S3 are not read for it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

from lake.archive.copies import copies, lost
from lake.entries import FileEntry
from lake.grant import Grant
from lake.lake import Lake
from lake.storage.files import storage_error
from lake.storage.posix import PosixStore
from lake.storage.store import Ref, Store, key_of

_log = logging.getLogger(__name__)

_KEPT: Final = 100_000
"""Copies that are remembered, the latest ones."""
_DAY: Final = 86_400.0
_LOCKS: Final = 64
_Known = tuple[tuple[int, ...], bool, float]


class Verified:
    """What was found of copies, by their sums and places."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._lock = threading.Lock()
        # Who asks for many parts at once waits for one reading of the file, and others not for them.
        self._reading = [threading.Lock() for _ in range(_LOCKS)]

    def copy_of(self, lake: Lake, _grant: Grant, file: FileEntry) -> Ref:
        """The nearest copy of a file that is right as a whole, as far as it lies on disks of this machine.

        Raises
        ------
        BadInput
            When none is, or each is lost.
        Retriable
            When none is right where an answer comes, and one storage does not answer.
        """
        key = key_of(file.scope, file.name)
        for store in copies(lake, key, file.size):
            if self._is_right(store, key, file.sha256):
                return Ref(store.url, key, file.sha256)
            _log.error("%s: other bytes than were registered in %s", file.did, store.url)
        raise lost(file)

    def _is_right(self, store: Store, key: str, sha256: str) -> bool:
        if not isinstance(store, PosixStore):
            return True
        path = store.path(key)
        with self._reading[hash(path) % _LOCKS]:
            seen, now = _seen(path), time.monotonic()
            with self._lock:
                before, right, at = self._known.get((str(path), sha256), ((), False, -_DAY))
            if before == seen and now - at < _DAY:
                return right
            try:
                with path.open("rb") as reader:
                    right = hashlib.file_digest(reader, "sha256").hexdigest() == sha256
            except FileNotFoundError:
                return False
            except OSError as error:
                raise storage_error(error, path) from error
            if seen == _seen(path):  # not written to meanwhile
                with self._lock:
                    self._known[str(path), sha256] = (seen, right, now)
                    while len(self._known) > _KEPT:
                        self._known.popitem(last=False)
            return right


def _seen(path: Path) -> tuple[int, ...]:
    """What changes where a file is written to, or another put in its place."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise storage_error(error, path) from error
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

"""Bytes of files on their way out: never others than those registered, and only while the policy grants them.

Little is held for each visitor, for there may be a hundred who read slowly.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lake.archive.copies import copies, lost
from lake.entries import FileEntry
from lake.errors import BadInput, HeliolakeLakeError, Retriable
from lake.grant import Grant
from lake.lake import Lake
from lake.storage.opening import open_store
from lake.storage.store import Ref, Store, key_of

_log = logging.getLogger(__name__)

BLOCK: Final = 1 << 20
"""Bytes that are held for one who downloads."""
ASKED_AGAIN: Final = 10.0
"""Seconds after which the policy is asked whether somebody may go on."""


@dataclass(frozen=True)
class Part:
    """Which bytes of a file are asked for: from `start`, `size` of them."""

    start: int
    size: int


class Streamed(StreamingResponse):
    """An answer that is made while it is sent; what it holds open is closed at its end, and at once when
    whoever asked has left: a server keeps what broke off for as long as it likes.

    Parameters
    ----------
    given
        Its bytes.
    status, headers, media_type
        As any answer has them.
    """

    def __init__(
        self, given: Generator[bytes, None, None], status: int, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(given, status, headers, media_type=media_type)
        self._given = given

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._given.close()


class BrokenOff(OSError):
    """An answer ends before its last byte; whoever reads it was told how many there are, and misses some."""


def sent(ref: Ref, file: FileEntry, asked: Part, still: Callable[[], Grant]) -> Generator[bytes, None, None]:
    """Bytes of a stored file; the last of a whole one only once all are known to be the right ones.

    Parameters
    ----------
    ref, file
        Where it lies, and what it has to be.
    asked
        Which of its bytes.
    still
        Asks the policy again; raises where it does not grant any more.

    Raises
    ------
    BrokenOff
        Before the last of them, when they prove to be others, or may not be had any more.
    """
    sums = hashlib.sha256() if asked.size == file.size else None
    left, at = asked.size, time.monotonic()
    with closing(open_store(ref.store).open(ref.key)) as reader:
        reader.seek(asked.start)
        while left:
            if time.monotonic() - at > ASKED_AGAIN:
                _ask(still, file)
                at = time.monotonic()
            block = reader.read(min(BLOCK, left))
            left -= len(block)
            if sums is not None:
                sums.update(block)
            if not block or (not left and sums is not None and sums.hexdigest() != file.sha256):
                raise BrokenOff(f"{file.did} is damaged: `heliolake fsck --deep` names it")
            yield block


def checked(lake: Lake, _grant: Grant, file: FileEntry) -> Generator[bytes, None, tuple[Ref, list[bytes]]]:
    """Look for a copy of a file that has the right bytes, before any of them is given.

    Yields nothing, often: whoever waits may leave meanwhile, and others have their turn.

    Returns
    -------
    Ref, list
        The copy; and its bytes themselves, where they are few.

    Raises
    ------
    BadInput
        When none has them.
    Retriable
        When a storage that may have them does not answer.
    """
    key = key_of(file.scope, file.name)
    failed: Retriable | None = None
    for store in copies(lake, key, file.size):
        blocks: list[bytes] = []
        try:
            if (yield from _is_right(store, key, file, blocks)):
                return Ref(store.url, key, file.sha256), blocks
            _log.error("%s: other bytes than were registered in %s", file.did, store.url)
        except Retriable as error:
            failed = error
    raise lost(file) if failed is None else failed


def _is_right(store: Store, key: str, file: FileEntry, kept: list[bytes]) -> Generator[bytes, None, bool]:
    sums = hashlib.sha256()
    try:
        for block in store.blocks(key):
            sums.update(block)
            if file.size <= BLOCK:
                kept.append(block)
            else:
                yield b""
    except BadInput:  # removed meanwhile
        return False
    return sums.hexdigest() == file.sha256


def _ask(still: Callable[[], Grant], file: FileEntry) -> None:
    try:
        still()
    except HeliolakeLakeError as error:
        why = "a service is lost" if isinstance(error, Retriable) else str(error)
        raise BrokenOff(f"{file.did} is not given on: {why}") from error

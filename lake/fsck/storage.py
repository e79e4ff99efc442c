"""What writers left behind in the storage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import psutil

from lake.fsck.difference import Difference, Look
from lake.lake import Lake
from lake.storage.posix import Found


def leftovers(look: Look) -> Iterator[Difference]:
    """Half-written files of dead writers."""
    for part in look.picture.parts:
        # A process of this pid may be another one, or on another host: age decides in the end.
        if psutil.pid_exists(part.writer or 0) and not is_old(part, look.grace_seconds):
            continue
        yield Difference(
            "leftover-part",
            part.path,
            f"a writer (pid {part.writer}) died and left {part.size} bytes that are not under a final name",
            partial(_unlink, look.lake, part),
        )


def is_old(found: Found, grace: float) -> bool:
    """Whether a file was written so long ago that its writer has gone."""
    return time.time() - found.modified >= grace


def _unlink(lake: Lake, part: Found) -> None:
    (lake.root / part.path).unlink(missing_ok=True)

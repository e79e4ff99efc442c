"""What writers left behind in the storage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import psutil

from lake.fsck.difference import Difference, Look
from lake.storage.store import Found
from lake.storage.volatile import drop_all, runs_with_something_kept


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
            partial(look.lake.store.remove, part.path),
        )


def left_by_runs(look: Look) -> Iterator[Difference]:
    """What runs kept for themselves and did not let go of when they ended."""
    for run_id, size in runs_with_something_kept(look.lake.store):
        if run_id not in look.picture.open_runs:
            detail = f"{size} bytes that a run kept for itself, which has ended; --repair removes them"
            yield Difference("left-by-run", run_id, detail, partial(drop_all, look.lake.store, run_id))


def is_old(found: Found, grace: float) -> bool:
    """Whether a file was written so long ago that its writer has gone."""
    return time.time() - found.modified >= grace

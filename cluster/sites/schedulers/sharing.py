"""A cluster that several runs of one home use at once: the first makes it, the last one closes it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cluster.home.process import write_private


@contextmanager
def shared(
    note: Path, make: Callable[[], str], usable: Callable[[str], bool], close: Callable[[str], None]
) -> Iterator[str]:
    """The name of a cluster that nobody closes within the block.

    What a killed process left behind is used, and closed, by the next: the kernel forgets its locks, the note
    stays.

    Parameters
    ----------
    note
        File in which its name is kept.
    make
        Makes one and gives its name at once.
    usable
        Whether the one of that name runs or will.
    close
        Ends the one of that name.
    """
    with note.with_suffix(".users").open("a") as users:
        with _alone(note):
            name = note.read_text().strip() if note.exists() else ""
            if not name or not usable(name):
                name = make()
                write_private(note, name + "\n")
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield name
        finally:
            with _alone(note):
                if _only_user(users) and note.exists():
                    close(note.read_text().strip())
                    note.unlink()


@contextmanager
def _alone(note: Path) -> Iterator[None]:
    with note.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _only_user(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

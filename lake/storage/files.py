"""Files of a POSIX system: written so that they last, summed through a window, told from one another."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lake.checksums import Checksums, Summer, checksums
from lake.errors import Fatal, Retriable
from lake.storage.store import WINDOW, Data

_PASSING = {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EINTR, errno.ENFILE}

_ADVICE = {
    errno.EDQUOT: "Free some space, or ask for a larger quota, and run again.",
    # Systems do that with a disk that failed.
    errno.EROFS: "Look why the disk is mounted so, mount it for writing and run again.",
}


def storage_error(error: OSError, path: Path) -> Retriable | Fatal:
    """The right root for a failure of a file system, as a plain sentence."""
    what = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return Fatal(f"The storage is full: {path} cannot be written. Free some space and run again.")
    if error.errno in _PASSING:
        return Retriable(f"The storage failed at {path}: {what}. Try again; check the disk if it stays so.")
    advice = _ADVICE.get(error.errno or 0, "Check the folder's owner and permissions.")
    return Fatal(f"The storage refuses {path}: {what}. {advice}")


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one put in its place; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def blocks_of(path: Path) -> Iterator[bytes]:
    """All bytes of a file, a window at a time."""
    with path.open("rb") as reader:
        while block := reader.read(WINDOW):
            yield block


def sums_of_file(path: Path) -> Checksums:
    """Checksums of a file, read through a window of a few megabytes.

    Raises
    ------
    Retriable, Fatal
        When it cannot be read.
    """
    summer = Summer()
    try:
        for block in blocks_of(path):
            summer.add(block)
    except OSError as error:
        raise storage_error(error, path) from error
    return summer.result()


def write_durably(part: Path, data: Data, known: Checksums | None = None) -> Checksums:
    """Put bytes on disk, and sum them while the disk is at work: either takes as long for a large image."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        view = memoryview(data).cast("B")
        if known is not None:
            _write_and_sync(descriptor, view)
            return known
        with ThreadPoolExecutor() as writer:
            written = writer.submit(_write_and_sync, descriptor, view)
            sums = checksums(data)
            written.result()
        return sums
    finally:
        os.close(descriptor)


def copy_durably(part: Path, blocks: Iterable[Data]) -> Checksums:
    """Put bytes on disk block by block; their sums."""
    summer = Summer()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        for block in blocks:
            summer.add(block)
            _write_all(descriptor, memoryview(block).cast("B"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return summer.result()


def make_folders(folder: Path, root: Path) -> None:
    """Make missing folders and put each new name on disk, else a crash could lose a synced file's folder."""
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_and_sync(descriptor: int, view: memoryview) -> None:
    _write_all(descriptor, view)
    os.fsync(descriptor)


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]

"""Bytes under their final name on a POSIX storage element, whole or not at all.

A file appears under its final name by a hard link to a temporary one that is
complete and on disk. A link never replaces anything: when two writers race,
one wins and the other compares. Names follow Rucio's `hash` algorithm.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from lake.checksums import Checksums, Summer, checksums
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.names import check_name, check_scope

_PART = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.[0-9a-f]{8}\.part")
_WINDOW = 1 << 22
_PASSING = {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EINTR, errno.ENFILE}


LOST_AND_FOUND = ".lost+found"
"""Folder below the root where a repair puts bytes that nothing knows."""


class Stored(NamedTuple):
    """A file on the storage element.

    Parameters
    ----------
    path
        Where it lies.
    checksums
        Of its bytes.
    adopted
        True where the same bytes were already there and nothing was written.
    """

    path: Path
    checksums: Checksums
    adopted: bool


def relative_path(scope: str, name: str) -> str:
    """Path of a file below the root, as Rucio's lfn2pfn algorithm `hash` makes it.

    Source: `rucio/rse/translation.py`, `RSEDeterministicTranslation.__hash` (41.5.1).
    """
    check_scope(scope)
    check_name(name)
    digest = hashlib.md5(f"{scope}:{name}".encode(), usedforsecurity=False).hexdigest()
    folder = scope.replace(".", "/") if scope.startswith(("user", "group")) else scope
    return f"{folder}/{digest[:2]}/{digest[2:4]}/{name}"


def scope_folder(root: Path, scope: str) -> Path:
    """Folder that holds all files of a scope."""
    return final_path(root, scope, "x").parents[2]


def final_path(root: Path, scope: str, name: str) -> Path:
    """Where a file of the lake lies."""
    return root / relative_path(scope, name)


def put_bytes(root: Path, scope: str, name: str, data: bytes | memoryview) -> Stored:
    """Publish bytes under their final name.

    Parameters
    ----------
    root
        Folder of the storage element.
    scope, name
        The file's DID.
    data
        Its whole content; checksums are taken from here, nothing is read back.

    Returns
    -------
    Stored
        Path, checksums, and whether the same bytes were there already.

    Raises
    ------
    BadInput
        With code name-conflict when the name holds other bytes.
    Retriable
        When the storage fails in a way that may pass.
    Fatal
        When it is full or cannot be written.
    """
    target = final_path(root, scope, name)
    try:
        if target.exists():
            return _adopt(target, checksums(data), scope, name)
        if not root.is_dir():  # made by hand on purpose: a disk that is not mounted must not be filled below
            raise Fatal(f"The storage's folder {root} is missing. Mount it, or make it if it is new.")
        _make_folders(target.parent, root)
        part = target.with_name(f".{name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            sums = _write_durably(part, data)
            try:
                os.link(part, target)
            except FileExistsError:
                return _adopt(target, sums, scope, name)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error
    return Stored(target, sums, adopted=False)


def read_verified(path: Path, expected: Checksums, did: str) -> bytes:
    """All bytes of a stored file, compared with size and sha256.

    Raises
    ------
    BadInput
        When the file is gone or holds other bytes.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise _damaged(did, path, "no bytes") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if len(data) != expected.size or hashlib.sha256(data).hexdigest() != expected.sha256:
        raise _damaged(did, path, "other bytes than were registered")
    return data


def copy_verified(source: Path, target: Path, expected: Checksums, did: str) -> None:
    """Copy a stored file to a folder of the user, sums compared on the way; nothing half-written stays."""
    part = target.with_name(f".{target.name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    summer = Summer()
    try:
        with source.open("rb") as reader, part.open("xb") as writer:
            while block := reader.read(_WINDOW):
                summer.add(block)
                writer.write(block)
        if summer.result() != expected:
            raise _damaged(did, source, "other bytes than were registered")
        part.replace(target)
    except FileNotFoundError as error:
        raise _damaged(did, source, "no bytes") from error
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        part.unlink(missing_ok=True)


def sums_of(path: Path) -> Checksums:
    """Checksums of a file, read through a window of a few megabytes."""
    summer = Summer()
    try:
        with path.open("rb") as reader:
            while block := reader.read(_WINDOW):
                summer.add(block)
    except OSError as error:
        raise storage_error(error, path) from error
    return summer.result()


class Found(NamedTuple):
    """Something on the storage element.

    Parameters
    ----------
    path
        Path below the root.
    size
        In bytes.
    modified
        Seconds since 1970.
    writer
        Pid of the process that wrote a leftover (`.part`), None for a file.
    """

    path: str
    size: int
    modified: float
    writer: int | None


def scan(root: Path, below: Path | None = None) -> Iterator[Found]:
    """Every file of the storage element or a folder of it, leftovers (`.part`) with their writer's pid."""
    for folder, folders, names in os.walk(below or root):
        if LOST_AND_FOUND in folders:
            folders.remove(LOST_AND_FOUND)
        for name in names:
            path = Path(folder, name)
            match = _PART.fullmatch(name)
            with contextlib.suppress(FileNotFoundError):  # a writer may just have finished
                status = path.stat()
                yield Found(
                    path.relative_to(root).as_posix(),
                    status.st_size,
                    status.st_mtime,
                    int(match["pid"]) if match else None,
                )


def storage_error(error: OSError, path: Path) -> Retriable | Fatal:
    """The right root for a failure of the storage, as a plain sentence."""
    what = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return Fatal(f"The storage is full: {path} cannot be written. Free some space and run again.")
    if error.errno in _PASSING:
        return Retriable(f"The storage failed at {path}: {what}. Try again; check the disk if it stays so.")
    return Fatal(f"The storage refuses {path}: {what}. Check the folder's owner and permissions.")


def _write_durably(part: Path, data: bytes | memoryview) -> Checksums:
    """Put bytes on disk, and sum them while the disk is at work: either takes as long for a large image."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with ThreadPoolExecutor(1, "writer") as writer:
            written = writer.submit(_write_all, descriptor, memoryview(data).cast("B"))
            sums = checksums(data)
            written.result()
        return sums
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _make_folders(folder: Path, root: Path) -> None:
    """Make missing folders and put each new name on disk, else a crash could lose a synced file's folder."""
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _adopt(target: Path, sums: Checksums, scope: str, name: str) -> Stored:
    there = sums_of(target)
    if there == sums:
        _sync_folder(target.parent)  # the writer may have died between its link and its own sync
        return Stored(target, sums, adopted=True)
    raise BadInput(
        f"{scope}:{name} is already in the lake with other bytes",
        file=name,
        keyword="sha256",
        found=f"{sums.sha256[:16]}… here, {there.sha256[:16]}… in the lake",
        advice="a name stands for the same bytes for ever: give the changed file a new name or version",
        code=Reason.NAME_CONFLICT,
    )


def _damaged(did: str, path: Path, found: str) -> BadInput:
    return BadInput(
        f"{did} cannot be given out: its stored copy is damaged",
        file=str(path),
        found=found,
        advice="run `heliolake fsck --deep` and restore the file",
        code=Reason.CORRUPTED_DATA,
    )

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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from lake.checksums import Checksums, Summer, checksums
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.names import check_name, check_scope

_PART = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.[0-9a-f]{8}\.part")
_WINDOW = 1 << 22
_NAMESAKES = 1_000_000
_PASSING = {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EINTR, errno.ENFILE}


LOST_AND_FOUND = ".lost+found"
"""Folder below the root where a repair puts bytes that nothing knows, and damaged ones it replaced."""
VOLATILE = ".volatile"
"""Folder below the root where runs keep what they need while they last; see `lake.storage.volatile`."""


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


class PutBack(NamedTuple):
    """What became of a file whose registered bytes were at hand.

    Parameters
    ----------
    found
        What the storage held before: ``whole``, ``missing`` or ``damaged``.
    kept
        Where the damaged bytes lie now, None where there were none.
    """

    found: str
    kept: Path | None = None


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


def put_bytes(
    root: Path, scope: str, name: str, data: bytes | memoryview, sums: Checksums | None = None
) -> Stored:
    """Publish bytes under their final name.

    Parameters
    ----------
    root
        Folder of the storage element.
    scope, name
        The file's DID.
    data
        Its whole content; checksums are taken from here, nothing is read back.
    sums
        Its checksums, where somebody took them from the same bytes already.

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
    return _put(
        root, scope, name, lambda: sums or checksums(data), lambda part: _write_durably(part, data, sums)
    )


def put_windows(
    root: Path, scope: str, name: str, parts: Iterable[bytes | memoryview], sums: Checksums
) -> Stored:
    """Publish bytes too many to be held under their final name; as `put_bytes`.

    Parameters
    ----------
    root, scope, name
        As in `put_bytes`.
    parts
        The content, in order.
    sums
        Its checksums when it was read before.

    Raises
    ------
    BadInput
        Also with code unreadable, when the content is not what it was before.
    """
    return _put(
        root, scope, name, lambda: sums, lambda part: _write_parts(part, parts, sums, f"{scope}:{name}")
    )


def _put(
    root: Path, scope: str, name: str, known: Callable[[], Checksums], write: Callable[[Path], Checksums]
) -> Stored:
    target = final_path(root, scope, name)
    try:
        if target.exists():
            return _adopt(target, known(), scope, name)
        if not root.is_dir():  # made by hand on purpose: a disk that is not mounted must not be filled below
            raise Fatal(f"The storage's folder {root} is missing. Mount it, or make it if it is new.")
        _make_folders(target.parent, root)
        part = target.with_name(f".{name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            sums = write(part)
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


def put_back(
    root: Path, scope: str, name: str, expected: Checksums, blocks: Callable[[], Iterable[bytes | memoryview]]
) -> PutBack:
    """Give a registered file its bytes again; what lies there instead is kept in the lost and found.

    The name always stands for something whole or for what was there before, so a crash at any point is
    cured by doing it again, and two that do it at once end with one good file.

    Parameters
    ----------
    root
        Folder of the storage element.
    scope, name
        The file's DID.
    expected
        Its registered checksums.
    blocks
        Gives the bytes, block by block; asked only where they are needed.

    Raises
    ------
    BadInput
        When the bytes given are not the registered ones; nothing is changed then.
    Retriable, Fatal
        When the storage fails, as for `put_bytes`.
    """
    target = final_path(root, scope, name)
    try:
        while True:
            before = identity(target)
            if before is not None and is_whole(target, expected):
                _sync_folder(target.parent)
                return PutBack("whole")
            if not root.is_dir():
                raise Fatal(f"The storage's folder {root} is missing. Mount it, or make it if it is new.")
            _make_folders(target.parent, root)
            part = target.with_name(f".{name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.part")
            try:
                if _copy_durably(part, blocks()) != expected:
                    raise _not_those(scope, name)
                if before is None:
                    with contextlib.suppress(FileExistsError):
                        os.link(part, target)
                        _sync_folder(target.parent)
                        return PutBack("missing")
                elif (kept := _keep(root, target, before)) is not None:
                    part.replace(target)
                    _sync_folder(target.parent)
                    return PutBack("damaged", kept)
            finally:
                part.unlink(missing_ok=True)
            # Another process changed what lies there meanwhile: look again.
    except OSError as error:
        raise storage_error(error, target) from error


def set_aside(root: Path, path: str) -> Path:
    """Move a file to the lost and found, beside whatever came there under its name before."""
    source = root / path
    while (before := identity(source)) is not None:
        if (kept := _keep(root, source, before)) is not None:
            source.unlink(missing_ok=True)
            _sync_folder(source.parent)
            return kept
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one put in its place; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def is_whole(path: Path, expected: Checksums) -> bool:
    """Whether a file holds the registered bytes; one that cannot be read through does not."""
    try:
        return path.stat().st_size == expected.size and sums_of(path) == expected
    except (OSError, Retriable):
        return False


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
    # Short: the target may bear an archive's name, as long as the user's file system takes it.
    part = target.with_name(f".{target.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.part")
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
        folders[:] = [one for one in folders if one not in (LOST_AND_FOUND, VOLATILE)]
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


def _write_durably(part: Path, data: bytes | memoryview, known: Checksums | None = None) -> Checksums:
    """Put bytes on disk, and sum them while the disk is at work: either takes as long for a large image."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        view = memoryview(data).cast("B")
        if known is not None:
            _write_and_sync(descriptor, view)
            return known
        with ThreadPoolExecutor(1, "writer") as writer:
            written = writer.submit(_write_and_sync, descriptor, view)
            sums = checksums(data)
            written.result()
        return sums
    finally:
        os.close(descriptor)


def _write_parts(part: Path, parts: Iterable[bytes | memoryview], expected: Checksums, did: str) -> Checksums:
    """Put bytes on disk window by window, and refuse them when they are not what was expected."""
    if _copy_durably(part, parts) != expected:
        raise BadInput(
            "the file changed while it was read",
            file=did,
            found="other bytes than a moment before",
            advice="take it in again once it is complete",
            code=Reason.UNREADABLE,
        )
    return expected


def _write_and_sync(descriptor: int, view: memoryview) -> None:
    _write_all(descriptor, view)
    os.fsync(descriptor)


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _copy_durably(part: Path, blocks: Iterable[bytes | memoryview]) -> Checksums:
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


def _keep(root: Path, path: Path, known: tuple[int, int]) -> Path | None:
    """Link a file into the lost and found; None where it is not the one that was looked at any more."""
    target = root / LOST_AND_FOUND / path.relative_to(root)
    _make_folders(target.parent, root)
    for number in range(_NAMESAKES):
        kept = target.with_name(f"{target.name}.{number}") if number else target
        try:
            os.link(path, kept)
        except FileExistsError:
            if identity(kept) == known == identity(path):
                return kept  # a repair that died here had kept it already
            continue
        except FileNotFoundError:
            return None
        if identity(kept) == known:
            _sync_folder(kept.parent)
            return kept
        kept.unlink()
        return None
    raise Fatal(f"The folder {target.parent} is full of {target.name}. Look through it, and empty it.")


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
    descriptor = os.open(folder, os.O_DIRECTORY)
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


def _not_those(scope: str, name: str) -> BadInput:
    return BadInput(
        f"the bytes given are not those registered as {scope}:{name}",
        file=name,
        keyword="sha256",
        advice="nothing was changed; give a file with the registered bytes",
        code=Reason.WRONG_CHECKSUM,
    )


def _damaged(did: str, path: Path, found: str) -> BadInput:
    return BadInput(
        f"{did} cannot be given out: its stored copy is {'lost' if found == 'no bytes' else 'damaged'}",
        file=str(path),
        found=found,
        advice="`heliolake fsck --deep` names the command that restores it",
        code=Reason.CORRUPTED_DATA,
    )

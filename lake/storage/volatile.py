"""What a run keeps for itself while it lasts, beside the storage: never registered, gone when it ends.

Each run has a folder of its own below `VOLATILE`. What lies there is read with the checksum that its writer
told the ledger: what is lost, cut off or changed is found out, and made again.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from lake.errors import Retriable
from lake.storage.posix import VOLATILE, storage_error

_BROKEN: Final = "what run {run} had kept is lost or changed"


class Kept(NamedTuple):
    """Something that was kept: its name within the run's folder, and the sha256 of its bytes."""

    name: str
    sha256: str


class NotKept(Retriable):
    """Something that was kept is not there any more, or not as it was."""


def folder(root: Path, run_id: str) -> Path:
    """Folder of a run."""
    return root / VOLATILE / run_id


def begin(root: Path, run_id: str) -> None:
    """Make the folder of a run. Only this does: what a worker still makes for a run that ended stays nowhere.

    Raises
    ------
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    try:
        folder(root, run_id).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder(root, run_id)) from error


def keep(root: Path, run_id: str, name: str, value: Any) -> Kept:
    """Keep a value; large arrays are not copied.

    Its name is made longer by a random part: of two that make the same, neither takes the other's away.

    Raises
    ------
    NotKept
        When the run has ended.
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    token = secrets.token_hex(4)
    target = folder(root, run_id) / f"{name}.{token}"
    part = target.with_name(f".{name}.{os.getpid()}.{token}.part")
    try:
        try:
            with part.open("xb") as file:
                summed = _Summed(file)
                pickle.dump(value, summed, protocol=5)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise NotKept(_BROKEN.format(run=run_id)) from error
    except OSError as error:
        raise storage_error(error, target) from error
    return Kept(target.name, summed.sum.hexdigest())


def kept(root: Path, run_id: str, what: Kept) -> Any:
    """A value that was kept.

    Raises
    ------
    NotKept
        When its bytes are not those that were written.
    """
    path = folder(root, run_id) / what.name
    try:
        with path.open("rb") as file:
            # Whoever can write here could have readers run code: only what the ledger knows is read.
            if hashlib.file_digest(file, "sha256").hexdigest() != what.sha256:
                raise NotKept(_BROKEN.format(run=run_id))
            file.seek(0)
            return pickle.load(file)  # noqa: S301 - its checksum is the one in the ledger
    except FileNotFoundError as error:
        raise NotKept(_BROKEN.format(run=run_id)) from error
    except OSError as error:
        raise storage_error(error, path) from error


def drop(root: Path, run_id: str, name: str) -> None:
    """Let go of one value."""
    folder(root, run_id).joinpath(name).unlink(missing_ok=True)


def drop_all(root: Path, run_id: str) -> None:
    """Let go of all that a run kept."""
    shutil.rmtree(folder(root, run_id), ignore_errors=True)


def runs_with_something_kept(root: Path) -> Iterator[tuple[str, int]]:
    """Each run that has a folder, and the bytes that lie there."""
    below = root / VOLATILE
    for one in sorted(below.iterdir()) if below.is_dir() else ():
        yield one.name, sum(path.stat().st_size for path in one.rglob("*") if path.is_file())


class _Summed:
    """A file that sums what is written to it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.sum.update(view)
        self._file.write(view)
        return len(view)

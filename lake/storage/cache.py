"""Copies of stored bytes on this machine, shared by its processes and bounded: what a far store needs.

A copy appears under its name by a link, so it is whole. Whoever uses one holds a lock on it; only what
nobody uses is removed, the longest unused first. The folder is private, for bytes may be under embargo.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lake.storage.files import storage_error

FOLDER: Final = "HELIOLAKE_CACHE"
"""Variable that names the folder; ``~/.cache/heliolake/files`` without it."""
LIMIT: Final = "HELIOLAKE_CACHE_BYTES"
"""Variable that says how much it may hold."""
_USUAL_LIMIT: Final = 20 << 30
_STALE: Final = 3600.0  # seconds after which a half-written copy belongs to nobody
_SHARE: Final = 64  # a process looks through the folder after adding this part of the limit


class Cache:
    """A folder of copies.

    Parameters
    ----------
    folder
        Made when first needed.
    limit
        Bytes it may hold; what is in use is never removed for it, and the newest copy always has room.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._added = limit  # nobody has looked yet

    @classmethod
    def usual(cls) -> Cache:
        """The one that the environment of this process names."""
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        folder = Path(os.environ.get(FOLDER) or base / "heliolake" / "files")
        return cls(folder, int(os.environ.get(LIMIT) or _USUAL_LIMIT))

    @contextmanager
    def copy(
        self, name: str, sha256: str, fetch: Callable[[], Iterable[bytes]], size: int
    ) -> Iterator[tuple[Path, str]]:
        """A copy, for as long as the context lasts.

        Parameters
        ----------
        name
            What its bytes are called here: other bytes need another name.
        sha256
            What they have to be, '' where nobody knows; a copy that has changed is fetched again.
        fetch
            Gives the bytes where there is no copy.
        size
            How many they are.

        Yields
        ------
        Path, str
            The copy, and the sha256 that its bytes have.

        Raises
        ------
        Retriable, Fatal
            When the folder fails.
        """
        path = self._folder / name[:2] / name
        fetched = False
        while True:
            with self._locked(path) as file:
                if file is not None:
                    found = hashlib.file_digest(file, "sha256").hexdigest() if sha256 else ""
                    if fetched or found == sha256:
                        os.utime(file.fileno())
                        yield path, found
                        return
                    with self._failing(path):  # it changed: nobody can want it
                        path.unlink(missing_ok=True)
            self._fetch(path, fetch, size)
            fetched = True

    @contextmanager
    def _locked(self, path: Path) -> Iterator[io.BufferedReader | None]:
        """The copy, kept from being removed; None where there is none."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            yield None
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            # Who removes a copy holds the other lock on it, and nobody replaces one.
            yield file if os.fstat(file.fileno()).st_nlink else None

    def _fetch(self, path: Path, fetch: Callable[[], Iterable[bytes]], size: int) -> None:
        with self._failing(path):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            self._added += size
            if self._added > self._limit // _SHARE:
                self._make_room(size)
            part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
            try:
                with part.open("xb") as writer:
                    for block in fetch():
                        writer.write(block)
                with suppress(FileExistsError):  # another process was faster
                    os.link(part, path)
            finally:
                part.unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        """Remove what was not used for longest until another copy fits."""
        self._added = 0
        found = sorted(self._copies(), key=lambda one: one[1].st_mtime)
        held = sum(status.st_size for _, status in found)
        for path, status in found:
            if held + size <= self._limit:
                return
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):  # else it is another by now
                    path.unlink()
                held -= status.st_size

    def _copies(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    status = path.stat()
                    if not name.endswith(".part"):
                        yield path, status
                    elif time.time() - status.st_mtime > _STALE:
                        path.unlink()

    @contextmanager
    def _failing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_error(error, path) from error


def spooled() -> tempfile.SpooledTemporaryFile[bytes]:
    """A nameless file for bytes on their way: in memory while they are few."""
    return tempfile.SpooledTemporaryFile(max_size=32 << 20)  # closed by who asked for it

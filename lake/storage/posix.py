"""Bytes under their final name on a POSIX storage element, whole or not at all.

A file appears under its final name by a hard link to a temporary one that is
complete and on disk. A link never replaces anything: when two writers race,
one wins and the other compares. Names follow Rucio's `hash` algorithm.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lake.checksums import Checksums, checksums
from lake.errors import Fatal, Retriable
from lake.storage.files import (
    blocks_of,
    copy_durably,
    identity,
    make_folders,
    storage_error,
    sums_of_file,
    sync_folder,
    write_durably,
)
from lake.storage.store import (
    BESIDE,
    LOST_AND_FOUND,
    VOLATILE,
    Data,
    Found,
    PutBack,
    Ref,
    Stored,
    Unreadable,
    changed_meanwhile,
    check_key,
    conflict,
    gone,
    not_those,
    other_bytes,
)
from lake.storage.verify import is_whole

_PART = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.[0-9a-f]{8}\.part")
_NAMESAKES = 1_000_000


class PosixStore:
    """A folder; see `lake.storage.store.Store`.

    Parameters
    ----------
    root
        The folder. It must be there: a disk that is not mounted must not be filled below.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"PosixStore({str(self.root)!r})"

    @property
    def url(self) -> str:
        """``file://`` and the folder."""
        return self.root.absolute().as_uri()

    @property
    def scratch(self) -> Path | None:
        """The folder itself, which has room for what it is to keep."""
        return self.root

    def answers(self) -> bool:
        """As `Store.answers`."""
        return self.root.is_dir()

    def path(self, key: str) -> Path:
        """Where the bytes of a key lie."""
        return self.root / check_key(key)

    def place(self, key: str) -> str:
        """Path of the file."""
        return str(self.path(key))

    def put(self, key: str, data: Data, sums: Checksums | None = None) -> Stored:
        """As `Store.put`."""
        return self._put(key, lambda: sums or checksums(data), lambda part: write_durably(part, data, sums))

    def put_windows(self, key: str, parts: Iterable[Data], sums: Checksums) -> Stored:
        """As `Store.put_windows`."""

        def write(part: Path) -> Checksums:
            if copy_durably(part, parts) != sums:
                raise changed_meanwhile(key)
            return sums

        return self._put(key, lambda: sums, write)

    def _put(self, key: str, known: Callable[[], Checksums], write: Callable[[Path], Checksums]) -> Stored:
        target = self.path(key)
        try:
            if target.exists():
                return self._adopt(key, known())
            part = self._new_part(target)
            try:
                sums = write(part)
                try:
                    os.link(part, target)
                except FileExistsError:
                    return self._adopt(key, sums)
            finally:
                part.unlink(missing_ok=True)
            sync_folder(target.parent)
        except OSError as error:
            raise storage_error(error, target) from error
        return Stored(key, sums, adopted=False)

    def _new_part(self, target: Path) -> Path:
        """The temporary name of a file on its way, in a folder that is there."""
        if not self.root.is_dir():
            raise Fatal(f"The storage's folder {self.root} is missing. Mount it, or make it if it is new.")
        make_folders(target.parent, self.root)
        return target.with_name(f".{target.name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.part")

    def _adopt(self, key: str, sums: Checksums) -> Stored:
        target = self.path(key)
        there = sums_of_file(target)
        if there != sums:
            raise conflict(key, sums, there)
        sync_folder(target.parent)  # the writer may have died between its link and its own sync
        return Stored(key, sums, adopted=True)

    def put_back(self, key: str, expected: Checksums, blocks: Callable[[], Iterable[Data]]) -> PutBack:
        """As `Store.put_back`."""
        target = self.path(key)
        try:
            while True:
                before = identity(target)
                if before is not None and is_whole(self, key, expected):
                    sync_folder(target.parent)
                    return PutBack("whole")
                part = self._new_part(target)
                try:
                    if copy_durably(part, blocks()) != expected:
                        raise not_those(key)
                    if before is None:
                        with contextlib.suppress(FileExistsError):
                            os.link(part, target)
                            sync_folder(target.parent)
                            return PutBack("missing")
                    elif kept := self._keep(target, before):
                        part.replace(target)
                        sync_folder(target.parent)
                        return PutBack("damaged", kept)
                finally:
                    part.unlink(missing_ok=True)
                # Another process changed what lies there meanwhile: look again.
        except OSError as error:
            raise storage_error(error, target) from error

    def stat(self, key: str) -> Found | None:
        """As `Store.stat`."""
        path = self.path(key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_error(error, path) from error
        return Found(key, status.st_size, status.st_mtime)

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """As `Store.read`."""
        with self.open(key) as reader:
            try:
                reader.seek(start)
                return reader.read() if size is None else reader.read(size)
            except OSError as error:
                raise storage_error(error, self.path(key)) from error

    @property
    def gap(self) -> int:
        """Some pages: a system reads no less."""
        return 1 << 14

    def stretches(self, key: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """As `Store.stretches`."""
        with self.open(key) as reader:
            try:
                for start, size in spans:
                    yield os.pread(reader.fileno(), size, start)
            except OSError as error:
                raise storage_error(error, self.path(key)) from error

    def open(self, key: str) -> BinaryIO:
        """As `Store.open`."""
        path = self.path(key)
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise gone(str(path)) from error
        except OSError as error:
            raise storage_error(error, path) from error

    def blocks(self, key: str) -> Iterator[bytes]:
        """As `Store.blocks`."""
        path = self.path(key)
        try:
            yield from blocks_of(path)
        except FileNotFoundError as error:
            raise gone(str(path)) from error
        except OSError as error:
            failure = storage_error(error, path)
            raise (Unreadable(str(failure)) if isinstance(failure, Retriable) else failure) from error

    def signed(self, key: str, seconds: int, name: str, endpoint: str) -> str | None:
        """None: nobody reads a folder of this machine by an address."""
        return None

    @contextlib.contextmanager
    def local(self, ref: Ref) -> Iterator[Path]:
        """As `Store.local`: the file itself."""
        path = self.path(ref.key)
        if ref.sha256:
            try:
                with path.open("rb") as reader:
                    found = hashlib.file_digest(reader, "sha256").hexdigest()
            except FileNotFoundError as error:
                raise gone(str(path)) from error
            except OSError as error:
                raise storage_error(error, path) from error
            if found != ref.sha256:
                raise other_bytes(ref, found)
        yield path

    def scan(self, below: str = "") -> Iterator[Found]:
        """As `Store.scan`."""
        for folder, folders, names in os.walk(self.path(below) if below else self.root):
            folders[:] = [one for one in folders if one not in BESIDE]
            for name in names:
                path = Path(folder, name)
                match = _PART.fullmatch(name)
                with contextlib.suppress(FileNotFoundError):  # a writer may just have finished
                    status = path.stat()
                    yield Found(
                        path.relative_to(self.root).as_posix(),
                        status.st_size,
                        status.st_mtime,
                        int(match["pid"]) if match else None,
                    )

    def set_aside(self, key: str) -> str:
        """As `Store.set_aside`."""
        source = self.path(key)
        try:
            while (before := identity(source)) is not None:
                if kept := self._keep(source, before):
                    source.unlink(missing_ok=True)
                    sync_folder(source.parent)
                    return kept
        except OSError as error:
            raise storage_error(error, source) from error
        raise gone(str(source))

    def remove(self, key: str) -> None:
        """As `Store.remove`; the folder of a run goes with the last that it kept."""
        path = self.path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, path) from error
        if key.startswith(f"{VOLATILE}/"):
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def _keep(self, path: Path, known: tuple[int, int]) -> str | None:
        """Link a file into the lost and found; None where it is not the one that was looked at any more."""
        target = self.root / LOST_AND_FOUND / path.relative_to(self.root)
        make_folders(target.parent, self.root)
        for number in range(_NAMESAKES):
            kept = target.with_name(f"{target.name}.{number}") if number else target
            try:
                os.link(path, kept)
            except FileExistsError:
                if identity(kept) == known == identity(path):
                    return self._key(kept)  # a repair that died here had kept it already
                continue
            except FileNotFoundError:
                return None
            if identity(kept) == known:
                sync_folder(kept.parent)
                return self._key(kept)
            kept.unlink()
            return None
        raise Fatal(f"The folder {target.parent} is full of {target.name}. Look through it, and empty it.")

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

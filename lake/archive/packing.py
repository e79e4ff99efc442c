"""Many files as one, written as it is read: zip (with ZIP64) and tar, no more than a window in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Protocol
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from lake.entries import in_utc

_BLOCK: Final = tarfile.BLOCKSIZE
_OLDEST: Final = (1980, 1, 1, 0, 0, 0)  # that a zip knows


class Packer(Protocol):
    """Makes one file of many, part by part."""

    media_type: str

    def member(self, path: str, size: int, made: datetime, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """One more file, of so many bytes."""

    def end(self) -> Iterator[bytes]:
        """What stands behind all."""


class Zip:
    """A zip; what is in it is stored as it is, for FITS files are packed already or seldom worth it."""

    media_type = "application/zip"

    def __init__(self) -> None:
        self._out = _Out()
        self._zip = ZipFile(self._out, "w", ZIP_STORED, allowZip64=True)

    def member(self, path: str, size: int, made: datetime, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """As `Packer.member`."""
        info = ZipInfo(path, max(in_utc(made).timetuple()[:6], _OLDEST))
        info.external_attr = 0o644 << 16
        info.file_size = size
        with self._zip.open(info, "w", force_zip64=True) as target:
            for block in blocks:
                target.write(block)
                yield self._out.taken()
        yield self._out.taken()

    def end(self) -> Iterator[bytes]:
        """As `Packer.end`."""
        self._zip.close()
        yield self._out.taken()


class Tar:
    """A tar as POSIX has it (pax); it has no list of what is in it, and no end to how many."""

    media_type = "application/x-tar"

    def member(self, path: str, size: int, made: datetime, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """As `Packer.member`."""
        info = tarfile.TarInfo(path)
        info.size, info.mtime, info.mode = size, int(in_utc(made).timestamp()), 0o644
        yield info.tobuf(tarfile.PAX_FORMAT)
        yield from blocks
        yield bytes(-size % _BLOCK)

    def end(self) -> Iterator[bytes]:
        """As `Packer.end`."""
        yield bytes(2 * _BLOCK)


class _Out(io.RawIOBase):
    """What was written and not yet taken; nobody can seek in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]  # any buffer
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """All since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


PACKERS: Final[dict[str, type[Zip] | type[Tar]]] = {"zip": Zip, "tar": Tar}

"""The bytes of a file, seen through windows: what a file claims to hold never decides what is held.

A small file is read at once; a large one stays where it lies; a packed one is unpacked as far as
anybody looks, into memory while that is little and into a nameless file on disk when it is not.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Protocol

from lake.errors import BadInput, Reason
from lake.storage.files import storage_error

WINDOW: Final = 1 << 22
"""Bytes looked at at once; a multiple of every number's width."""
HELD: Final = 40 << 20
"""Files up to this size are held in memory: an image of 4096 x 4096 pixels of 16 bits is."""
GZIP: Final = b"\x1f\x8b"
AGAIN: Final = "fetch the file again from its source"


class Content(Protocol):
    """Bytes that can be read anywhere, a window at a time."""

    def reach(self, end: int) -> int:
        """`end`, or the number of bytes there are when they are fewer."""

    def read(self, start: int, size: int) -> memoryview:
        """Bytes from `start`; fewer where they end."""

    def opened(self) -> IO[bytes]:
        """A file object on the same bytes, for libraries; closing it leaves this open."""

    def close(self) -> None:
        """Give back what is held."""


def windows(content: Content, start: int, end: int) -> Iterator[memoryview]:
    """The bytes from `start` to `end`, or to where they end."""
    end = content.reach(end)
    for position in range(start, end, WINDOW):
        yield content.read(position, min(WINDOW, end - position))


class Held:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def reach(self, end: int) -> int:
        """As `Content.reach`."""
        return min(end, len(self.data))

    def read(self, start: int, size: int) -> memoryview:
        """As `Content.read`."""
        return memoryview(self.data)[start : start + size]

    def opened(self) -> IO[bytes]:
        """As `Content.opened`; the bytes are shared."""
        return io.BytesIO(self.data)

    def close(self) -> None:
        """As `Content.close`."""
        self.data = b""


class Lying:
    """An open file, read where it lies. It is not mapped: a mapped file that shrinks ends the process.

    Parameters
    ----------
    file
        Open for reading; closed with this.
    size
        Bytes that count, however the file grows.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def reach(self, end: int) -> int:
        """As `Content.reach`."""
        return min(end, self._size)

    def read(self, start: int, size: int) -> memoryview:
        """As `Content.read`."""
        parts = bytearray()
        size = max(0, min(size, self._size - start))
        # Nothing more comes where all is read, or the file shrank.
        while part := os.pread(self._file.fileno(), size - len(parts), start + len(parts)):
            parts += part
        return memoryview(parts).toreadonly()

    def opened(self) -> IO[bytes]:
        """As `Content.opened`."""
        copy = os.fdopen(os.dup(self._file.fileno()), "rb")
        copy.seek(0)  # both share a position, which `read` does not look at
        return copy

    def append(self, data: memoryview) -> None:
        """Add bytes at the end of a file of our own."""
        while data:
            written = os.pwrite(self._file.fileno(), data, self._size)
            self._size += written
            data = data[written:]

    def close(self) -> None:
        """As `Content.close`."""
        self._file.close()


class Unpacked:
    """A gzipped file as it is when unpacked, as far as anybody looked.

    Parameters
    ----------
    packed
        Its bytes; not closed with this.
    file
        Its name, for messages.
    limit
        Unpacked bytes it may have.
    folder
        Where they go when they are more than `HELD`; the system's folder for such files when `None`.
    """

    def __init__(self, packed: Content, file: str, limit: int, folder: Path | None = None) -> None:
        self.limit = limit
        self._packed = packed
        self._file = file
        self._folder = folder
        self._taken = 0  # bytes of the packed file that went into the unpacker
        self._unpacker = zlib.decompressobj(wbits=31)
        self._sum = hashlib.sha256()
        self._memory = io.BytesIO()
        self._disk: Lying | None = None
        self._size = 0
        self._whole = False

    @property
    def sha256(self) -> str:
        """Of all bytes."""
        while not self._whole:
            self.reach(self._size + WINDOW)
        return self._sum.hexdigest()

    def reach(self, end: int) -> int:
        """As `Content.reach`; unpacks as far.

        Raises
        ------
        BadInput
            When the file is damaged or cut off, or has more bytes than its limit.
        """
        try:
            while self._size < end and not self._whole:
                self._keep(self._next())
        except zlib.error as error:
            raise BadInput(
                "the gzipped file is damaged",
                file=self._file,
                found=str(error),
                advice=AGAIN,
                code=Reason.CORRUPTED_DATA,
            ) from error
        return min(end, self._size)

    def read(self, start: int, size: int) -> memoryview:
        """As `Content.read`."""
        self.reach(start + size)
        if self._disk is not None:
            return self._disk.read(start, size)
        with self._memory.getbuffer() as buffer:  # a copy: while it is looked at, more may be added
            return memoryview(bytes(buffer[start : start + size]))

    def opened(self) -> IO[bytes]:
        """As `Content.opened`."""
        _ = self.sha256
        return io.BytesIO(self._memory.getvalue()) if self._disk is None else self._disk.opened()

    def close(self) -> None:
        """As `Content.close`."""
        self._memory = io.BytesIO()
        if self._disk is not None:
            self._disk.close()

    def _next(self) -> bytes:
        """Up to a window more; several packed parts may follow each other, and zeros the last one."""
        data = self._packed.read(self._taken, WINDOW)
        if self._unpacker.eof:
            rest = bytes(data).lstrip(b"\0")
            self._taken += len(data) - len(rest)
            if not rest:
                self._whole = not data
                return b""
            self._unpacker, data = zlib.decompressobj(wbits=31), memoryview(rest)
        elif not data:
            raise BadInput(
                "the gzipped file is truncated",
                file=self._file,
                found=f"{self._taken} bytes",
                advice=f"{AGAIN}; the transfer was probably cut off",
                code=Reason.TRUNCATED,
            )
        part = self._unpacker.decompress(data, WINDOW)
        left = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
        self._taken += len(data) - len(left)
        return part

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self.limit:
            raise too_large(self._file, f"more than {self.limit} bytes when unpacked", f"{self.limit} bytes")
        self._sum.update(part)
        try:
            if self._disk is None and self._size <= HELD:
                self._memory.write(part)
                return
            if self._disk is None:
                file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with this
                self._disk = Lying(file, 0)
                self._disk.append(memoryview(self._memory.getvalue()))
                self._memory = io.BytesIO()
            self._disk.append(memoryview(part))
        except OSError as error:
            raise storage_error(error, self._folder or Path(tempfile.gettempdir())) from error


def too_large(file: str, found: str, allowed: str) -> BadInput:
    """The refusal of a file or image larger than those of its instrument may be."""
    return BadInput(
        f"the file or its image is larger than it may be: {allowed}",
        file=file,
        found=found,
        advice="split it; if such images are real, raise `largest` in their instrument's description",
        code=Reason.TOO_LARGE,
    )

"""Files on their way into a release: gone through again and again, and never all in memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from tempfile import TemporaryFile
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from lake.entries import FileEntry

T = TypeVar("T")

#: Things that are written, and read back, together.
_TOGETHER: Final = 500


class Files(Protocol):
    """The files of a release; a list of them, or more than a list should hold."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __iter__(self) -> Iterator[FileEntry]:
        """From the first one, as often as is wanted."""
        ...


class Spool(Generic[T]):
    """Things on disk, in the order in which they were added; few are in memory at any moment.

    They lie in a file without a name, which is gone with the ``with`` block, or with the process.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed with the spool
        self._begins: list[int] = []
        self._last: list[T] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, one: T) -> None:
        """Add something behind the others."""
        self._last.append(one)
        if len(self._last) == _TOGETHER:
            self._begins.append(self._file.seek(0, 2))
            pickle.dump(self._last, self._file, protocol=5)
            self._last = []

    def __len__(self) -> int:
        return len(self._begins) * _TOGETHER + len(self._last)

    def __iter__(self) -> Iterator[T]:
        for begin in self._begins:
            self._file.seek(begin)
            yield from pickle.load(self._file)  # noqa: S301 - nobody else can reach the file
        yield from self._last

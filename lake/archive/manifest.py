"""What is in a download of many files, and what is not and why: its last two members."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from lake.archive.packing import Packer
from lake.entries import FileEntry, iso

_HELD: Final = 1 << 20
_WINDOW: Final = 1 << 20


class Manifest:
    """Kept in files of this machine where it grows: a download may have a million members."""

    def __init__(self) -> None:
        # Closed by whoever streams them, at the end or where it broke off.
        self._files = SpooledTemporaryFile(_HELD)  # noqa: SIM115
        self._sums = SpooledTemporaryFile(_HELD)  # noqa: SIM115
        self._given = self._refused = 0

    def given(self, path: str, release: str, file: FileEntry) -> None:
        """A file that is in it."""
        self._given += 1
        self._sums.write(f"{file.sha256}  {path}\n".encode())
        original = {"original": file.as_dict()["original"]} if file.original else {}
        self._add({"path": path, "release": release, "size": file.size, "sha256": file.sha256, **original})

    def refused(self, name: str, release: str, reason: str, advice: str) -> None:
        """What is not in it: a file, or ("" as name) what cannot be told file by file."""
        self._refused += 1
        self._add({"name": name, "release": release, "refused": reason, "advice": advice})

    def members(self, packer: Packer, following: str = "") -> Iterator[bytes]:
        """The manifest, and the sums as `sha256sum --check` reads them; nothing can be added any more.

        Parameters
        ----------
        packer
            What they are put into.
        following
            Address of the next part, where there is one.
        """
        now = datetime.now(UTC)
        head = {"made": iso(now), "given": self._given, "refused": self._refused, "next": following or None}
        text = json.dumps(head)[:-1].encode() + b', "files": [\n'
        self._files.write(b"\n]}\n")
        for name, head_text, spool in (("MANIFEST.json", text, self._files), ("SHA256SUMS", b"", self._sums)):
            size = len(head_text) + spool.tell()
            spool.seek(0)
            yield from packer.member(name, size, now, _blocks(head_text, spool))

    def close(self) -> None:
        """Give the files back."""
        self._files.close()
        self._sums.close()

    def _add(self, one: dict[str, Any]) -> None:
        between = b"" if self._given + self._refused == 1 else b",\n"
        self._files.write(between + json.dumps(one).encode())


def _blocks(head: bytes, rest: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    yield head
    while block := rest.read(_WINDOW):
        yield block

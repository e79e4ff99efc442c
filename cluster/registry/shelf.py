"""Where a practice registry keeps its records: a folder, one file for each DOI."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from cluster.home.process import PRIVATE_FILE, write_private


class Shelf:
    """Records in a folder; several processes may use it.

    Parameters
    ----------
    folder
        Made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._threads = Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other threads and processes out meanwhile."""
        with self._threads:
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def get(self, doi: str) -> dict[str, Any] | None:
        """A record, if there is one."""
        try:
            record: dict[str, Any] = json.loads(self._file(doi).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return record

    def put(self, doi: str, record: dict[str, Any]) -> None:
        """Write a record, whole or not at all."""
        write_private(self._file(doi), json.dumps(record, indent=1) + "\n")

    def remove(self, doi: str) -> None:
        """Forget a record."""
        self._file(doi).unlink()

    def _file(self, doi: str) -> Path:
        # No DOI leads out of the folder, or has the name of the lock.
        return self.folder / f"{quote(doi, safe='')}.json"

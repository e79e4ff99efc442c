"""Files that cannot be read where they lie: verified before they are decoded, gzipped ones unpacked once.

Decoders take what a stream says of itself at its word: bytes that are not those registered never reach one.
Both is done once for a file as long as it is not changed, for a page that zooms asks for a hundred tiles.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lake.errors import BadInput, Reason
from lake.storage.cache import Cache
from lake.storage.opening import open_store
from lake.storage.posix import PosixStore
from lake.storage.store import WINDOW, Ref, other_bytes

_LARGEST: Final = 8 << 30
"""Bytes of a file that is unpacked."""
_KNOWN: Final = 1000
_verified: OrderedDict[tuple[Ref, int, float], None] = OrderedDict()
_lock: Final = threading.Lock()


@contextmanager
def right_copy(ref: Ref) -> Iterator[Path]:
    """A file of this machine with the registered bytes.

    Raises
    ------
    BadInput
        When it is absent, or holds others.
    Retriable, Fatal
        When the storage fails.
    """
    store = open_store(ref.store)
    found = store.stat(ref.key)
    with store.local(Ref(ref.store, ref.key)) as path:
        if found is not None and ref.sha256:
            _verify(path, ref, (ref, found.size, found.modified))
        yield path


@contextmanager
def plain_copy(ref: Ref) -> Iterator[Ref]:
    """What a gzipped file holds, as a file of this machine in the bounded cache; raises as `right_copy`."""
    with right_copy(ref) as packed:
        name = hashlib.sha256(f"unpacked {ref.store} {ref.key} {ref.sha256}".encode()).hexdigest()
        size = packed.stat().st_size
        with Cache.usual().copy(name, "", lambda: _unpacked(packed), size) as (path, _):
            yield Ref(PosixStore(path.parent).url, path.name)


def _verify(path: Path, ref: Ref, version: tuple[Ref, int, float]) -> None:
    with _lock:
        if version in _verified:
            _verified.move_to_end(version)
            return
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != ref.sha256:
        raise other_bytes(ref, sha256)
    with _lock:
        _verified[version] = None
        while len(_verified) > _KNOWN:
            _verified.popitem(last=False)


def _unpacked(packed: Path) -> Iterator[bytes]:
    size = 0
    try:
        with gzip.open(packed) as file:
            while block := file.read(WINDOW):
                size += len(block)
                if size > _LARGEST:
                    raise BadInput(
                        "the gzipped file is too large to be looked into",
                        file=packed.name,
                        found=f"more than {_LARGEST} bytes unpacked",
                        advice="download it",
                        code=Reason.TOO_LARGE,
                    )
                yield block
    except (EOFError, gzip.BadGzipFile) as error:
        raise BadInput(
            "the gzipped file cannot be unpacked",
            file=packed.name,
            found=str(error),
            advice="run `heliolake fsck --deep`",
            code=Reason.CORRUPTED_DATA,
        ) from error

"""Pictures beside the storage: never registered, made again at any time; what they show nobody here knows.

All pictures of a file lie together in one plain zip under a key of their own below `PREVIEWS`, with a JSON
that says of which bytes they were made. They are put there whole or not at all, and read piece by piece; a
piece that is cut off or changed is as good as none.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lake.errors import BadInput
from lake.storage.store import PREVIEWS, Found, Store, key_of, scope_key

_SCENE: Final = "scene.json"
_ENDING: Final = ".zip"
_MOST: Final = 32 << 20
"""Bytes of one piece: more is none of ours."""
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The same pictures give the same bytes."""
_ATTEMPTS: Final = 3


def preview_key(scope: str, name: str) -> str:
    """Key of the pictures of a file, or of a dataset."""
    return f"{PREVIEWS}/{key_of(scope, name)}{_ENDING}"


def keep(store: Store, key: str, pieces: Mapping[str, bytes], scene: Mapping[str, Any]) -> None:
    """Keep pictures instead of those that are there.

    Parameters
    ----------
    store, key
        Where; see `preview_key`.
    pieces
        Bytes by name.
    scene
        Plain data beside them; ``made_of`` says of which bytes they were made.

    Raises
    ------
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_SCENE, _LONG_AGO), json.dumps(scene, allow_nan=False))
        for name, data in pieces.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data)
    for _ in range(_ATTEMPTS):
        # Of two that make the same at once either may win.
        with contextlib.suppress(BadInput):
            store.put(key, packed.getvalue())
            return
        store.remove(key)


def scene(store: Store, key: str) -> dict[str, Any] | None:
    """What is told beside the pictures; None where there are none, or not whole.

    Raises
    ------
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    told = piece(store, key, _SCENE)
    try:
        found = None if told is None else json.loads(told)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def piece(store: Store, key: str, name: str) -> bytes | None:
    """One picture; None where there is none, or not as it was written. Raises as `scene`."""
    try:
        with store.open(key) as file, zipfile.ZipFile(file) as archive:
            entry = archive.getinfo(name)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > _MOST:
                return None
            return archive.read(entry)
    except (BadInput, KeyError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None


def is_whole(store: Store, key: str) -> bool:
    """Whether every piece is as it was written. Raises as `scene`."""
    try:
        with store.open(key) as file, zipfile.ZipFile(file) as archive:
            sizes = [entry.file_size for entry in archive.infolist()]
            return max(sizes, default=0) <= _MOST and archive.testzip() is None
    except (BadInput, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False


def drop(store: Store, key: str) -> None:
    """Remove pictures; nothing where there are none."""
    store.remove(key)


def kept(store: Store, scope: str = "") -> Iterator[Found]:
    """Everything that is kept here, or of one scope; leftovers of writers included."""
    yield from store.scan(f"{PREVIEWS}/{scope_key(scope)}" if scope else PREVIEWS)

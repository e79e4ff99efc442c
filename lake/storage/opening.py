"""From the name of a store to the store, and from a `Ref` to a file of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lake.errors import BadInput, Fatal
from lake.storage.posix import PosixStore
from lake.storage.s3 import S3Store
from lake.storage.store import Ref, Store


@lru_cache(maxsize=64)
def open_store(url: str) -> Store:
    """The store of a URL; nothing is read or written yet.

    Raises
    ------
    Fatal
        When the URL names no kind of store there is.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return PosixStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(url)
    raise Fatal(f"{url} names no storage. Give a folder as file:///FOLDER, or s3://BUCKET?endpoint=ADDRESS.")


def stored_path(ref: Ref) -> Path:
    """Where a file lies, for a person who wants to look at it in its place.

    Raises
    ------
    BadInput
        When it lies in no folder.
    """
    store = open_store(ref.store)
    if not isinstance(store, PosixStore):
        raise BadInput(
            "the lake's files lie in no folder",
            found=store.place(ref.key),
            advice="copy them to one with get(FOLDER)",
        )
    return store.path(ref.key)


@contextmanager
def local_copy(ref: Ref) -> Iterator[Path]:
    """A file of this machine with the bytes of a reference; see `Store.local`."""
    with open_store(ref.store).local(ref) as path:
        yield path


@contextmanager
def reached(text: str) -> Iterator[str]:
    """The same for who knows only `Ref.text`, or the path of a file."""
    with local_copy(Ref.of_text(text)) as path:
        yield str(path)

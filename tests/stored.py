"""Stored bytes behind the lake's back, for tests that lose and damage them: the one place that knows how."""

from __future__ import annotations

from pathlib import Path

from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.storage.opening import stored_path
from lake.storage.posix import PosixStore
from lake.storage.s3 import S3Store
from lake.storage.store import Ref, Store


def path_of(lake: Lake, scope: str, name: str) -> Path:
    """Path of a stored file, where files lie in a folder."""
    return stored_path(lake.ref(CUSTODY, scope, name))


def path_of_key(lake: Lake, key: str) -> Path:
    """The same of a key."""
    return stored_path(Ref(lake.store.url, key))


def write(store: Store, key: str, content: bytes) -> None:
    """Put bytes under a key, whatever is there."""
    if isinstance(store, PosixStore):
        store.path(key).parent.mkdir(parents=True, exist_ok=True)
        store.path(key).write_bytes(content)
    else:
        assert isinstance(store, S3Store)
        store._wire.call("put_object", Key=store._key(key), Body=content)


def remove(store: Store, key: str) -> None:
    """Lose what is under a key."""
    if isinstance(store, PosixStore):
        store.path(key).unlink()
    else:
        assert isinstance(store, S3Store)
        store._wire.call("delete_object", Key=store._key(key))


def damage(store: Store, key: str) -> None:
    """Change the last bit under a key."""
    content = store.read(key)
    write(store, key, content[:-1] + bytes([content[-1] ^ 1]))

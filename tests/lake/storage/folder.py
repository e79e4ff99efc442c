"""A store in a folder, in the terms of tests that look at its files: paths instead of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lake.checksums import Checksums
from lake.storage import verify
from lake.storage.posix import PosixStore
from lake.storage.store import Data, Found, PutBack, key_of


class Put(NamedTuple):
    """A stored file."""

    path: Path
    checksums: Checksums
    adopted: bool


def final_path(root: Path, scope: str, name: str) -> Path:
    return PosixStore(root).path(key_of(scope, name))


def put_bytes(root: Path, scope: str, name: str, data: Data) -> Put:
    done = PosixStore(root).put(key_of(scope, name), data)
    return Put(root / done.key, done.checksums, done.adopted)


def put_windows(root: Path, scope: str, name: str, parts: Iterable[Data], sums: Checksums) -> Put:
    done = PosixStore(root).put_windows(key_of(scope, name), parts, sums)
    return Put(root / done.key, done.checksums, done.adopted)


def put_back(
    root: Path, scope: str, name: str, expected: Checksums, blocks: Callable[[], Iterable[Data]]
) -> PutBack:
    return PosixStore(root).put_back(key_of(scope, name), expected, blocks)


def set_aside(root: Path, key: str) -> Path:
    return root / PosixStore(root).set_aside(key)


def scan(root: Path, below: str = "") -> Iterator[Found]:
    return PosixStore(root).scan(below)


def copy_verified(source: Path, target: Path, expected: Checksums, did: str) -> None:
    verify.copy_verified(PosixStore(source.parent), source.name, target, expected, did)


def sums_of(path: Path) -> Checksums:
    return verify.sums_of(PosixStore(path.parent), path.name)


def is_whole(path: Path, expected: Checksums) -> bool:
    return verify.is_whole(PosixStore(path.parent), path.name, expected)

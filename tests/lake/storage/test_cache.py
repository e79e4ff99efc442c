"""Copies on this machine: whole, bounded, and never taken away from who uses them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from lake.storage.cache import Cache
from tests.conftest import HOUSE

CONTENT = b"abc" * 1000


def named(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def never() -> list[bytes]:
    pytest.fail("was fetched again")


def test_a_copy_is_fetched_once_and_private(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c", 10**6)
    for fetch in (lambda: [CONTENT], never):
        with cache.copy(named(CONTENT), named(CONTENT), fetch, len(CONTENT)) as (path, sha256):
            assert (path.read_bytes(), sha256) == (CONTENT, named(CONTENT))
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0


def test_a_copy_that_changed_is_fetched_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    for _ in range(2):
        with cache.copy(named(CONTENT), named(CONTENT), lambda: [CONTENT], len(CONTENT)) as (path, _sha256):
            assert path.read_bytes() == CONTENT
        path.write_bytes(b"?" * len(CONTENT))


def test_what_was_fetched_otherwise_than_expected_is_told_and_not_fetched_for_ever(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    with cache.copy(named(CONTENT), named(CONTENT), lambda: [b"other"], 5) as (_path, sha256):
        assert sha256 == named(b"other")


def test_the_folder_stays_within_its_limit_and_the_longest_unused_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10 * len(CONTENT))
    contents = [bytes([number]) * len(CONTENT) for number in range(40)]
    for number, content in enumerate(contents):
        with cache.copy(named(content), named(content), partial(list, [content]), len(content)) as (
            path,
            _sha256,
        ):
            os.utime(path, (number, number))
        assert size_of(tmp_path) <= 10 * len(CONTENT)
    with cache.copy(named(contents[-1]), named(contents[-1]), never, len(CONTENT)):
        pass


def test_what_is_in_use_is_not_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 2 * len(CONTENT))
    with cache.copy(named(CONTENT), named(CONTENT), lambda: [CONTENT], len(CONTENT)) as (path, _sha256):
        for number in range(5):
            content = bytes([number]) * len(CONTENT)
            with cache.copy(named(content), named(content), partial(list, [content]), len(content)):
                assert path.read_bytes() == CONTENT


def test_half_a_copy_of_a_dead_process_goes_once_it_is_old(tmp_path: Path) -> None:
    half = tmp_path / "ab" / ".abcd.0123.part"
    half.parent.mkdir()
    half.write_bytes(b"half")
    past = time.time() - 90_000
    os.utime(half, (past, past))
    with Cache(tmp_path, 10**6).copy(named(CONTENT), named(CONTENT), lambda: [CONTENT], len(CONTENT)):
        assert not half.exists()


USER = """
import hashlib, sys
from pathlib import Path
from lake.storage.cache import Cache
cache = Cache(Path(sys.argv[1]), 100_000)
for number in range(300):
    content = bytes([number * 7 % 40]) * 20_000
    name = hashlib.sha256(content).hexdigest()
    with cache.copy(name, name, lambda: [content], len(content)) as (path, sha256):
        assert path.read_bytes() == content and sha256 == name
"""


def test_processes_that_share_a_folder_too_small_for_all_each_read_what_they_asked_for(
    tmp_path: Path,
) -> None:
    def use(_: int) -> int:
        return subprocess.run([sys.executable, "-c", USER, str(tmp_path)], cwd=HOUSE, check=False).returncode

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(use, range(3))) == [0, 0, 0]

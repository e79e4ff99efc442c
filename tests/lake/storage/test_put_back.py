"""Bytes that come back to their name: whole or not at all, whatever happens, and nothing is lost for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lake.checksums import checksums
from lake.errors import BadInput
from lake.storage.store import LOST_AND_FOUND, key_of
from tests.lake.storage.folder import final_path, put_back, set_aside

GOOD = b"what was registered" * 1000
BAD = b"what a disk made of it" * 900


def stored(root: Path, content: bytes | None) -> Path:
    path = final_path(root, "s", "a.fits")
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_bytes(content)
    return path


def kept(root: Path) -> list[bytes]:
    """All that lies in the lost and found."""
    return [path.read_bytes() for path in sorted((root / LOST_AND_FOUND).rglob("*")) if path.is_file()]


def again(root: Path) -> str:
    return put_back(root, "s", "a.fits", checksums(GOOD), lambda: [GOOD[:7], GOOD[7:]]).found


@pytest.mark.parametrize(("before", "found"), [(None, "missing"), (BAD, "damaged"), (GOOD, "whole")])
def test_the_registered_bytes_lie_there_and_damaged_ones_are_kept(
    tmp_path: Path, before: bytes | None, found: str
) -> None:
    path = stored(tmp_path, before)
    assert again(tmp_path) == found
    assert path.read_bytes() == GOOD
    assert kept(tmp_path) == ([BAD] if before == BAD else [])


def test_whole_bytes_are_not_written_again(tmp_path: Path) -> None:
    path = stored(tmp_path, GOOD)
    before = path.stat()
    put_back(tmp_path, "s", "a.fits", checksums(GOOD), lambda: pytest.fail("was asked for bytes"))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("before", [None, BAD])
def test_other_bytes_than_the_registered_ones_change_nothing(tmp_path: Path, before: bytes | None) -> None:
    path = stored(tmp_path, before)
    with pytest.raises(BadInput, match="not those registered"):
        put_back(tmp_path, "s", "a.fits", checksums(GOOD), lambda: [GOOD[:-1], b"?"])
    assert (path.read_bytes() if path.exists() else None) == before
    assert [one.name for one in path.parent.iterdir()] == ([] if before is None else ["a.fits"])
    assert not (tmp_path / LOST_AND_FOUND).exists()


def test_what_was_damaged_twice_is_kept_twice(tmp_path: Path) -> None:
    path = stored(tmp_path, BAD)
    again(tmp_path)
    path.write_bytes(BAD[::-1])
    again(tmp_path)
    assert kept(tmp_path) == [BAD, BAD[::-1]]


def test_setting_aside_never_overwrites_what_was_set_aside_before(tmp_path: Path) -> None:
    for content in (BAD, GOOD):
        final_path(tmp_path, "s", "a.fits").parent.mkdir(parents=True, exist_ok=True)
        final_path(tmp_path, "s", "a.fits").write_bytes(content)
        set_aside(tmp_path, key_of("s", "a.fits"))
    assert not final_path(tmp_path, "s", "a.fits").exists()
    assert kept(tmp_path) == [BAD, GOOD]


KILLED = """
import os, signal, sys
from pathlib import Path
from lake.checksums import checksums
from lake.storage.posix import PosixStore
from lake.storage.store import key_of
root, stage, good = Path(sys.argv[1]), sys.argv[2], sys.stdin.buffer.read()
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def blocks():
    yield good[:100]
    if stage == "write":
        die()
    yield good[100:]
real = getattr(os, stage, None)
if stage in ("fsync", "link"):
    setattr(os, stage, die)
elif stage == "after link":
    link = os.link
    os.link = lambda *a: (link(*a), die())
elif stage == "replace":
    Path.replace = die
PosixStore(root).put_back(key_of("s", "a.fits"), checksums(good), blocks)
"""


@pytest.mark.parametrize("before", [None, BAD])
@pytest.mark.parametrize("stage", ["write", "fsync", "link", "after link", "replace"])
def test_a_restore_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, stage: str, before: bytes | None
) -> None:
    path = stored(tmp_path, before)
    command = [sys.executable, "-c", KILLED, str(tmp_path), stage]
    ended = subprocess.run(command, input=GOOD, check=False, cwd=Path(__file__).parents[3])
    killed = ended.returncode == -signal.SIGKILL
    assert killed or (stage, before) == ("replace", None)  # nothing is replaced where nothing was
    assert not path.exists() or path.read_bytes() in (before, GOOD)  # never half of it
    again(tmp_path)
    assert path.read_bytes() == GOOD
    assert kept(tmp_path) == ([BAD] if before else [])


@pytest.mark.parametrize("before", [None, BAD])
def test_two_at_once_end_with_one_good_file_and_the_damaged_one_kept_once(
    tmp_path: Path, before: bytes | None
) -> None:
    path = stored(tmp_path, before)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(again, [tmp_path] * 16))
    assert path.read_bytes() == GOOD
    assert set(found) <= {"whole", "missing" if before is None else "damaged"}
    assert set(kept(tmp_path)) == ({BAD} if before else set())
    assert not list(path.parent.glob(".*.part"))

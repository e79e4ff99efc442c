"""A gzipped file unpacked: all its parts, no more than its limit."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from lake.errors import BadInput, Fatal, Reason
from lake.fits.windows import HELD, WINDOW, Content, Held, Lying, Unpacked, windows


def unpacked(packed: bytes, limit: int = 1 << 30) -> bytes:
    content = Unpacked(Held(packed), "f.gz", limit)
    size = content.reach(1 << 40)
    try:
        assert content.sha256 == hashlib.sha256(bytes(content.read(0, size))).hexdigest()
        return bytes(content.read(0, size))
    finally:
        content.close()


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 5000])
def test_parts_that_were_packed_one_by_one_are_one_file(parts: int, padding: int) -> None:
    """``cat a.gz b.gz``, and tapes that fill up with zeros."""
    wholes = [os.urandom(1000 + 7 * number) for number in range(parts)]
    packed = b"".join(gzip.compress(one) for one in wholes) + b"\0" * padding
    assert unpacked(packed) == b"".join(wholes)


def test_a_second_part_that_is_cut_off_is_missed() -> None:
    packed = gzip.compress(b"first") + gzip.compress(os.urandom(1000))[:-9]
    with pytest.raises(BadInput) as refusal:
        unpacked(packed)
    assert refusal.value.code is Reason.TRUNCATED


@pytest.mark.parametrize("before", [b"", gzip.compress(b"first")], ids=["alone", "after a part"])
@pytest.mark.parametrize(
    "strange", [b"no gzip at all", zlib.compress(b"packed in another way")], ids=["text", "zlib"]
)
def test_what_follows_a_part_and_is_none_is_damage(before: bytes, strange: bytes) -> None:
    with pytest.raises(BadInput) as refusal:
        unpacked(before + strange)
    assert refusal.value.code is Reason.CORRUPTED_DATA


@pytest.mark.parametrize(("size", "taken"), [(9_999, True), (10_000, True), (10_001, False)])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_limit_is_the_last_byte_that_is_taken(size: int, taken: bool, parts: int) -> None:
    content = b"x" * size
    cut = size // parts
    packed = gzip.compress(content[:cut]) + (gzip.compress(content[cut:]) if parts == 2 else b"")
    if taken:
        assert unpacked(packed, limit=10_000) == content
    else:
        with pytest.raises(BadInput, match="10000 bytes") as refusal:
            unpacked(packed, limit=10_000)
        assert refusal.value.code is Reason.TOO_LARGE


@pytest.mark.parametrize("size", [WINDOW - 1, WINDOW, WINDOW + 1, HELD + 1])
def test_what_is_longer_than_a_window_or_than_what_is_held_is_whole(size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    assert unpacked(gzip.compress(content, compresslevel=1)) == content


def lying(folder: Path, data: bytes) -> Lying:
    (folder / "f").write_bytes(data)
    return Lying((folder / "f").open("rb", buffering=0), len(data))


def held(_: Path, data: bytes) -> Held:
    return Held(data)


def in_memory(_: Path, data: bytes) -> Unpacked:
    return Unpacked(Held(gzip.compress(data)), "f.gz", 1 << 30)


def on_disk(folder: Path, data: bytes) -> Unpacked:
    """Unpacked with so little room in memory that all of it lies in the folder."""
    return Unpacked(Held(gzip.compress(data)), "f.gz", 1 << 30, folder)


KINDS = (held, lying, in_memory, on_disk)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_the_same_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path, bytes], Content]
) -> None:
    if kind is on_disk:
        monkeypatch.setattr("lake.fits.windows.HELD", 4)
    data = bytes(range(100))
    content = kind(tmp_path, data)
    assert [content.reach(end) for end in (0, 1, 99, 100, 101, 1 << 40)] == [0, 1, 99, 100, 100, 100]
    for start, size in ((0, 0), (0, 1), (3, 7), (99, 1), (0, 100)):
        assert bytes(content.read(start, size)) == data[start : start + size]
    for start, size in ((99, 2), (90, 1000), (100, 1), (200, 5)):
        assert bytes(content.read(start, size)) == data[start:], "fewer where they end"
    assert content.read(0, 9).readonly
    with content.opened() as file:
        assert file.read() == data
        file.seek(50)
        assert file.read(3) == data[50:53]
    with content.opened() as file:
        assert file.read(1) == data[:1], "each begins at the first byte"
    assert bytes(content.read(3, 7)) == data[3:10], "closing one of them leaves the bytes open"
    content.close()


def test_bytes_in_memory_are_given_back_when_they_are_closed() -> None:
    content = Held(b"abc")
    content.close()
    assert content.reach(3) == 0
    unpacked = in_memory(Path(), b"abc")
    assert bytes(unpacked.read(0, 3)) == b"abc"
    unpacked.close()
    assert bytes(unpacked.read(0, 3)) == b""


@pytest.mark.parametrize("kind", [lying, on_disk])
def test_a_file_that_was_open_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path, bytes], Content]
) -> None:
    monkeypatch.setattr("lake.fits.windows.HELD", 4)
    before = len(list(Path("/proc/self/fd").iterdir()))
    content = kind(tmp_path, b"abcdefgh")
    content.reach(8)
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    content.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_shrinks_or_grows_meanwhile_gives_what_there_is_of_what_counted(tmp_path: Path) -> None:
    content = lying(tmp_path, b"abcdefgh")
    with (tmp_path / "f").open("ab") as file:
        file.write(b"more")
    assert bytes(content.read(6, 9)) == b"gh"
    os.truncate(tmp_path / "f", 4)
    assert bytes(content.read(2, 6)) == b"cd"
    assert bytes(content.read(5, 2)) == b""
    content.close()


def test_a_kernel_that_gives_and_takes_a_few_bytes_at_a_time_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread, pwrite = os.pread, os.pwrite
    monkeypatch.setattr(os, "pread", lambda descriptor, size, start: pread(descriptor, min(size, 3), start))
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, start: pwrite(descriptor, data[:3], start))
    with tempfile.TemporaryFile(buffering=0) as file:
        content = Lying(file, 0)
        content.append(memoryview(b"abcdefgh"))
        content.append(memoryview(b"ij"))
        assert content.reach(99) == 10
        assert bytes(content.read(1, 8)) == b"bcdefghi"


@pytest.mark.parametrize(
    ("start", "end", "sizes"),
    [(0, 10, [4, 4, 2]), (0, 7, [4, 3]), (1, 9, [4, 4]), (3, 99, [4, 3]), (10, 12, [])],
)
def test_bytes_come_window_by_window_to_where_they_end(
    monkeypatch: pytest.MonkeyPatch, start: int, end: int, sizes: list[int]
) -> None:
    monkeypatch.setattr("lake.fits.windows.WINDOW", 4)
    found = [bytes(one) for one in windows(Held(b"abcdefghij"), start, end)]
    assert [len(one) for one in found] == sizes
    assert b"".join(found) == b"abcdefghij"[start:end]


@pytest.mark.parametrize(("size", "files"), [(4, 0), (5, 1)])
def test_what_is_more_than_is_held_goes_to_the_folder_under_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, files: int
) -> None:
    monkeypatch.setattr("lake.fits.windows.HELD", 4)
    made: list[object] = []
    genuine = tempfile.TemporaryFile

    def nameless(**options: Any) -> IO[bytes]:
        made.append(options["dir"])
        made_file: IO[bytes] = genuine(**options)
        return made_file

    monkeypatch.setattr(tempfile, "TemporaryFile", nameless)
    content = on_disk(tmp_path, b"abcdefgh"[:size])
    assert bytes(content.read(0, 9)) == b"abcdefgh"[:size]
    assert made == [tmp_path] * files
    assert list(tmp_path.iterdir()) == []
    content.close()


def test_no_more_is_unpacked_than_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.fits.windows.WINDOW", 64)
    data = os.urandom(1000)
    content = Unpacked(Held(gzip.compress(data, compresslevel=0)), "f.gz", 100)
    assert bytes(content.read(10, 20)) == data[10:30]
    with pytest.raises(BadInput, match="larger than it may be") as refusal:
        content.reach(200)
    assert (refusal.value.file, refusal.value.code) == ("f.gz", Reason.TOO_LARGE)
    assert refusal.value.found == "more than 100 bytes when unpacked"


@pytest.mark.parametrize("looked_at", [0, 10, 1000])
def test_the_sum_is_of_all_bytes_however_many_were_looked_at(
    monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr("lake.fits.windows.WINDOW", 64)
    data = os.urandom(1000)
    content = Unpacked(Held(gzip.compress(data)), "f.gz", 1000)
    content.reach(looked_at)
    assert content.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("end", range(1, 300, 7))
def test_less_than_a_window_is_unpacked_beyond_what_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, end: int
) -> None:
    monkeypatch.setattr("lake.fits.windows.WINDOW", 64)
    packed = gzip.compress(os.urandom(1000), compresslevel=0)
    assert Unpacked(Held(packed), "f.gz", end + 63).reach(end) == end


def test_a_disk_that_takes_no_more_is_told_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.fits.windows.HELD", 4)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Fatal, match=f"full: {tmp_path}"):
        on_disk(tmp_path, b"abcdefgh").reach(8)
    with pytest.raises(Fatal, match=f"full: {tempfile.gettempdir()}"):
        in_memory(tmp_path, b"abcdefgh").reach(8)


@pytest.mark.parametrize(
    ("cut", "code"), [(1, Reason.TRUNCATED), (9, Reason.TRUNCATED), (-1, Reason.TRUNCATED)]
)
def test_a_file_that_is_cut_off_is_told_with_the_bytes_there_were(cut: int, code: Reason) -> None:
    packed = gzip.compress(os.urandom(99))[:cut]
    with pytest.raises(BadInput) as refusal:
        unpacked(packed)
    assert (refusal.value.code, refusal.value.file) == (code, "f.gz")
    assert refusal.value.found == f"{len(packed)} bytes"

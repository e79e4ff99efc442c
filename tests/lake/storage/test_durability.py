"""What reaches the disk before a file gets its final name, and what happens where writing fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lake.checksums import checksums
from lake.errors import BadInput, Fatal, Retriable
from lake.storage import posix as storage
from lake.storage.posix import copy_verified, final_path, put_bytes, scan

Steps = list[tuple[str, str]]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """What the storage asks of the kernel, in order: the call, and whether it is about a file or a folder."""
    seen: Steps = []

    def kind_of(descriptor: int) -> str:
        return "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"  # noqa: PTH112

    def recorded(name: str, kind: Callable[..., str]) -> Callable[..., Any]:
        genuine = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            seen.append((name, kind(*arguments)))
            return genuine(*arguments, **options)

        return call

    monkeypatch.setattr(os, "write", recorded("write", lambda descriptor, _: kind_of(descriptor)))
    monkeypatch.setattr(os, "fsync", recorded("fsync", kind_of))
    monkeypatch.setattr(os, "link", recorded("link", lambda *_: "file"))
    return seen


def folder_of(root: Path) -> Path:
    """The folder of ``s:a.fits``, made beforehand so that a test sees only what the file itself asks for."""
    folder = final_path(root, "s", "a.fits").parent
    folder.mkdir(parents=True)
    return folder


def test_a_file_is_on_disk_before_it_has_its_name_and_its_name_before_it_counts(
    tmp_path: Path, steps: Steps
) -> None:
    folder_of(tmp_path)
    put_bytes(tmp_path, "s", "a.fits", b"abc")
    assert steps == [("write", "file"), ("fsync", "file"), ("link", "file"), ("fsync", "folder")]


def test_each_new_folder_is_on_disk_before_the_file_in_it_has_its_name(tmp_path: Path, steps: Steps) -> None:
    put_bytes(tmp_path, "s", "a.fits", b"abc")
    new_folders = 3  # the scope's, and two levels of the hash
    assert steps[:new_folders] == [("fsync", "folder")] * new_folders
    assert steps[new_folders:] == [
        ("write", "file"),
        ("fsync", "file"),
        ("link", "file"),
        ("fsync", "folder"),
    ]


def test_adopting_what_is_there_makes_its_name_last(tmp_path: Path, steps: Steps) -> None:
    put_bytes(tmp_path, "s", "a.fits", b"abc")
    steps.clear()
    assert put_bytes(tmp_path, "s", "a.fits", b"abc").adopted
    assert steps == [("fsync", "folder")]


def test_a_kernel_that_takes_a_few_bytes_at_a_time_gets_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, view: genuine(descriptor, view[:7]))
    content = os.urandom(1000)
    stored = put_bytes(tmp_path, "s", "a.fits", content)
    assert stored.path.read_bytes() == content
    assert stored.checksums == checksums(content)


@pytest.mark.parametrize(
    ("number", "root"), [(errno.EIO, Retriable), (errno.ENOSPC, Fatal), (errno.EDQUOT, Fatal)]
)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_what_could_not_be_written_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, root: type[Exception]
) -> None:
    folder = folder_of(tmp_path)

    def fails(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(root):
        put_bytes(tmp_path, "s", "a.fits", b"abc")
    assert list(folder.iterdir()) == []


def test_a_write_that_fails_after_some_bytes_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path)
    genuine, calls = os.write, iter(range(10))

    def fills_up(descriptor: int, view: memoryview) -> int:
        if next(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return genuine(descriptor, view[:5])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(Fatal, match="full"):
        put_bytes(tmp_path, "s", "a.fits", b"abc" * 100)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_files_longer_than_a_window_are_summed_and_copied_to_their_last_byte(
    tmp_path: Path, beyond: int
) -> None:
    (tmp_path / "rse").mkdir()
    content = os.urandom((1 << 22) + beyond)
    stored = put_bytes(tmp_path / "rse", "s", "a.fits", content)
    assert storage.sums_of(stored.path) == checksums(content)
    copy_verified(stored.path, tmp_path / "a.fits", stored.checksums, "s:a.fits")
    assert (tmp_path / "a.fits").read_bytes() == content


def test_a_difference_behind_the_first_window_is_seen(tmp_path: Path) -> None:
    (tmp_path / "rse").mkdir()
    content = bytearray(9 << 20)
    stored = put_bytes(tmp_path / "rse", "s", "a.fits", bytes(content))
    content[-1] = 1
    stored.path.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        copy_verified(stored.path, tmp_path / "a.fits", stored.checksums, "s:a.fits")
    assert not (tmp_path / "a.fits").exists()


def test_no_name_whatever_leads_out_of_the_storage(tmp_path: Path) -> None:
    """Whatever is accepted lies below the root; what is refused writes nothing anywhere."""
    root = tmp_path / "rse"
    root.mkdir()
    hostile = [
        "..",
        ".",
        "../a",
        "a/../../b",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a\0b",
        "-",
        ".part",
        "a..b",
        "~",
        "%2e%2e",
    ]
    for scope in ["s", *hostile]:
        for name in ["a.fits", *hostile]:
            try:
                path = put_bytes(root, scope, name, b"x").path
            except BadInput:
                continue
            assert path.resolve().is_relative_to(root.resolve())
    assert [path.name for path in tmp_path.iterdir()] == ["rse"]
    assert all(found.writer is None for found in scan(root))
    assert list(scan(root)), "nothing was accepted, so nothing was tried"

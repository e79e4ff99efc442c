"""What reaches the disk before a file gets its final name, and what happens where writing fails."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lake.checksums import checksums
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.storage import posix, store
from lake.storage.files import identity, storage_error
from lake.storage.store import LOST_AND_FOUND, PutBack, key_of
from tests.lake.storage.folder import (
    Put,
    copy_verified,
    final_path,
    is_whole,
    put_back,
    put_bytes,
    put_windows,
    scan,
    set_aside,
    sums_of,
)

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
    assert sums_of(stored.path) == checksums(content)
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


def windowed(root: Path, name: str = "a.fits") -> Put:
    """Bytes published in parts, one of them empty."""
    parts: list[bytes | memoryview] = [b"a", memoryview(b"bc"), b"", b"def"]
    return put_windows(root, "s", name, parts, checksums(b"abcdef"))


def test_what_is_published_in_parts_is_on_disk_before_it_has_its_name(tmp_path: Path, steps: Steps) -> None:
    folder_of(tmp_path)
    stored = windowed(tmp_path)
    assert (stored.path.read_bytes(), stored.checksums, stored.adopted) == (
        b"abcdef",
        checksums(b"abcdef"),
        False,
    )
    assert steps == [("write", "file")] * 3 + [("fsync", "file"), ("link", "file"), ("fsync", "folder")]
    assert windowed(tmp_path).adopted


def test_parts_that_are_not_what_they_were_are_refused_and_nothing_stays(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with pytest.raises(BadInput, match="changed while it was read") as refusal:
        put_windows(tmp_path, "s", "a.fits", [b"abc", b"deg"], checksums(b"abcdef"))
    assert (refusal.value.code, refusal.value.file) == (Reason.UNREADABLE, "s:a.fits")
    assert list(folder.iterdir()) == []


def test_a_file_is_put_back_when_it_is_on_disk_and_what_it_replaces_is_kept_before(
    tmp_path: Path, steps: Steps
) -> None:
    path = folder_of(tmp_path) / "a.fits"

    def put_back_again() -> tuple[Steps, PutBack]:
        steps.clear()
        found = put_back(tmp_path, "s", "a.fits", checksums(b"abc"), lambda: [b"a", b"bc"])
        assert path.read_bytes() == b"abc"
        return steps, found

    written = [("write", "file")] * 2 + [("fsync", "file")]
    linked = [("link", "file"), ("fsync", "folder")]
    assert put_back_again() == (written + linked, PutBack("missing"))
    assert put_back_again() == ([("fsync", "folder")], PutBack("whole"))
    path.write_bytes(b"abx")
    kept = f"{LOST_AND_FOUND}/{key_of('s', 'a.fits')}"
    did, found = put_back_again()
    assert found == PutBack("damaged", kept)
    assert [one for one in did if one[0] != "fsync"] == [*written[:2], ("link", "file")]
    assert did.index(("fsync", "file")) < did.index(("link", "file"))
    assert did[-3:] == [("link", "file"), ("fsync", "folder"), ("fsync", "folder")]
    assert (tmp_path / kept).read_bytes() == b"abx"


def test_setting_aside_is_on_disk_in_both_folders(tmp_path: Path, steps: Steps) -> None:
    path = key_of("s", "a.fits")
    kept = tmp_path / LOST_AND_FOUND / path
    kept.parent.mkdir(parents=True)
    (folder_of(tmp_path) / "a.fits").write_bytes(b"abc")
    assert set_aside(tmp_path, path) == kept
    assert steps == [("link", "file"), ("fsync", "folder"), ("fsync", "folder")]
    with pytest.raises(BadInput) as gone:
        set_aside(tmp_path, path)
    assert (gone.value.code, gone.value.file) == (Reason.MISSING_FILE, str(tmp_path / path))


def test_what_is_set_aside_is_numbered_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posix, "_NAMESAKES", 3)
    path, folder = key_of("s", "a.fits"), folder_of(tmp_path)
    names = []
    for content in (b"1", b"2", b"3"):
        (folder / "a.fits").write_bytes(content)
        names.append(set_aside(tmp_path, path).name)
    assert names == ["a.fits", "a.fits.1", "a.fits.2"]
    (folder / "a.fits").write_bytes(b"4")
    with pytest.raises(Fatal, match=r"is full of a\.fits"):
        set_aside(tmp_path, path)
    assert (folder / "a.fits").read_bytes() == b"4"


def test_a_storage_that_is_not_mounted_is_not_repaired(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="Mount it"):
        put_back(tmp_path / "absent", "s", "a.fits", checksums(b"abc"), lambda: [b"abc"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "root"), [(errno.EIO, Retriable), (errno.ENOSPC, Fatal), (errno.EDQUOT, Fatal)]
)
@pytest.mark.parametrize("before", [None, b"abx"])
def test_what_could_not_be_put_back_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None, number: int, root: type[Exception]
) -> None:
    path = folder_of(tmp_path) / "a.fits"
    if before is not None:
        path.write_bytes(before)

    def fails(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(root):
        put_back(tmp_path, "s", "a.fits", checksums(b"abc"), lambda: [b"abc"])
    assert [one.name for one in path.parent.iterdir()] == ([] if before is None else ["a.fits"])
    assert (path.read_bytes() if before else None) == before


@pytest.mark.parametrize(
    ("number", "root"),
    [
        *((getattr(errno, name), Retriable) for name in ("EIO", "ESTALE", "EAGAIN", "EBUSY", "ETIMEDOUT")),
        *((getattr(errno, name), Retriable) for name in ("EINTR", "ENFILE")),
        *((getattr(errno, name), Fatal) for name in ("ENOSPC", "EACCES", "EROFS", "EDQUOT")),
    ],
)
def test_what_may_pass_is_told_from_what_somebody_has_to_mend(number: int, root: type[Exception]) -> None:
    error = storage_error(OSError(number, os.strerror(number)), Path("/rse/a.fits"))
    assert type(error) is root
    assert "/rse/a.fits" in str(error)
    assert ("full" in str(error)) == (number == errno.ENOSPC)
    assert (os.strerror(number) in str(error)) != (number == errno.ENOSPC)
    assert ("mounted" in str(error)) == (number == errno.EROFS)
    assert "broken" in str(storage_error(OSError("broken"), Path("/rse/a.fits")))


def test_the_longest_name_is_stored_put_back_and_copied(tmp_path: Path) -> None:
    name, root = "a" * 250, tmp_path / "rse"
    root.mkdir()
    stored = put_bytes(root, "s", name, b"abc")
    windowed(root, "b" * 250)
    stored.path.unlink()
    assert put_back(root, "s", name, stored.checksums, lambda: [b"abc"]).found == "missing"
    copy_verified(stored.path, tmp_path / ("c" * 255), stored.checksums, "s:a")
    assert (tmp_path / ("c" * 255)).read_bytes() == b"abc"


def test_files_are_for_all_to_read_and_for_their_owner_to_write(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = [put_bytes(tmp_path, "s", "a.fits", b"abc").path, windowed(tmp_path, "b.fits").path]
        put_back(tmp_path, "s", "c.fits", checksums(b"abc"), lambda: [b"abc"])
    finally:
        os.umask(before)
    paths.append(final_path(tmp_path, "s", "c.fits"))
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o644] * 3


def test_no_file_stays_open_and_a_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of no folder's paths, but how many
    for name in ("a.fits", "b.fits", "c.fits"):
        put_bytes(tmp_path, "s", name, b"abc")
        set_aside(tmp_path, key_of("s", name))
        windowed(tmp_path, name)
        shutil.rmtree(tmp_path / "s")
        assert put_back(tmp_path, "s", name, checksums(b"abc"), lambda: [b"abc"]) == PutBack("missing")
        assert final_path(tmp_path, "s", name).read_bytes() == b"abc"
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_file_is_whole_when_it_has_each_registered_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(b"abc")
    assert is_whole(path, checksums(b"abc")) is True
    assert is_whole(path, checksums(b"abd")) is False
    assert is_whole(path, checksums(b"abcd")) is False
    assert is_whole(path, checksums(b"abc")._replace(size=4)) is False
    assert is_whole(tmp_path / "absent", checksums(b"abc")) is False


def test_a_file_is_known_again_and_told_from_one_in_its_place(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    for one in (path, other):
        one.write_bytes(b"abc")
    before = identity(path)
    assert before == (path.stat().st_dev, path.stat().st_ino)
    path.write_bytes(b"changed")
    assert identity(path) == before
    other.replace(path)
    assert identity(path) not in (None, before)
    assert identity(other) is None


def test_a_copy_is_given_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "rse.fits", tmp_path / "out" / "a.fits"
    target.parent.mkdir()
    with pytest.raises(BadInput, match="is lost") as refusal:
        copy_verified(source, target, checksums(b"abc"), "s:a.fits")
    assert (refusal.value.code, refusal.value.found) == (Reason.CORRUPTED_DATA, "no bytes")
    source.write_bytes(b"abd")
    with pytest.raises(BadInput, match=r"s:a\.fits cannot be given out: its stored copy is damaged"):
        copy_verified(source, target, checksums(b"abc"), "s:a.fits")
    with pytest.raises(Fatal, match="refuses"):
        sums_of(tmp_path)
    with pytest.raises(Fatal, match="refuses"):
        copy_verified(tmp_path, target, checksums(b"abc"), "s:a.fits")
    assert list(target.parent.iterdir()) == []


def test_a_scan_tells_files_from_leftovers_and_passes_over_the_lost_and_found(tmp_path: Path) -> None:
    stored = put_bytes(tmp_path, "s", "a.fits", b"abc").path
    put_bytes(tmp_path, "t", "b.fits", b"abcd")
    leftover = stored.with_name(".a.fits.4711.0123abcd.part")
    leftover.write_bytes(b"ab")
    set_aside(tmp_path, put_bytes(tmp_path, "s", "c.fits", b"x").path.relative_to(tmp_path).as_posix())
    found = {one.path: one for one in scan(tmp_path)}
    assert {path: (one.size, one.writer) for path, one in found.items()} == {
        key_of("s", "a.fits"): (3, None),
        key_of("t", "b.fits"): (4, None),
        leftover.relative_to(tmp_path).as_posix(): (2, 4711),
    }
    assert found[key_of("s", "a.fits")].modified == stored.stat().st_mtime
    below = scan(tmp_path, store.scope_key("t"))
    assert [one.path for one in below] == [key_of("t", "b.fits")]


def test_a_scope_has_a_folder_and_users_and_groups_one_below_that_of_all() -> None:
    assert store.scope_key("s.t") == "s.t"
    assert store.scope_key("user.ada") == "user/ada"
    assert store.scope_key("group.hi") == "group/hi"
    assert key_of("s.t", "a.fits").startswith("s.t/")
    assert key_of("s", "a.fits") == "s/b1/3d/a.fits"


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

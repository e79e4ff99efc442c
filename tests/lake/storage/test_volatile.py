"""What runs keep for themselves: read as it was written or not at all, and gone with its run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lake.errors import Fatal
from lake.storage import volatile
from lake.storage.posix import scan
from lake.storage.volatile import NotKept


def test_a_value_comes_back_as_it_was(tmp_path: Path) -> None:
    volatile.begin(tmp_path, "run")
    value = {"sums": np.arange(1000.0).reshape(10, 100), "names": frozenset({"a", "b"})}
    kept = volatile.keep(tmp_path, "run", "partial", value)
    found = volatile.kept(tmp_path, "run", kept)
    np.testing.assert_array_equal(found["sums"], value["sums"])
    assert found["names"] == value["names"]


def test_two_that_make_the_same_do_not_take_each_others_away(tmp_path: Path) -> None:
    volatile.begin(tmp_path, "run")
    first, second = (volatile.keep(tmp_path, "run", "partial", number) for number in (1, 2))
    volatile.drop(tmp_path, "run", second.name)
    assert volatile.kept(tmp_path, "run", first) == 1


@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_what_is_not_as_it_was_written_is_not_read(tmp_path: Path, how: str) -> None:
    volatile.begin(tmp_path, "run")
    kept = volatile.keep(tmp_path, "run", "partial", b"x" * 1000)
    path = volatile.folder(tmp_path, "run") / kept.name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-9] + b"y" * 9 if how == "changed" else content[:-9])
    with pytest.raises(NotKept, match="run run"):
        volatile.kept(tmp_path, "run", kept)


def test_a_run_that_ended_is_given_nothing_more(tmp_path: Path) -> None:
    volatile.begin(tmp_path, "run")
    volatile.keep(tmp_path, "run", "partial", 1)
    volatile.drop_all(tmp_path, "run")
    with pytest.raises(NotKept):
        volatile.keep(tmp_path, "run", "late", 2)
    assert list(volatile.runs_with_something_kept(tmp_path)) == []


def test_each_run_is_told_with_its_bytes_and_none_is_taken_for_stored_data(tmp_path: Path) -> None:
    for run in ("one", "two"):
        volatile.begin(tmp_path, run)
    volatile.keep(tmp_path, "one", "partial", b"x" * 1000)
    sizes = dict(volatile.runs_with_something_kept(tmp_path))
    assert sizes["one"] > 1000
    assert sizes["two"] == 0
    assert list(scan(tmp_path)) == []


def test_a_storage_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Fatal, match="storage"):
        volatile.begin(tmp_path / "file", "run")

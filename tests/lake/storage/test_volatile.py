"""What runs keep for themselves: read as it was written or not at all, and gone with its run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lake.errors import Fatal
from lake.storage import volatile
from lake.storage.posix import PosixStore
from lake.storage.store import Store
from lake.storage.volatile import NotKept
from tests.stored import remove, write


def test_a_value_comes_back_as_it_was(store: Store) -> None:
    volatile.begin(store, "run")
    value = {"sums": np.arange(1000.0).reshape(10, 100), "names": frozenset({"a", "b"})}
    kept = volatile.keep(store, "run", "partial", value)
    found = volatile.kept(store, "run", kept)
    np.testing.assert_array_equal(found["sums"], value["sums"])
    assert found["names"] == value["names"]


def test_two_that_make_the_same_do_not_take_each_others_away(store: Store) -> None:
    volatile.begin(store, "run")
    first, second = (volatile.keep(store, "run", "partial", number) for number in (1, 2))
    volatile.drop(store, "run", second.name)
    assert volatile.kept(store, "run", first) == 1


@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_what_is_not_as_it_was_written_is_not_read(store: Store, how: str) -> None:
    volatile.begin(store, "run")
    kept = volatile.keep(store, "run", "partial", b"x" * 1000)
    key = volatile.key("run", kept.name)
    content = store.read(key)
    if how == "gone":
        remove(store, key)
    else:
        write(store, key, content[:-9] + b"y" * 9 if how == "changed" else content[:-9])
    with pytest.raises(NotKept, match="run run"):
        volatile.kept(store, "run", kept)


def test_a_run_that_ended_is_given_nothing_more(store: Store) -> None:
    volatile.begin(store, "run")
    volatile.keep(store, "run", "partial", 1)
    volatile.drop_all(store, "run")
    with pytest.raises(NotKept):
        volatile.keep(store, "run", "late", 2)
    assert list(volatile.runs_with_something_kept(store)) == []


def test_each_run_is_told_with_its_bytes_and_none_is_taken_for_stored_data(store: Store) -> None:
    for run in ("one", "two"):
        volatile.begin(store, run)
    volatile.keep(store, "one", "partial", b"x" * 1000)
    sizes = dict(volatile.runs_with_something_kept(store))
    assert sizes["one"] > 1000
    assert sizes["two"] == 0
    assert list(store.scan()) == []


def test_a_storage_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Fatal, match="storage"):
        volatile.begin(PosixStore(tmp_path / "file"), "run")

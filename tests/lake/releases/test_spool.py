"""A release is published in batches: how much memory that takes does not depend on how many files it has."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import pytest

from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import publishing, spool
from lake.releases.drafts import reserve
from lake.releases.releases import active_files, publish
from lake.releases.spool import Spool
from lake.rucio.client import RucioClient
from tests.lake.conftest import MakeFiles


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7])
def test_what_is_added_comes_back_in_its_order_as_often_as_is_wanted(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_TOGETHER", 3)
    with Spool[tuple[int, str]]() as kept:
        wanted = [(one, f"text {one}") for one in range(number)]
        for one in wanted:
            kept.add(one)
        assert len(kept) == number
        assert list(kept) == wanted
        assert list(zip(kept, kept, strict=True)) == [(one, one) for one in wanted]


def alive() -> int:
    """How many files are in memory as objects."""
    return sum(isinstance(one, FileEntry) for one in gc.get_objects())


@pytest.mark.parametrize("number", [50, 150])
def test_of_a_release_that_is_published_only_a_few_batches_are_in_memory(
    lake: Lake, scope: str, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    batch = 10
    monkeypatch.setattr(publishing, "_MANY", batch)
    monkeypatch.setattr(spool, "_TOGETHER", batch)
    attach, seen = RucioClient.attach_files, list[int]()
    before = alive()

    def note(rucio: RucioClient, scope: str, dataset: str, files: Sequence[Any], rse: str | None) -> None:
        seen.append(alive() - before)
        attach(rucio, scope, dataset, files, rse)

    monkeypatch.setattr(RucioClient, "attach_files", note)
    product = ProductKey(scope, "o", "1")
    with Spool[FileEntry]() as files:
        for one in range(number):
            files.add(make_files(f"f{one:04d}.fits", level="1", unit=True)[0])
        release = publish(lake, reserve(lake, product, "k"), files)
    assert release["files"] == len(active_files(lake, product)) == number
    assert len(seen) == number / batch
    assert max(seen) <= 3 * batch


def test_a_release_counts_what_came_in_several_batches(
    lake: Lake, scope: str, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_MANY", 2)
    files = make_files(*(f"f{one}.fits" for one in range(5)))
    release = publish(lake, reserve(lake, ProductKey(scope, "o", "0"), "k"), files)
    assert (release["files"], release["bytes"]) == (5, sum(file.size for file in files))
    assert release["date_beg"] == "2020-01-01T00:00:00.000Z"
    assert release["date_end"] == "2020-01-01T04:01:00.000Z"

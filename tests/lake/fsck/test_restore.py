"""Lost bytes come back from any copy of them, and Rucio learns of it; nothing else is touched."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.home.home import Home
from lake.fsck.compare import fsck
from lake.fsck.restore import Ending, Registered, Restored, Restorer, mend_replicas, restore_from
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.storage.store import LOST_AND_FOUND
from tests import stored
from tests.lake.conftest import MakeFiles
from tests.within_rucio import call_replica


@pytest.fixture
def published(lake: Lake, scope: str, make_files: MakeFiles) -> list[Registered]:
    """Two files of a published release."""
    entries = make_files(f"{scope}_a.fits", f"{scope}_b.fits")
    publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), entries)
    return [Registered(entry.scope, entry.name, entry.checksums) for entry in entries]


@pytest.fixture
def copy(lake: Lake, published: list[Registered], tmp_path: Path) -> Path:
    """A copy of the first file under a name of its own."""
    target = tmp_path / "called_otherwise.dat"
    target.write_bytes(path_of(lake, published[0]).read_bytes())
    return target


def path_of(lake: Lake, file: Registered) -> Path:
    return stored.path_of(lake, file.scope, file.name)


def only(found: list[Restored]) -> Restored:
    (one,) = found
    return one


def kinds(lake: Lake, scope: str, **options: Any) -> set[str]:
    return {row["kind"] for row in fsck(lake, scopes=[scope], **options)["differences"]}


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.5)


def test_missing_bytes_come_back_from_a_copy_of_any_name(
    lake: Lake, published: list[Registered], copy: Path
) -> None:
    path_of(lake, published[0]).unlink()
    assert kinds(lake, published[0].scope) == {"missing-bytes"}
    found = only(restore_from(lake, copy))
    assert (found.ending, found.file) == (Ending.RESTORED, published[0])
    assert "missing" in found.reason
    assert kinds(lake, published[0].scope, deep=True) == set()


def test_damaged_bytes_are_replaced_and_kept(lake: Lake, published: list[Registered], copy: Path) -> None:
    path = path_of(lake, published[0])
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    damaged = path.read_bytes()
    found = only(restore_from(lake, copy))
    assert found.kept == lake.store.place(f"{LOST_AND_FOUND}/{published[0].key}")
    assert Path(found.kept).read_bytes() == damaged
    assert kinds(lake, published[0].scope, deep=True) == set()


@pytest.mark.parametrize("members", [1, 2])
def test_a_gzipped_copy_serves_as_well(
    lake: Lake, published: list[Registered], copy: Path, tmp_path: Path, members: int
) -> None:
    content = copy.read_bytes()
    middle = len(content) // members
    packed = tmp_path / f"{published[0].name}.gz"
    packed.write_bytes(gzip.compress(content[:middle]) + gzip.compress(content[middle:]))
    path_of(lake, published[0]).unlink()
    assert only(restore_from(lake, packed)).ending is Ending.RESTORED
    assert path_of(lake, published[0]).read_bytes() == content


def test_a_file_that_unpacks_to_more_than_any_registered_one_is_not_unpacked_to_its_end(
    lake: Lake, published: list[Registered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Restorer, "_largest", 1000)
    bomb = tmp_path / "zeros.gz"
    bomb.write_bytes(gzip.compress(bytes(100_000_000)))
    given = 0

    def count(blocks: Any) -> Any:
        nonlocal given
        for block in blocks:
            given += len(block)
            yield block

    from lake.fsck import restore

    real = restore._sums
    monkeypatch.setattr(restore, "_sums", lambda blocks: real(count(blocks)))
    assert only(restore_from(lake, bomb)).ending is Ending.UNKNOWN
    assert given < 20_000_000


def test_what_is_whole_is_left_alone_and_its_copy_not_even_read(
    lake: Lake, published: list[Registered], tmp_path: Path
) -> None:
    path = path_of(lake, published[0])
    before = path.stat()
    copy = tmp_path / published[0].name
    copy.write_bytes(b"?" * published[0].checksums.size)
    copy.chmod(0)
    assert only(restore_from(lake, copy)).ending is Ending.WHOLE
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_bytes_that_are_registered_nowhere_are_told_and_change_nothing(
    lake: Lake, published: list[Registered], tmp_path: Path
) -> None:
    path_of(lake, published[0]).unlink()
    stranger = tmp_path / "stranger.fits"
    stranger.write_bytes(b"never seen")
    found = only(restore_from(lake, stranger))
    assert (found.ending, found.file) == (Ending.UNKNOWN, None)
    assert "ingest" in found.advice
    same_name = tmp_path / published[0].name
    same_name.write_bytes(b"?" * published[0].checksums.size)
    found = only(restore_from(lake, same_name))
    assert found.ending is Ending.UNKNOWN
    assert published[0].did in found.reason
    assert kinds(lake, published[0].scope, deep=True) == {"missing-bytes"}


def test_a_dry_run_says_what_it_would_do(lake: Lake, published: list[Registered], copy: Path) -> None:
    path_of(lake, published[0]).unlink()
    assert only(restore_from(lake, copy, dry_run=True)).ending is Ending.RESTORED
    assert kinds(lake, published[0].scope) == {"missing-bytes"}


def test_rucio_learns_that_replicas_it_calls_unavailable_are_good_and_its_rule_goes_on(
    lake: Lake, published: list[Registered], home: Home
) -> None:
    file = published[0]
    call_replica(home, file.scope, file.name, "U")
    assert kinds(lake, file.scope) == {"replica-state", "rule-state"}
    assert mend_replicas(lake, published, dry_run=True) == [file.did]
    assert mend_replicas(lake, published) == [file.did]
    assert mend_replicas(lake, published) == []
    wait_for(lambda: kinds(lake, file.scope) == set(), "the rule to be OK")


def test_a_lost_file_keeps_its_place_in_its_release_until_it_is_restored(
    lake: Lake, published: list[Registered], copy: Path, home: Home
) -> None:
    """Rucio's own necromancer would take it out of the closed dataset, where nothing gets in again."""
    file = published[0]
    path_of(lake, file).unlink()
    call_replica(home, file.scope, file.name, "bad", "its bytes are gone")
    log = home.log / "rucio-daemons.log"
    wait_for(
        lambda: file.name in log.read_text() or "dataset-content" in kinds(lake, file.scope),
        "the necromancer to look at the file",
    )
    assert kinds(lake, file.scope) == {"missing-bytes", "replica-state"}
    assert only(restore_from(lake, copy)).ending is Ending.RESTORED
    assert mend_replicas(lake, [file]) == [file.did]
    assert kinds(lake, file.scope, deep=True) == set()

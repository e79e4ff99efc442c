"""Each way in which storage, Rucio and catalogue can disagree is named, and repaired where that is safe."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from lake.catalogue.models import File, ReleaseFile
from lake.catalogue.session import transaction
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import REDUCTION, Finished, UnitSpec
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.rucio.client import RucioClient
from lake.storage.store import LOST_AND_FOUND, key_of
from tests.lake.conftest import MakeFiles
from tests.stored import path_of, path_of_key


@pytest.fixture
def product(lake: Lake, scope: str, make_files: MakeFiles) -> ProductKey:
    """A published release of two files."""
    key = ProductKey(scope, "obs", "0")
    publish(lake, reserve(lake, key, "k"), make_files("a.fits", "b.fits"))
    return key


def differences(lake: Lake, mark: str, **options: Any) -> dict[str, dict[str, Any]]:
    """The differences that concern a scope or name, by kind; the lake is shared with other tests."""
    report = fsck(lake, scopes=[mark.partition(":")[0]], **options)
    return {row["kind"]: row for row in report["differences"] if mark in f"{row['did']} {row['detail']}"}


def age(path: Path) -> None:
    """Make a file old enough to be a leftover."""
    past = time.time() - 90_000
    os.utime(path, (past, past))


def dead_pid() -> int:
    """Pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_sound_lake_has_no_differences_even_when_all_bytes_are_read(
    lake: Lake, product: ProductKey
) -> None:
    report = fsck(lake, scopes=[product.scope], deep=True)
    assert not [row for row in report["differences"] if product.scope in row["did"]]
    assert report["checked"] == {
        "stored": 2,
        "files": 2,
        "replicas": 2,
        "datasets": 1,
        "releases": 1,
        "deep": True,
    }


def test_all_scopes_are_looked_at_unless_some_are_named(lake: Lake, product: ProductKey) -> None:
    path_of(lake, product.scope, "a.fits").unlink()
    missing = {row["did"] for row in fsck(lake)["differences"] if row["kind"] == "missing-bytes"}
    assert f"{product.scope}:a.fits" in missing
    assert fsck(lake, scopes=["another"])["checked"]["stored"] == 0


def test_a_half_written_file_of_a_dead_writer_is_named_and_removed(lake: Lake, product: ProductKey) -> None:
    pid = dead_pid()
    part = path_of(lake, product.scope, "a.fits").with_name(f".{product.scope}.{pid}.0123abcd.part")
    part.write_bytes(b"half")
    found = differences(lake, product.scope)
    assert str(pid) in found["leftover-part"]["detail"]
    assert differences(lake, product.scope, repair=True)["leftover-part"]["repaired"]
    assert not part.exists()
    assert differences(lake, product.scope) == {}


def test_a_half_written_file_of_a_living_writer_is_left_alone(lake: Lake, product: ProductKey) -> None:
    part = path_of(lake, product.scope, "a.fits").with_name(f".{product.scope}.{os.getpid()}.0123abcd.part")
    part.write_bytes(b"half")
    assert differences(lake, product.scope, repair=True) == {}
    part.unlink()


def test_bytes_that_nothing_knows_are_moved_aside_when_they_are_old(lake: Lake, product: ProductKey) -> None:
    stored = lake.store.put(key_of(product.scope, "lost.fits"), b"lost")
    assert differences(lake, product.scope)["orphan-bytes"]["repairable"] is False
    age(path_of_key(lake, stored.key))
    assert differences(lake, product.scope, repair=True)["orphan-bytes"]["repaired"]
    assert lake.store.read(f"{LOST_AND_FOUND}/{stored.key}") == b"lost"
    assert differences(lake, product.scope) == {}


def test_bytes_of_an_unfinished_release_are_named_and_never_moved(lake: Lake, product: ProductKey) -> None:
    draft = reserve(lake, ProductKey(product.scope, "obs", "1"), "k")
    stored = lake.store.put(key_of(product.scope, "a.l1.v0001.fits"), b"done, not published")
    age(path_of_key(lake, stored.key))
    found = differences(lake, product.scope, repair=True)
    assert not found["orphan-bytes"]["repairable"]
    assert found["abandoned-draft"]["did"] == f"{product.scope}:{draft.dataset}"
    assert lake.store.stat(stored.key)


def test_an_abandoned_draft_is_discarded_once_it_is_old(lake: Lake, product: ProductKey) -> None:
    draft = reserve(lake, ProductKey(product.scope, "obs", "1"), "k")
    assert not differences(lake, product.scope)["abandoned-draft"]["repairable"]
    with transaction(lake.sessions) as session:
        session.execute(
            text("UPDATE release SET created = created - interval '1 day' WHERE id = :id"),
            {"id": draft.release_id},
        )
    assert differences(lake, product.scope, repair=True)["abandoned-draft"]["repaired"]
    assert differences(lake, product.scope) == {}


def test_missing_bytes_are_named(lake: Lake, product: ProductKey) -> None:
    path_of(lake, product.scope, "a.fits").unlink()
    assert differences(lake, product.scope)["missing-bytes"]["did"] == f"{product.scope}:a.fits"


def test_bytes_of_another_size_are_named_at_once_and_of_the_same_size_by_reading(
    lake: Lake, product: ProductKey
) -> None:
    path = path_of(lake, product.scope, "a.fits")
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"!")
    assert differences(lake, product.scope) == {}
    assert set(differences(lake, product.scope, deep=True)) == {"wrong-bytes"}
    path.write_bytes(good + b"!")
    assert set(differences(lake, product.scope)) == {"size-mismatch"}


def test_a_crash_between_rucio_and_catalogue_is_named_and_cured_by_publishing_again(
    lake: Lake, scope: str, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_files("a.fits")
    draft = reserve(lake, ProductKey(scope, "obs", "0"), "k")
    with monkeypatch.context() as patch:
        patch.setattr("lake.releases.publishing.into_catalogue", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(lake, draft, files)
    found = differences(lake, scope, repair=True, grace_seconds=0)
    assert set(found) == {"not-in-catalogue", "abandoned-draft"}
    assert not any(row["repairable"] for row in found.values())
    publish(lake, draft, files)
    assert differences(lake, scope) == {}


def test_a_file_that_rucio_lost_is_named(lake: Lake, product: ProductKey) -> None:
    with transaction(lake.sessions) as session:
        file = File(scope=product.scope, name="c.fits", level="0", stem="c", size=1, adler32="0", sha256="0")
        session.add(file)
    found = differences(lake, f"{product.scope}:c.fits")
    assert set(found) == {"missing-bytes", "not-in-rucio"}
    with transaction(lake.sessions) as session:
        session.execute(delete(File).where(File.scope == product.scope, File.name == "c.fits"))


def test_a_dataset_that_holds_other_files_than_the_release_is_named(lake: Lake, product: ProductKey) -> None:
    with transaction(lake.sessions) as session:
        file_id = session.query(File.id).filter(File.scope == product.scope, File.name == "b.fits").scalar()
        session.execute(delete(ReleaseFile).where(ReleaseFile.file_id == file_id))
    assert "1 files too many, 0 missing" in differences(lake, product.scope)["dataset-content"]["detail"]


def test_checksums_that_differ_are_named(lake: Lake, product: ProductKey) -> None:
    with transaction(lake.sessions) as session:
        session.execute(
            update(File).where(File.scope == product.scope, File.name == "a.fits").values(adler32="0" * 8)
        )
    assert set(differences(lake, product.scope)) == {"checksum-mismatch"}


@pytest.mark.parametrize(
    ("skipped", "kinds"),
    [
        ("ensure_locked_rule", {"no-rule"}),
        ("attach_dataset", {"not-in-container"}),
        ("close", {"dataset-open"}),
    ],
)
def test_what_a_broken_publication_left_out_is_repaired(
    lake: Lake,
    scope: str,
    make_files: MakeFiles,
    monkeypatch: pytest.MonkeyPatch,
    skipped: str,
    kinds: set[str],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RucioClient, skipped, lambda *_: None)
        publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), make_files("a.fits"))
    assert set(differences(lake, scope)) == kinds
    assert all(row["repaired"] for row in differences(lake, scope, repair=True).values())
    assert differences(lake, scope) == {}


def test_a_dataset_that_is_no_release_is_named(lake: Lake, scope: str) -> None:
    lake.rucio.ensure_scope(scope)
    lake.rucio.ensure_dataset(scope, "somebody.elses")
    assert set(differences(lake, scope)) == {"unknown-dataset"}


def dead_owner() -> str:
    """A process that was."""
    process = subprocess.run(
        [sys.executable, "-c", "from lake.ledger.owners import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.strip()


def test_a_run_whose_process_died_when_nothing_was_left_is_ended(lake: Lake, scope: str) -> None:
    """Its executors live on, and do what is left."""
    run = Run.create(lake, scope, {}, "r", [UnitSpec(scope, "p")], dead_owner())
    mine = Run(lake, run.id, this_process())
    mine.claim(1)
    mine.finish([Finished(scope, "done")])
    assert "nothing is left" in differences(lake, run.id)["unfinished-run"]["detail"]
    assert differences(lake, run.id, repair=True)["unfinished-run"]["repaired"]
    assert run.status() == "done"
    assert differences(lake, run.id) == {}


@pytest.mark.parametrize("what", ["reduction", "draft"])
def test_a_run_that_has_something_to_make_of_its_units_is_not_ended(
    lake: Lake, scope: str, what: str
) -> None:
    """A reference, or a release that was begun: whoever goes on with the run makes it of what is done."""
    recipe = f"{REDUCTION}dark" if what == "reduction" else "r"
    run = Run.create(lake, scope, {}, recipe, [UnitSpec(scope, "p")], dead_owner())
    mine = Run(lake, run.id, this_process())
    mine.claim(1)
    mine.finish([Finished(scope, "done")])
    if what == "draft":
        reserve(lake, ProductKey(scope, "obs", "1"), run.id)
    command = "reduce" if what == "reduction" else "process"
    found = differences(lake, run.id, repair=True)["unfinished-run"]
    assert (f"heliolake {command} --run {run.id}" in found["detail"], found["repairable"]) == (True, False)
    assert run.status() == "running"
    run.end("done")


def test_leases_and_runs_of_a_dead_process_are_named_and_its_units_freed(lake: Lake, scope: str) -> None:
    owner = dead_owner()
    run = Run.create(lake, scope, {}, "r", [UnitSpec(scope, "p")], owner)
    run.claim(1)
    assert f"--run {run.id}" in differences(lake, run.id)["unfinished-run"]["detail"]
    assert differences(lake, owner, repair=True)["dead-lease"]["repaired"]
    assert run.counts()["planned"] == 1
    Run(lake, run.id, this_process()).adopt()
    assert differences(lake, run.id) == {}
    run.end("done")

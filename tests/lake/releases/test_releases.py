"""Releases are published in one order, whole or not visibly, and cured by publishing again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lake.catalogue.session import transaction
from lake.config import LakeConfig
from lake.entries import FileEntry
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.lake import Lake
from lake.ledger.results import results
from lake.names import ProductKey
from lake.releases import publishing, releases, search
from lake.releases.drafts import Provenance, content_key, discard, reserve
from lake.releases.finding import Wanted
from lake.releases.releases import active_files, extend, find_by_key, publish
from lake.releases.twins import twins
from lake.rucio.client import RucioClient
from tests.lake.conftest import MakeFiles
from tests.stored import path_of


@pytest.fixture
def product(scope: str) -> ProductKey:
    """A product no other test uses."""
    return ProductKey(scope, "obs", "1")


def assert_published(lake: Lake, product: ProductKey, version: int, names: list[str]) -> None:
    """Rucio and the catalogue both have the release: closed, in its container, held by a locked rule."""
    dataset = f"{product.observation}.l1.v{version:04d}"
    state = lake.rucio.collection(product.scope, dataset)
    assert state is not None
    assert not state.is_open
    assert sorted(file.name for file in lake.rucio.files(product.scope, dataset)) == sorted(names)
    assert dataset in lake.rucio.content(product.scope, product.observation)
    rules = [rule for rule in lake.rucio.rules() if (rule.scope, rule.name) == (product.scope, dataset)]
    assert [(rule.locked, rule.rse_expression) for rule in rules] == [(True, lake.rucio.rse)]
    shown = search.show(lake, f"{product.name}@v{version:04d}")
    assert sorted(file["name"] for file in shown["files"]) == sorted(names)


def statuses(lake: Lake, product: ProductKey) -> dict[int, str]:
    """Status of each published version."""
    found = search.search(lake, Wanted(instrument=product.scope))
    return {row["version"]: row["status"] for row in found if row["product"] == product.name}


def test_a_published_release_is_known_to_rucio_and_catalogue(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    files = make_files("a.fits", "b.fits")
    release = publish(
        lake, reserve(lake, product, "k"), files, Provenance(recipe="r", recipe_version=2, refs=["x:y"])
    )
    assert (release["version"], release["status"], release["files"]) == (1, "ACTIVE", 2)
    assert release["date_beg"] == "2020-01-01T00:00:00.000Z"
    assert release["date_end"] == "2020-01-01T01:01:00.000Z"
    assert_published(lake, product, 1, ["a.fits", "b.fits"])


def test_publishing_again_changes_nothing(lake: Lake, product: ProductKey, make_files: MakeFiles) -> None:
    files = make_files("a.fits")
    draft = reserve(lake, product, "k")
    assert publish(lake, draft, files) == publish(lake, draft, files)
    assert statuses(lake, product) == {1: "ACTIVE"}


def test_a_new_release_supersedes_the_old_which_stays_as_it_was(
    lake: Lake, product: ProductKey, make_files: MakeFiles, tmp_path: Path
) -> None:
    first, second = make_files("a.l1.v0001.fits", "a.l1.v0002.fits")
    publish(lake, reserve(lake, product, "k1"), [first])
    publish(lake, reserve(lake, product, "k2"), [second])
    assert statuses(lake, product) == {1: "SUPERSEDED", 2: "ACTIVE"}
    (path,) = search.get_files(lake, f"{product.name}@v0001", tmp_path)
    assert path.read_bytes() == b"a.l1.v0001.fits" * 40


def test_a_later_release_may_hold_files_of_an_earlier_one(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    old, new = make_files("a.fits", "b.fits")
    publish(lake, reserve(lake, product, "k1"), [old])
    publish(lake, reserve(lake, product, "k2"), [old, new])
    assert_published(lake, product, 1, ["a.fits"])
    assert_published(lake, product, 2, ["a.fits", "b.fits"])


def test_the_same_key_reserves_the_same_version_and_another_the_next(lake: Lake, product: ProductKey) -> None:
    first = reserve(lake, product, "k1")
    assert reserve(lake, product, "k1") == first
    assert (first.version, reserve(lake, product, "k2").version) == (1, 2)


def test_a_version_is_never_used_again(lake: Lake, product: ProductKey) -> None:
    reserve(lake, product, "k1")
    discard(lake, product, "k1")
    assert reserve(lake, product, "k1").version == 2


def test_processes_that_reserve_together_get_different_versions(lake: Lake, product: ProductKey) -> None:
    with ThreadPoolExecutor(4) as pool:
        drafts = list(pool.map(lambda number: reserve(lake, product, f"k{number}"), range(8)))
    assert sorted(draft.version for draft in drafts) == list(range(1, 9))


def test_a_draft_that_comes_too_late_does_not_replace_a_newer_release(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    early, late = reserve(lake, product, "k1"), reserve(lake, product, "k2")
    publish(lake, late, make_files("b.fits"))
    publish(lake, early, make_files("a.fits"))
    assert statuses(lake, product) == {1: "SUPERSEDED", 2: "ACTIVE"}


def test_a_discarded_draft_cannot_be_published(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    draft = reserve(lake, product, "k")
    discard(lake, product, "k")
    with pytest.raises(Fatal, match="discarded"):
        publish(lake, draft, make_files("a.fits"))


def test_a_published_release_cannot_be_discarded(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    draft = reserve(lake, product, "k")
    publish(lake, draft, make_files("a.fits"))
    discard(lake, product, "k")
    assert statuses(lake, product) == {1: "ACTIVE"}


def test_a_release_is_found_by_its_key_once_it_is_published(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    draft = reserve(lake, product, "k1")
    assert find_by_key(lake, product, "k1") is None
    publish(lake, draft, make_files("a.fits"))
    publish(lake, reserve(lake, product, "k2"), make_files("b.fits"))
    found = find_by_key(lake, product, "k1")
    assert found is not None
    assert (found["version"], found["status"]) == (1, "SUPERSEDED")


def test_a_file_without_bytes_is_not_registered(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    (file,) = make_files("a.fits")
    path_of(lake, file.scope, file.name).unlink()
    with pytest.raises(Fatal, match="nothing there"):
        publish(lake, reserve(lake, product, "k"), [file])
    assert lake.rucio.collection(product.scope, "obs.l1.v0001") is None


def test_a_name_the_catalogue_has_with_other_bytes_stops_the_publication(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    (file,) = make_files("a.fits")
    publish(lake, reserve(lake, product, "k1"), [file])
    with pytest.raises(Fatal, match=r"a\.fits is registered with other bytes"):
        publish(lake, reserve(lake, product, "k2"), [replace(file, sha256="0" * 64)])


def test_a_name_rucio_has_with_other_checksums_stops_the_publication(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    (file,) = make_files("a.fits")
    lake.rucio.ensure_scope(product.scope)
    lake.rucio.add_replicas([file.replica._replace(adler32="00000000")])
    with pytest.raises(Fatal, match=r"a\.fits"):
        publish(lake, reserve(lake, product, "k"), [file])
    assert statuses(lake, product) == {}


def test_what_units_gave_is_remembered_by_their_content(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    (file,) = make_files("a.fits", unit=True)
    file = replace(file, refs=("references:flat.v0001.fits",))
    publish(lake, reserve(lake, product, "k"), [file])
    known = results(lake, [f"{product.scope}-a.fits", "never"])
    assert known[f"{product.scope}-a.fits"].file == file
    assert "never" not in known
    assert active_files(lake, product) == [file]


class TestExtending:
    """Raw data come in by batches, each making the next release of its observation."""

    def test_each_batch_makes_a_release_of_old_and_new_files(
        self, lake: Lake, product: ProductKey, make_files: MakeFiles
    ) -> None:
        first, second = make_files("a.fits"), make_files("b.fits")
        assert (extend(lake, product, first) or {})["files"] == 1
        assert (extend(lake, product, second) or {})["files"] == 2
        assert_published(lake, product, 2, ["a.fits", "b.fits"])

    def test_files_that_are_there_make_no_release(
        self, lake: Lake, product: ProductKey, make_files: MakeFiles
    ) -> None:
        files = make_files("a.fits", "b.fits")
        extend(lake, product, files)
        assert extend(lake, product, files[1:]) is None
        assert statuses(lake, product) == {1: "ACTIVE"}

    def test_a_changed_file_under_a_known_name_is_refused(
        self, lake: Lake, product: ProductKey, make_files: MakeFiles
    ) -> None:
        files = make_files("a.fits")
        extend(lake, product, files)
        with pytest.raises(BadInput) as refusal:
            extend(lake, product, [replace(files[0], sha256="0" * 64)])
        assert refusal.value.code is Reason.NAME_CONFLICT

    def test_processes_that_extend_together_lose_no_file(
        self, lake: Lake, product: ProductKey, make_files: MakeFiles
    ) -> None:
        batches = [make_files(f"f{number}.fits") for number in range(5)]
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda batch: extend(lake, product, batch), batches))
        assert {file.name for file in active_files(lake, product)} == {
            f"f{number}.fits" for number in range(5)
        }
        assert sorted(statuses(lake, product)) == [1, 2, 3, 4, 5]


STAGES = [
    "ensure_container",
    "ensure_dataset",
    "attach_files",
    "close",
    "attach_dataset",
    "ensure_locked_rule",
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_failure_at_any_stage_is_cured_by_publishing_again(
    lake: Lake,
    product: ProductKey,
    make_files: MakeFiles,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    after: bool,
) -> None:
    files = make_files("a.fits", "b.fits")
    draft = reserve(lake, product, "k")
    real = getattr(RucioClient, stage)

    def breaking(self: RucioClient, *arguments: Any) -> Any:
        if after:
            real(self, *arguments)
        raise Retriable("the line was cut")

    with monkeypatch.context() as patch:
        patch.setattr(RucioClient, stage, breaking)
        with pytest.raises(Retriable):
            publish(lake, draft, files)
    assert statuses(lake, product) == {}
    publish(lake, reserve(lake, product, "k"), files)
    assert_published(lake, product, 1, ["a.fits", "b.fits"])


def test_a_failure_within_the_catalogue_leaves_nothing_of_the_release_visible(
    lake: Lake, product: ProductKey, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_files("a.fits")
    draft = reserve(lake, product, "k")
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_activate", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(lake, draft, files)
    assert statuses(lake, product) == {}
    assert twins(lake, files[0]) == []
    publish(lake, draft, files)
    assert_published(lake, product, 1, ["a.fits"])


def test_a_second_attempt_with_fewer_files_publishes_just_those(
    lake: Lake, product: ProductKey, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_files("a.fits", "b.fits")
    draft = reserve(lake, product, "k")
    with monkeypatch.context() as patch:
        patch.setattr(RucioClient, "close", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(lake, draft, files)
    publish(lake, draft, files[:1])
    assert_published(lake, product, 1, ["a.fits"])


PUBLISHER = """
import json, sys
from pathlib import Path
from lake.config import LakeConfig
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.releases import extend
config, scope, files = json.load(sys.stdin)
config["token_path"] = Path(config["token_path"])
lake = Lake.open(LakeConfig(**config))
lake.rucio.ping()
print("ready", flush=True)
extend(lake, ProductKey(scope, "obs", "1"), [FileEntry.from_dict(file) for file in files])
"""


@pytest.mark.parametrize("delay", [0.0, 0.04, 0.08, 0.12, 0.17, 0.25])
def test_a_publisher_killed_at_any_moment_is_cured_by_another(
    lake: Lake, product: ProductKey, make_files: MakeFiles, delay: float
) -> None:
    import json

    files = make_files("a.fits", "b.fits", "c.fits")
    config = {key: str(value) for key, value in vars(lake.config).items()}
    publisher = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert publisher.stdin is not None
    assert publisher.stdout is not None
    json.dump([config, product.scope, [file.as_dict() for file in files]], publisher.stdin)
    publisher.stdin.close()
    publisher.stdout.readline()
    time.sleep(delay)
    os.kill(publisher.pid, signal.SIGKILL)
    publisher.wait()
    publisher.stdout.close()
    extend(lake, product, files)
    assert statuses(lake, product) == {1: "ACTIVE"}
    assert_published(lake, product, 1, ["a.fits", "b.fits", "c.fits"])


def test_the_key_of_files_does_not_depend_on_their_order(make_files: MakeFiles) -> None:
    files = make_files("a.fits", "b.fits")
    assert content_key(files) == content_key(files[::-1])
    assert content_key(files) != content_key(files[:1])


def test_an_entry_survives_as_plain_data(make_files: MakeFiles) -> None:
    (file,) = make_files("a.fits", unit=True)
    assert FileEntry.from_dict(file.as_dict()) == file


def test_an_entry_of_a_plan_from_before_files_lost_their_md5_is_read(make_files: MakeFiles) -> None:
    (file,) = make_files("a.fits")
    assert FileEntry.from_dict(file.as_dict() | {"md5": "0" * 32}) == file


def test_the_database_itself_refuses_two_active_releases(
    lake: Lake, product: ProductKey, make_files: MakeFiles
) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    publish(lake, reserve(lake, product, "k1"), make_files("a.fits"))
    draft = reserve(lake, product, "k2")
    with pytest.raises(IntegrityError), transaction(lake.sessions) as session:
        session.execute(text("UPDATE release SET status = 'ACTIVE' WHERE id = :id"), {"id": draft.release_id})
    assert statuses(lake, product)[1] == "ACTIVE"


def test_a_product_cannot_be_held_in_a_catalogue_that_does_not_answer(
    product: ProductKey, tmp_path: Path
) -> None:
    url = "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"
    config = LakeConfig(
        url, "http://127.0.0.1:1", "root", "secret", tmp_path / "token", "RSE", tmp_path.as_uri()
    )
    with (
        pytest.raises(Retriable, match="heliolake up") as refusal,
        Lake.open(config) as lake,
        releases.product_lock(lake, product),
    ):
        pass
    assert "secret" not in str(refusal.value)

"""What expires is deleted by Rucio with its DOI and its files; what is published cannot come to that."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rucio.common.exception import AccessDenied, DataIdentifierNotFound, OpenDataDataIdentifierNotFound
from sqlalchemy import Engine, create_engine, text

from cluster.home.home import Home
from lake.rucio.server.settings import posix_protocol
from tests import within_rucio
from tests.lake.rucio.conftest import BYTES, Content, file_entry, make_content

DAEMONS = """
from rucio.daemons.common import HeartbeatHandler
from rucio.daemons.judge import cleaner, evaluator
from rucio.daemons.reaper import reaper
from rucio.daemons.undertaker import undertaker
for number in range(2):  # what lies in something is taken out of it first, and deleted the next time
    undertaker.undertaker(once=True)
    with HeartbeatHandler(executable="test-evaluator", renewal_interval=60) as alive:
        evaluator.run_once(paused_dids={}, did_limit=1000, heartbeat_handler=alive)
reaper.reaper(rses=[], include_rses=given["rse"], exclude_rses=None, once=True, greedy=True)
"""

Make = Callable[..., Content]


@pytest.fixture(scope="module")
def database(home: Home) -> Iterator[Engine]:
    """Rucio's own database, where no policy is asked."""
    engine = create_engine(home.database_url("rucio"))
    yield engine
    engine.dispose()


def let_expire(database: Engine, it: Content, name: str) -> None:
    with database.begin() as connection:
        changed = connection.execute(
            text(
                "UPDATE dids SET expired_at = now() - interval '1 day' WHERE scope = :scope AND name = :name"
            ),
            {"scope": it.scope, "name": name},
        )
    assert changed.rowcount == 1


def run_undertaker(home: Home, rse: str) -> None:
    """The daemons that delete: a home never runs the one, and the other not on its first storage element."""
    within_rucio.run(home, DAEMONS, rse=rse)


@pytest.fixture(scope="module")
def doomed(rucio: Any, home: Home) -> str:
    """A storage element of which the reaper deletes whatever nothing holds."""
    name = f"DOOMED-{secrets.token_hex(4).upper()}"
    folder = home.storage / name
    folder.mkdir()
    rucio.add_rse(name, deterministic=True)
    rucio.add_protocol(name, posix_protocol(folder))
    rucio.set_local_account_limit("root", name, -1)
    return name


def path_of(rucio: Any, it: Content) -> Path:
    (pfn,) = rucio.lfns2pfns(it.rse, [f"{it.scope}:{it.file}"], operation="write").values()
    return Path(urlsplit(pfn).path)


@pytest.fixture
def make_public(rucio: Any, policy_scope: str, doomed: str) -> Make:
    """Make releases that are public with a DOI, and whose bytes are there."""

    def make(*, locked: bool = True) -> Content:
        made = make_content(rucio, doomed, policy_scope, published=True, locked=locked)
        path = path_of(rucio, made)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(BYTES)
        rucio.add_opendata_did(scope=made.scope, name=made.dataset)
        doi = f"10.5072/{made.dataset}"
        rucio.update_opendata_did(scope=made.scope, name=made.dataset, doi=doi, state="public")
        return made

    return make


def test_public_data_with_a_doi_outlive_undertaker_and_reaper(
    rucio: Any, home: Home, database: Engine, make_public: Make
) -> None:
    held, unheld = make_public(), make_public(locked=False)
    for it in (held, unheld):
        for name in (it.dataset, it.file, it.container):
            with pytest.raises(AccessDenied):
                rucio.set_metadata(it.scope, name, "lifetime", 1)
        let_expire(database, it, it.dataset)  # as nobody can who has to ask Rucio
    run_undertaker(home, held.rse)

    assert path_of(rucio, held).read_bytes() == BYTES
    assert [one["name"] for one in rucio.list_files(held.scope, held.dataset)] == [held.file]
    entry = rucio.get_opendata_did(scope=held.scope, name=held.dataset, include_doi=True)
    assert (entry["state"], entry["doi"]) == ("PUBLIC", f"10.5072/{held.dataset}")
    (replica,) = rucio.list_replicas([{"scope": held.scope, "name": held.file}])
    assert replica["states"] == {held.rse: "AVAILABLE"}

    # Without the locked rule all of it is lost, which shows that the daemons did their work.
    assert not path_of(rucio, unheld).exists()
    with pytest.raises(DataIdentifierNotFound):
        rucio.get_did(unheld.scope, unheld.dataset)
    with pytest.raises(OpenDataDataIdentifierNotFound):
        rucio.get_opendata_did(scope=unheld.scope, name=unheld.dataset)


def test_a_name_is_not_given_to_something_else_after_its_release_was_deleted(
    rucio: Any, service: Any, home: Home, database: Engine, make_public: Make
) -> None:
    gone = make_public(locked=False)
    for name in (gone.dataset, gone.file):
        let_expire(database, gone, name)
    run_undertaker(home, gone.rse)
    other = file_entry(gone.scope, gone.file, "00000001")
    further = f"further{secrets.token_hex(4)}"
    rucio.add_dataset(gone.scope, further)
    attempts: list[Callable[[Any], object]] = [
        lambda client: client.add_dataset(gone.scope, gone.dataset),
        lambda client: client.add_container(gone.scope, gone.dataset),
        lambda client: client.add_datasets([{"scope": gone.scope, "name": gone.dataset}]),
        lambda client: client.add_replicas(gone.rse, [other]),
        lambda client: client.attach_dids(gone.scope, further, [other], rse=gone.rse),
        lambda client: client.add_dataset(gone.scope, f"{further}.2", files=[other], rse=gone.rse),
        lambda client: client.create_did_sample(gone.scope, further, gone.scope, gone.dataset, 1),
    ]
    for attempt in attempts:
        for client in (rucio, service):
            with pytest.raises(AccessDenied):
                attempt(client)
    # The very same bytes may come back: what Rucio has lost is registered again by `fsck --repair`.
    assert rucio.add_replicas(gone.rse, [file_entry(gone.scope, gone.file)])


def test_the_name_of_a_draft_may_be_used_again(
    rucio: Any, service: Any, home: Home, policy_scope: str, doomed: str, database: Engine
) -> None:
    draft = make_content(rucio, doomed, policy_scope, published=False)
    let_expire(database, draft, draft.dataset)
    run_undertaker(home, doomed)
    with pytest.raises(DataIdentifierNotFound):
        rucio.get_did(draft.scope, draft.dataset)
    assert service.add_dataset(draft.scope, draft.dataset)

"""What is published stays as it is: the real server refuses each way around, even to root.

Each change is refused on a release and goes through on a draft of the same shape, so that
what refuses is the state and not the request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from rucio.common.exception import (
    AccessDenied,
    DuplicateRule,
    OpenDataError,
    ReplicaIsLocked,
    RucioException,
    RuleReplaceFailed,
    UnsupportedOperation,
)

from cluster.home.home import Home
from tests.lake.rucio.conftest import Content, file_entry

Change = Callable[[Any, Content], object]


def metadata(key: str, value: Any) -> Change:
    return lambda client, it: client.set_metadata(it.scope, it.dataset, key, value)


def places(client: Any, it: Content) -> list[str]:
    return list(client.lfns2pfns(it.rse, [f"{it.scope}:{it.file}"]).values())


CHANGES: dict[str, Change] = {
    "detach a file": lambda client, it: client.detach_dids(
        it.scope, it.dataset, [{"scope": it.scope, "name": it.file}]
    ),
    "detach it from its observation": lambda client, it: client.detach_dids(
        it.scope, it.container, [{"scope": it.scope, "name": it.dataset}]
    ),
    "let it expire": metadata("lifetime", 86400),
    "let it expire among other metadata": lambda client, it: client.set_metadata_bulk(
        it.scope, it.dataset, {"project": "x", "lifetime": 86400}
    ),
    "let several things expire at once": lambda client, it: client.set_dids_metadata_bulk(
        [{"scope": it.scope, "name": it.dataset, "meta": {"lifetime": 86400}}]
    ),
    "let its file expire": lambda client, it: client.set_metadata(it.scope, it.file, "lifetime", 86400),
    "let its observation expire": lambda client, it: client.set_metadata(
        it.scope, it.container, "lifetime", 86400
    ),
    "end its life": metadata("eol_at", "2027-01-01"),
    "change the identity of a file": lambda client, it: client.set_metadata(
        it.scope, it.file, "guid", "0" * 32
    ),
    "change what counts as in a file": lambda client, it: client.set_metadata(it.scope, it.file, "events", 7),
    "have its replicas purged": metadata("purge_replicas", True),
    "hide it": metadata("hidden", True),
    "hide all of its observation": lambda client, it: client.set_metadata(
        it.scope, it.container, "hidden", True, recursive=True
    ),
    "call it passing": metadata("transient", True),
    "call it an archive": metadata("is_archive", True),
    "call it part of an archive": metadata("constituent", True),
    "give it another version": metadata("version", "v9"),
    "give it another type of data": metadata("datatype", "other"),
    "give it another provenance": metadata("provenance", "XX"),
    "delete its rule": lambda client, it: client.delete_replication_rule(it.rule, purge_replicas=True),
    "unlock its rule": lambda client, it: client.update_replication_rule(it.rule, {"locked": False}),
    "let its rule expire": lambda client, it: client.update_replication_rule(it.rule, {"lifetime": 86400}),
    "have the rule purge": lambda client, it: client.update_replication_rule(
        it.rule, {"purge_replicas": True}
    ),
    "give its rule away": lambda client, it: client.update_replication_rule(
        it.rule, {"account": "root", "comment": "mine"}
    ),
    "move its rule elsewhere": lambda client, it: client.move_replication_rule(it.rule, it.rse, {}),
    "reduce its rule": lambda client, it: client.reduce_replication_rule(it.rule, 1),
    "call its only replica bad": lambda client, it: client.declare_bad_file_replicas(
        [{"scope": it.scope, "name": it.file, "rse": it.rse}], "a grudge"
    ),
    "call its only replica bad, otherwise": lambda client, it: client.declare_bad_did_replicas(
        it.rse, [{"scope": it.scope, "name": it.file}], "a grudge"
    ),
    "call its replica unavailable": lambda client, it: client.update_replicas_states(
        it.rse, [{"scope": it.scope, "name": it.file, "state": "U"}]
    ),
    "call its replica unavailable for a while": lambda client, it: client.update_replicas_states(
        it.rse, [{"scope": it.scope, "name": it.file, "state": "T"}]
    ),
    "have its replica deleted": lambda client, it: client.set_tombstone(
        [{"scope": it.scope, "name": it.file, "rse": it.rse}]
    ),
}

#: Impossible on a draft too, for no draft of ours needs it.
NEVER: dict[str, Change] = {
    "delete replicas": lambda client, it: client.delete_replicas(
        it.rse, [{"scope": it.scope, "name": it.file}]
    ),
    "call a place in the storage bad": lambda client, it: client.declare_bad_file_replicas(
        places(client, it), "a grudge"
    ),
    "call a place in the storage unavailable": lambda client, it: client.add_bad_pfns(
        places(client, it),
        reason="a grudge",
        state="TEMPORARY_UNAVAILABLE",
        expires_at=None,
    ),
}


@pytest.fixture(params=["rucio", "service"])
def client(request: pytest.FixtureRequest) -> Any:
    """Root, and an account of the service's."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_release_is_not_changed_and_a_draft_is(
    change: Change, client: Any, published: Content, draft: Content
) -> None:
    with pytest.raises(AccessDenied):
        change(client, published)
    with suppress(
        DuplicateRule, RuleReplaceFailed, ReplicaIsLocked
    ):  # refused by the rules' own logic, not by our policy
        change(client, draft)


@pytest.mark.parametrize("change", NEVER.values(), ids=NEVER.keys())
def test_nobody_asks_for_it_and_nobody_gets_it(
    change: Change, client: Any, published: Content, draft: Content
) -> None:
    for content in (published, draft):
        with pytest.raises(AccessDenied):
            change(client, content)


def test_a_release_is_never_opened_again_and_a_draft_is_closed(
    client: Any, published: Content, draft: Content
) -> None:
    with pytest.raises(AccessDenied, match="never opened again"):
        client.set_status(published.scope, published.dataset, open=True)
    client.close(draft.scope, draft.dataset)
    with pytest.raises(AccessDenied, match="never opened again"):
        client.set_status(draft.scope, draft.dataset, open=True)


def test_a_release_takes_no_further_file_and_a_draft_does(
    client: Any, rucio: Any, published: Content, draft: Content
) -> None:
    further = file_entry(draft.scope, f"further{secrets.token_hex(4)}.fits")
    rucio.add_replicas(draft.rse, [further])
    member = [{"scope": draft.scope, "name": further["name"]}]
    with pytest.raises(UnsupportedOperation, match="closed"):
        client.attach_dids(published.scope, published.dataset, member)
    client.attach_dids(draft.scope, draft.dataset, member)


def test_a_release_is_whole_after_all_attempts(rucio: Any, published: Content) -> None:
    for change in (CHANGES | NEVER).values():
        with pytest.raises(AccessDenied):
            change(rucio, published)
    assert [one["name"] for one in rucio.list_files(published.scope, published.dataset)] == [published.file]
    assert [one["name"] for one in rucio.list_content(published.scope, published.container)] == [
        published.dataset
    ]
    assert rucio.get_did(published.scope, published.dataset)["open"] is False
    for name in (published.dataset, published.file, published.container):
        assert rucio.get_metadata(published.scope, name)["expired_at"] is None
    rule = rucio.get_replication_rule(published.rule)
    assert (rule["locked"], rule["expires_at"], rule["state"]) == (True, None, "OK")
    (replica,) = rucio.list_replicas([{"scope": published.scope, "name": published.file}], all_states=True)
    assert replica["states"] == {published.rse: "AVAILABLE"}


def test_labels_of_a_release_may_still_be_set(client: Any, published: Content) -> None:
    label = secrets.token_hex(4)
    client.set_metadata(published.scope, published.dataset, "project", label)
    assert client.get_metadata(published.scope, published.dataset)["project"] == label


def test_a_locked_rule_may_get_a_comment(client: Any, published: Content) -> None:
    comment = secrets.token_hex(4)
    client.update_replication_rule(published.rule, {"comment": comment})
    assert client.get_replication_rule(published.rule)["comments"] == comment


def test_a_replica_of_a_release_may_be_called_good_again(client: Any, published: Content) -> None:
    mended = {"scope": published.scope, "name": published.file, "state": "A"}
    assert client.update_replicas_states(published.rse, [mended])


def test_what_expires_is_not_published(rucio: Any, draft: Content) -> None:
    rucio.set_metadata(draft.scope, draft.dataset, "lifetime", 86400)
    with pytest.raises(AccessDenied, match="lifetime"):
        rucio.close(draft.scope, draft.dataset)
    rucio.set_metadata(draft.scope, draft.dataset, "lifetime", None)
    rucio.set_metadata(draft.scope, draft.file, "lifetime", 86400)
    with pytest.raises(AccessDenied, match=draft.file):
        rucio.close(draft.scope, draft.dataset)
    rucio.set_metadata(draft.scope, draft.file, "lifetime", None)
    rucio.close(draft.scope, draft.dataset)


def test_files_are_never_put_into_files(client: Any, rucio: Any, published: Content) -> None:
    archive = f"archive{secrets.token_hex(4)}.zip"
    rucio.add_replicas(published.rse, [file_entry(published.scope, archive)])
    with pytest.raises(AccessDenied, match="not into each other"):
        client.attach_dids(published.scope, archive, [{"scope": published.scope, "name": published.file}])


def test_the_doi_of_public_data_stays(client: Any, make_release: Callable[[], Content]) -> None:
    release = make_release()
    name = {"scope": release.scope, "name": release.dataset}
    doi = f"10.5072/{release.dataset}"
    client.add_opendata_did(**name)
    client.update_opendata_did(**name, doi=f"{doi}.draft", record_id=hash(release.dataset) % 10**9)
    client.update_opendata_did(**name, doi=doi)
    client.update_opendata_did(**name, state="public")
    for change in ({"doi": f"{doi}.other"}, {"record_id": 1 + hash(release.dataset) % 10**9}):
        with pytest.raises(AccessDenied, match="stays"):
            client.update_opendata_did(**name, **change)
    assert client.get_opendata_did(**name, include_doi=True)["doi"] == doi


def test_public_data_may_still_get_a_first_doi(client: Any, make_release: Callable[[], Content]) -> None:
    release = make_release()
    name = {"scope": release.scope, "name": release.dataset}
    client.add_opendata_did(**name)
    client.update_opendata_did(**name, state="public")
    client.update_opendata_did(**name, doi=f"10.5072/{release.dataset}")
    with pytest.raises(AccessDenied, match="stays"):
        client.update_opendata_did(**name, doi=f"10.5072/{release.dataset}.other")


def test_public_data_stay_in_the_catalogue_and_never_become_a_draft_again(
    client: Any, make_release: Callable[[], Content]
) -> None:
    release = make_release()
    name = {"scope": release.scope, "name": release.dataset}
    client.add_opendata_did(**name)
    assert client.remove_opendata_did(**name)  # what nobody was shown may go
    client.add_opendata_did(**name)
    for state in ("public", "suspended"):
        client.update_opendata_did(**name, state=state)
        with pytest.raises(RucioException):
            client.update_opendata_did(**name, state="draft")
        with pytest.raises(RucioException):
            client.remove_opendata_did(**name)
        assert client.get_opendata_did(**name)["state"] == state.upper()


def test_a_release_with_a_doi_stays_in_the_catalogue_and_a_draft_does_not(
    client: Any, make_release: Callable[[], Content], draft: Content
) -> None:
    release = make_release()
    for content in (release, draft):
        name = {"scope": content.scope, "name": content.dataset}
        client.add_opendata_did(**name)
        client.update_opendata_did(**name, doi=f"10.5072/{content.dataset}")
    with pytest.raises(AccessDenied, match="it stays"):
        client.remove_opendata_did(scope=release.scope, name=release.dataset)
    assert client.remove_opendata_did(scope=draft.scope, name=draft.dataset)


def test_a_draft_is_not_made_public(client: Any, draft: Content) -> None:
    name = {"scope": draft.scope, "name": draft.dataset}
    client.add_opendata_did(**name)
    with pytest.raises(OpenDataError, match="closed"):
        client.update_opendata_did(**name, state="public")


def test_a_service_account_may_register_replicas(service: Any, stranger: Any, rucio: Any, home: Home) -> None:
    rucio.add_scope(service.account, service.account)
    assert service.add_replicas(home.rse, [file_entry(service.account, "frame.fits")])
    with pytest.raises(AccessDenied):
        stranger.add_replicas(home.rse, [file_entry(stranger.account, "frame.fits")])

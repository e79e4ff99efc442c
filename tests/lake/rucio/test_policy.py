"""What is published stays as it is: the real server refuses each way around, even to root."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from rucio.common.exception import AccessDenied

from cluster.home.home import Home
from tests.conftest import rucio_client


@dataclass(frozen=True)
class Published:
    """A closed dataset of one file in a container, protected by a locked rule."""

    scope: str
    container: str
    dataset: str
    file: str
    rule: str


def file_entry(scope: str, name: str) -> dict[str, Any]:
    return {"scope": scope, "name": name, "bytes": 11, "adler32": "1a0b045d"}


@pytest.fixture(scope="module")
def published(rucio: Any, home: Home) -> Published:
    scope = f"policy_{secrets.token_hex(4)}"
    rucio.add_scope("root", scope)
    rucio.add_container(scope, "observation")
    rucio.add_dataset(scope, "release")
    rucio.add_replicas(home.rse, [file_entry(scope, "frame.fits")])
    rucio.attach_dids(scope, "release", [{"scope": scope, "name": "frame.fits"}])
    rucio.attach_dids(scope, "observation", [{"scope": scope, "name": "release"}])
    rucio.close(scope, "release")
    dids = [{"scope": scope, "name": "release"}]
    (rule,) = rucio.add_replication_rule(dids, copies=1, rse_expression=home.rse, locked=True)
    return Published(scope, "observation", "release", "frame.fits", rule)


Attack = Callable[[Any, Published], object]
ATTACKS: dict[str, Attack] = {
    "detach a file from a closed dataset": lambda client, it: client.detach_dids(
        it.scope, it.dataset, [{"scope": it.scope, "name": it.file}]
    ),
    "reopen a closed dataset": lambda client, it: client.set_status(it.scope, it.dataset, open=True),
    "let a closed dataset expire": lambda client, it: client.set_metadata(
        it.scope, it.dataset, "lifetime", 1
    ),
    "let a closed dataset expire among other metadata": lambda client, it: client.set_metadata_bulk(
        it.scope, it.dataset, {"project": "x", "lifetime": 1}
    ),
    "let several things expire at once": lambda client, it: client.set_dids_metadata_bulk(
        [{"scope": it.scope, "name": it.dataset, "meta": {"lifetime": 1}}]
    ),
    "let a file of a closed dataset expire": lambda client, it: client.set_metadata(
        it.scope, it.file, "lifetime", 1
    ),
    "let the container of a closed dataset expire": lambda client, it: client.set_metadata(
        it.scope, it.container, "lifetime", 1
    ),
    "change the identity of a file": lambda client, it: client.set_metadata(
        it.scope, it.file, "guid", "0" * 32
    ),
    "delete a locked rule": lambda client, it: client.delete_replication_rule(it.rule, purge_replicas=True),
    "unlock a rule": lambda client, it: client.update_replication_rule(it.rule, {"locked": False}),
    "let a locked rule expire": lambda client, it: client.update_replication_rule(it.rule, {"lifetime": 1}),
    "give a locked rule away": lambda client, it: client.update_replication_rule(
        it.rule, {"account": "root", "comment": "mine"}
    ),
    "move a locked rule elsewhere": lambda client, it: client.move_replication_rule(it.rule, "HELIOLAKE", {}),
    "reduce a locked rule": lambda client, it: client.reduce_replication_rule(it.rule, 1),
    "delete replicas": lambda client, it: client.delete_replicas(
        "HELIOLAKE", [{"scope": it.scope, "name": it.file}]
    ),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_even_root_cannot(attack: Attack, rucio: Any, published: Published) -> None:
    with pytest.raises(AccessDenied):
        attack(rucio, published)


def test_after_all_attacks_the_release_is_whole(rucio: Any, published: Published) -> None:
    for attack in ATTACKS.values():
        with pytest.raises(AccessDenied):
            attack(rucio, published)
    assert [one["name"] for one in rucio.list_files(published.scope, published.dataset)] == ["frame.fits"]
    assert rucio.get_did(published.scope, published.dataset)["open"] is False
    assert rucio.get_metadata(published.scope, published.dataset)["expired_at"] is None
    rule = rucio.get_replication_rule(published.rule)
    assert (rule["locked"], rule["expires_at"], rule["state"]) == (True, None, "OK")


def test_a_refusal_says_why(rucio: Any, published: Published) -> None:
    with pytest.raises(AccessDenied, match="never opened again"):
        rucio.set_status(published.scope, published.dataset, open=True)


def test_searchable_metadata_of_a_closed_dataset_may_still_be_set(rucio: Any, published: Published) -> None:
    rucio.set_metadata(published.scope, published.dataset, "project", "survey")
    assert rucio.get_metadata(published.scope, published.dataset)["project"] == "survey"


def test_a_locked_rule_may_get_a_comment(rucio: Any, published: Published) -> None:
    rucio.update_replication_rule(published.rule, {"comment": "release"})
    assert rucio.get_replication_rule(published.rule)["comments"] == "release"


def test_an_open_dataset_may_still_lose_a_file(rucio: Any, published: Published, home: Home) -> None:
    rucio.add_dataset(published.scope, "draft")
    rucio.add_replicas(home.rse, [file_entry(published.scope, "draft.fits")])
    member = [{"scope": published.scope, "name": "draft.fits"}]
    rucio.attach_dids(published.scope, "draft", member)
    rucio.detach_dids(published.scope, "draft", member)
    assert list(rucio.list_files(published.scope, "draft")) == []


def test_what_expires_cannot_be_closed(rucio: Any, published: Published) -> None:
    rucio.add_dataset(published.scope, "passing", lifetime=86400)
    with pytest.raises(AccessDenied, match="lifetime"):
        rucio.close(published.scope, "passing")


def test_an_unlocked_rule_may_be_deleted(rucio: Any, published: Published, home: Home) -> None:
    rucio.add_dataset(published.scope, "temporary")
    dids = [{"scope": published.scope, "name": "temporary"}]
    (rule,) = rucio.add_replication_rule(dids, copies=1, rse_expression=home.rse)
    assert rucio.delete_replication_rule(rule)


def test_the_doi_of_public_data_stays(rucio: Any, published: Published) -> None:
    name = {"scope": published.scope, "name": published.dataset}
    doi = f"10.5072/{published.scope}"
    rucio.add_opendata_did(**name)
    rucio.update_opendata_did(**name, doi=f"{doi}.draft")
    rucio.update_opendata_did(**name, doi=doi)
    rucio.update_opendata_did(**name, state="public")
    with pytest.raises(AccessDenied, match="stays"):
        rucio.update_opendata_did(**name, doi=f"{doi}.other")
    with pytest.raises(AccessDenied):
        rucio.set_metadata(published.scope, published.dataset, "lifetime", 1)
    assert rucio.get_opendata_did(**name, include_doi=True)["doi"] == doi


@pytest.fixture(scope="module")
def admin(rucio: Any, home: Home) -> Any:
    """Somebody with every right the generic policy gives to administrators."""
    name, password = f"adm{secrets.token_hex(4)}", secrets.token_hex(8)
    rucio.add_account(name, "USER", "admin@example.org")
    rucio.add_identity(name, name, "USERPASS", "admin@example.org", password=password)
    rucio.add_account_attribute(name, "admin", "true")
    return rucio_client(home, name, password)


def test_administrators_cannot_unlock_rules(admin: Any, published: Published) -> None:
    with pytest.raises(AccessDenied):
        admin.update_replication_rule(published.rule, {"locked": False})


def test_only_the_service_declares_replicas_bad(admin: Any, published: Published, home: Home) -> None:
    replica = [{"scope": published.scope, "name": published.file, "rse": home.rse}]
    with pytest.raises(AccessDenied):
        admin.declare_bad_file_replicas(replica, "a grudge")
    with pytest.raises(AccessDenied):
        admin.declare_suspicious_file_replicas(
            [f"file://localhost:0{home.rse_root}/x/ab/cd/frame.fits"], "a grudge"
        )


def test_a_service_account_may_register_replicas(rucio: Any, published: Published, home: Home) -> None:
    name, password = f"svc{secrets.token_hex(4)}", secrets.token_hex(8)
    rucio.add_account(name, "SERVICE", "service@example.org")
    rucio.add_identity(name, name, "USERPASS", "service@example.org", password=password)
    rucio.add_scope(name, name)
    client = rucio_client(home, name, password)
    with pytest.raises(AccessDenied):
        client.add_replicas(home.rse, [file_entry(name, "frame.fits")])
    rucio.add_account_attribute(name, "heliolake-service", "true")
    assert client.add_replicas(home.rse, [file_entry(name, "frame.fits")])


def test_nobody_learns_of_files_without_signing_in(home: Home, published: Published) -> None:
    import requests

    url = f"{home.url('rucio')}/redirect/{published.scope}/{published.file}/metalink"
    assert requests.get(url, timeout=10).status_code == 404

"""Whoever is not the service changes nothing of ours: strangers, administrators, those without an account."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests
from rucio.common.exception import AccessDenied, DataIdentifierNotFound, RucioException

from cluster.home.home import Home
from tests.lake.rucio.conftest import Content, file_entry, sign_up
from tests.lake.rucio.test_policy import CHANGES, NEVER, Change, places

FALSE = "00000001"


def own_dataset(stranger: Any) -> str:
    name = f"mine{secrets.token_hex(4)}"
    stranger.add_dataset(stranger.account, name)
    return name


@pytest.mark.parametrize("change", (CHANGES | NEVER).values(), ids=(CHANGES | NEVER).keys())
def test_a_stranger_changes_neither_release_nor_draft(
    change: Change, stranger: Any, published: Content, untouched_draft: Content
) -> None:
    for content in (published, untouched_draft):
        with pytest.raises(AccessDenied):
            change(stranger, content)


@pytest.mark.parametrize("change", (CHANGES | NEVER).values(), ids=(CHANGES | NEVER).keys())
def test_an_administrator_changes_no_release(change: Change, admin: Any, published: Content) -> None:
    with pytest.raises(AccessDenied):
        change(admin, published)


PLANTED: dict[str, Callable[[Any, str, dict[str, Any], str], object]] = {
    "attaching": lambda client, rse, file, name: client.attach_dids(
        client.account, own_dataset(client), [file], rse=rse
    ),
    "attaching to several": lambda client, rse, file, name: client.attach_dids_to_dids(
        [{"scope": client.account, "name": own_dataset(client), "rse": rse, "dids": [file]}]
    ),
    "making a dataset": lambda client, rse, file, name: client.add_dataset(
        client.account, name, files=[file], rse=rse
    ),
    "making several": lambda client, rse, file, name: client.add_datasets(
        [{"scope": client.account, "name": name, "dids": [file], "rse": rse}]
    ),
    "adding replicas": lambda client, rse, file, name: client.add_replicas(rse, [file]),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
def test_a_stranger_plants_no_file_under_a_name_of_ours(
    plant: Callable[[Any, str, dict[str, Any], str], object],
    stranger: Any,
    rucio: Any,
    published: Content,
) -> None:
    name = f"next{secrets.token_hex(4)}"
    for scope in (published.scope, stranger.account):
        with pytest.raises(AccessDenied):
            plant(stranger, published.rse, file_entry(scope, f"{name}.fits", FALSE), name)
        with pytest.raises(DataIdentifierNotFound):
            rucio.get_did(scope, f"{name}.fits")


def test_a_stranger_plants_no_file_by_the_number_of_a_storage_element(
    stranger: Any, rucio: Any, home: Home, published: Content
) -> None:
    """The real client has no way to ask so."""
    name = f"next{secrets.token_hex(4)}.fits"
    asked = {
        "scope": stranger.account,
        "name": own_dataset(stranger),
        "rse_id": rucio.get_rse(published.rse)["id"],
        "dids": [file_entry(published.scope, name, FALSE)],
    }
    headers = {"X-Rucio-Auth-Token": stranger.auth_token}
    url = f"{home.url('rucio')}/dids/attachments"
    requests.post(url, json=[asked], headers=headers, timeout=10)
    requests.post(url, json={"attachments": [asked]}, headers=headers, timeout=10)
    with pytest.raises(DataIdentifierNotFound):
        rucio.get_did(published.scope, name)


def test_a_stranger_may_list_what_is_published_in_a_dataset_of_their_own(
    stranger: Any, rucio: Any, published: Content
) -> None:
    mine = own_dataset(stranger)
    stranger.attach_dids(stranger.account, mine, [{"scope": published.scope, "name": published.file}])
    stranger.detach_dids(stranger.account, mine, [{"scope": published.scope, "name": published.file}])
    assert [one["name"] for one in rucio.list_files(published.scope, published.dataset)] == [published.file]


def test_a_stranger_makes_nothing_of_ours_part_of_an_archive(
    stranger: Any, service: Any, rucio: Any, published: Content
) -> None:
    archive = f"archive{secrets.token_hex(4)}.zip"
    rucio.add_replicas(published.rse, [file_entry(stranger.account, archive)])
    with pytest.raises(AccessDenied, match="not into each other"):
        stranger.attach_dids(stranger.account, archive, [{"scope": published.scope, "name": published.file}])


@pytest.mark.parametrize("who", ["stranger", "admin"])
def test_only_the_service_keeps_the_catalogue_of_open_data(
    who: str, request: pytest.FixtureRequest, rucio: Any, make_release: Callable[[], Content]
) -> None:
    client, release = request.getfixturevalue(who), make_release()
    name = {"scope": release.scope, "name": release.dataset}
    with pytest.raises(AccessDenied):
        client.add_opendata_did(**name)
    rucio.add_opendata_did(**name)
    for change in ({"state": "public"}, {"doi": "10.5072/other"}, {"record_id": 1}, {"meta": {"a": 1}}):
        with pytest.raises(AccessDenied):
            client.update_opendata_did(**name, **change)
    with pytest.raises(AccessDenied):
        client.remove_opendata_did(**name)
    rucio.update_opendata_did(**name, state="public")
    with pytest.raises(AccessDenied):
        client.update_opendata_did(**name, state="suspended")


def test_nobody_makes_an_account_the_services_or_takes_one_over(
    admin: Any, stranger: Any, service: Any
) -> None:
    for client in (admin, stranger):
        with pytest.raises(AccessDenied):
            client.add_account_attribute(client.account, "heliolake-service", "true")
        with pytest.raises(AccessDenied):
            client.delete_account_attribute(service.account, "heliolake-service")
        for account in ("root", service.account):
            with pytest.raises(AccessDenied):
                client.add_identity(account, client.account, "USERPASS", "me@example.org", password="mine")
            with pytest.raises(AccessDenied):
                client.update_account(account, "status", "SUSPENDED")


def test_only_the_service_calls_replicas_suspicious(
    admin: Any, stranger: Any, rucio: Any, published: Content
) -> None:
    for client in (admin, stranger):
        with pytest.raises(AccessDenied):
            client.declare_suspicious_file_replicas(places(rucio, published), "a grudge")


def test_nobody_deletes_metadata_that_others_set(
    stranger: Any, admin: Any, rucio: Any, published: Content
) -> None:
    """Rucio itself asks nobody about it."""
    key = f"label{secrets.token_hex(4)}"
    rucio.set_metadata(published.scope, published.dataset, key, "ours")
    for client in (stranger, admin, rucio):
        with pytest.raises(AccessDenied, match="never deleted"):
            client.delete_metadata(published.scope, published.dataset, key)
    assert rucio.get_metadata(published.scope, published.dataset, plugin="JSON")[key] == "ours"


def test_any_account_reads_every_record(stranger: Any, rucio: Any, draft: Content) -> None:
    """What Rucio cannot refuse; the README says so, and that such accounts are not for end users."""
    assert stranger.get_did(draft.scope, draft.dataset)["name"] == draft.dataset
    assert stranger.get_metadata(draft.scope, draft.file)["adler32"]
    (replica,) = stranger.list_replicas([{"scope": draft.scope, "name": draft.file}])
    assert replica["pfns"]
    rucio.add_opendata_did(scope=draft.scope, name=draft.dataset)
    assert stranger.get_opendata_did(scope=draft.scope, name=draft.dataset)["state"] == "DRAFT"


@pytest.mark.parametrize(
    "endpoint",
    ["redirect/{scope}/{file}/metalink", "dirac/addfiles", "export/", "import/", "lifetime_exceptions/"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_endpoints_that_tell_or_do_too_much_are_removed(
    endpoint: str, method: str, home: Home, rucio: Any, published: Content
) -> None:
    url = f"{home.url('rucio')}/{endpoint.format(scope=published.scope, file=published.file)}"
    for headers in ({}, {"X-Rucio-Auth-Token": rucio.auth_token}):
        assert requests.request(method, url, headers=headers, timeout=10).status_code == 404


def test_nobody_reads_a_record_without_signing_in(home: Home, rucio: Any, published: Content) -> None:
    paths = (
        "dids/{scope}/{file}",
        "replicas/{scope}/{file}",
        "dids/{scope}/{file}/meta",
        "rules/",
        "scopes/",
    )
    for path in (one.format(scope=published.scope, file=published.file) for one in paths):
        answer = requests.get(f"{home.url('rucio')}/{path}", timeout=10)
        assert answer.status_code in (400, 401)  # no token, or none that counts
        assert published.file not in answer.text


def test_only_what_is_public_is_in_the_public_catalogue(
    home: Home, rucio: Any, make_release: Callable[[], Content]
) -> None:
    release = make_release()
    name = {"scope": release.scope, "name": release.dataset}
    url = f"{home.url('rucio')}/opendata/public/dids/{release.scope}/{release.dataset}?files=1"
    seen = []
    rucio.add_opendata_did(**name)
    for state in (None, "public", "suspended"):
        if state:
            rucio.update_opendata_did(**name, state=state)
        seen.append(requests.get(url, timeout=10).status_code)
    assert seen == [404, 200, 404]


def test_rucio_signs_no_address_of_a_file_but_for_the_service(rucio: Any, service: Any, home: Home) -> None:
    """It knows of no embargo, and by its own policy signs for every account with the attribute `sign-url`."""
    address = "https://storage.example.org:443/bucket/scope/name"
    for account in (sign_up(rucio, home, "sign-url"), sign_up(rucio, home, "sign-url", "admin")):
        with pytest.raises(AccessDenied, match="signed URL"):
            account.get_signed_url(home.rse, "s3", "read", address)
    with pytest.raises(RucioException) as refusal:  # the element of an embedded home has nothing to sign with
        service.get_signed_url(home.rse, "s3", "read", address)
    assert not isinstance(refusal.value, AccessDenied)

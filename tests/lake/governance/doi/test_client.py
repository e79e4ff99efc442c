"""The client takes every answer for what it means, also where the library does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cluster.registry.server import Fault, RegistryServer
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.governance.doi.client import Registrar
from lake.governance.doi.office import Office
from lake.governance.doi.states import State


@pytest.fixture
def said(office: Office) -> dict[str, Any]:
    """Attributes that a registry takes."""
    return {
        "doi": f"{office.registry.prefix}/one",
        "url": "https://example.org/1",
        "creators": [{"name": "Doe, Jane"}],
        "titles": [{"title": "A scan"}],
        "publisher": {"name": "A centre"},
        "publicationYear": "2026",
        "types": {"resourceTypeGeneral": "Dataset"},
    }


def test_what_is_not_there_is_nothing(office: Office, said: dict[str, Any]) -> None:
    assert office.registrar.read(said["doi"]) is None


@pytest.mark.parametrize("wanted", [State.DRAFT, State.REGISTERED, State.FINDABLE])
def test_what_is_made_is_read_back_whole(office: Office, said: dict[str, Any], wanted: State) -> None:
    assert office.registrar.send(said, State.NONE, wanted) is wanted
    found = office.registrar.read(said["doi"])
    assert found is not None
    assert {key: found[key] for key in said} == said


def test_what_is_refused_is_no_reason_to_try_again(office: Office, said: dict[str, Any]) -> None:
    """The library tells 422 as an error of the server."""
    with pytest.raises(BadInput, match=r"422.*titles"):
        office.registrar.send(said | {"titles": []}, State.NONE, State.FINDABLE)


def test_a_doi_that_is_taken_is_named(
    office: Office, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    office.registrar.send(said, State.NONE, State.DRAFT)
    with pytest.raises(BadInput, match="somebody else") as refusal:
        office.registrar.send(said, State.NONE, State.DRAFT)
    assert refusal.value.code is Reason.NAME_CONFLICT


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"prefix": "10.9999"}])
def test_a_registry_that_does_not_know_us_stops_everything(
    office: Office, said: dict[str, Any], change: dict[str, Any]
) -> None:
    doi = f"{change.get('prefix', office.registry.prefix)}/one"
    with pytest.raises(Fatal, match=r"40[13]"):
        Registrar(replace(office.registry, **change)).send(said | {"doi": doi}, State.NONE, State.DRAFT)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 0])
def test_what_may_pass_is_tried_again(
    office: Office, server: RegistryServer, said: dict[str, Any], status: int
) -> None:
    server.faults.append(Fault("GET", status=status))
    with pytest.raises(Retriable, match=r"does not answer|answers"):
        office.registrar.read(said["doi"])


def test_an_address_where_nobody_is_is_told_without_the_password(
    office: Office, said: dict[str, Any]
) -> None:
    nowhere = Registrar(replace(office.registry, url="http://127.0.0.1:9"))
    with pytest.raises(Retriable) as failure:
        nowhere.read(said["doi"])
    assert office.registry.password not in str(failure.value)


def test_proxies_of_the_environment_are_not_asked_for_this_machine(
    office: Office, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert office.registrar.read(said["doi"]) is None

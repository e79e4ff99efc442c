"""The practice registry behaves as DataCite documents it: what is learned with it holds there.

Documentation: the guide of the REST API (support.datacite.org/docs/api, "Create DOIs", "Update DOIs", "Delete
DOIs"), its page of states (docs/doi-states), and the service's source (`datacite/lupo`: `app/models/doi.rb`
and `app/controllers/datacite_dois_controller.rb`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cluster.registry.rules import PracticeRegistry
from cluster.registry.server import Fault, RegistryServer, serving
from cluster.registry.shelf import Shelf

DOI = "10.5072/abcd-0001"
WHOLE = {
    "url": "https://example.org/1",
    "creators": [{"name": "Doe, Jane"}],
    "titles": [{"title": "A scan"}],
    "publisher": {"name": "A centre"},
    "publicationYear": "2026",
    "types": {"resourceTypeGeneral": "Dataset"},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    with serving(PracticeRegistry(Shelf(tmp_path), "ABC.DEF", "secret", "10.5072")) as running:
        yield running


Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(server: RegistryServer) -> Ask:
    """A request of the repository, or of somebody else."""

    def call(
        method: str, path: str, login: tuple[str, str] | None = ("ABC.DEF", "secret"), **attributes: Any
    ) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            body = {"data": {"type": "dois", "attributes": attributes}} if attributes else None
            return session.request(method, server.url + path, json=body, auth=login, timeout=30)

    return call


def state(answer: requests.Response) -> str:
    return str(answer.json()["data"]["attributes"]["state"])


def test_a_doi_without_event_is_a_draft_and_needs_no_metadata(ask: Ask) -> None:
    """docs/doi-states "Draft"; docs/api-create-dois "Create a Draft DOI"."""
    made = ask("POST", "/dois", doi=DOI)
    assert (made.status_code, state(made)) == (201, "draft")


@pytest.mark.parametrize(
    ("first", "event", "then"),
    [
        (None, "register", "registered"),
        (None, "publish", "findable"),
        ("register", "publish", "findable"),
        ("publish", "hide", "registered"),
        ("register", "show", "findable"),
    ],
)
def test_events_lead_from_state_to_state(ask: Ask, first: str | None, event: str, then: str) -> None:
    """docs/doi-states "Triggering state transitions"; lupo doi.rb, `aasm`."""
    ask("POST", "/dois", doi=DOI, **WHOLE, **({"event": first} if first else {}))
    changed = ask("PUT", f"/dois/{DOI}", event=event)
    assert (changed.status_code, state(changed)) == (200, then)


@pytest.mark.parametrize(
    ("first", "event", "stays"),
    [
        (None, "hide", "draft"),
        (None, "show", "draft"),
        ("publish", "register", "findable"),
        ("register", "hide", "registered"),
        ("publish", "unheard", "findable"),
    ],
)
def test_an_illegal_event_does_nothing_and_is_answered_as_if_it_had(
    ask: Ask, first: str | None, event: str, stays: str
) -> None:
    """lupo doi.rb: `aasm whiny_transitions: false`."""
    ask("POST", "/dois", doi=DOI, **WHOLE, **({"event": first} if first else {}))
    changed = ask("PUT", f"/dois/{DOI}", event=event)
    assert (changed.status_code, state(changed)) == (200, stays)


@pytest.mark.parametrize("lacks", ["url", "creators", "titles", "publisher", "publicationYear", "types"])
def test_what_is_registered_has_to_be_whole(ask: Ask, lacks: str) -> None:
    """docs/doi-states "Registered"; lupo doi.rb: validations `if: :validatable?`."""
    part = {key: value for key, value in WHOLE.items() if key != lacks}
    refused = ask("POST", "/dois", doi=DOI, event="publish", **part)
    assert (refused.status_code, refused.json()["errors"][0]["source"]) == (422, lacks)
    assert ask("GET", f"/dois/{DOI}").status_code == 404


def test_a_doi_is_taken_once(ask: Ask) -> None:
    """lupo doi.rb: `validates_uniqueness_of :doi`."""
    ask("POST", "/dois", doi=DOI)
    again = ask("POST", "/dois", doi=DOI.upper())
    assert again.status_code == 422
    assert again.json()["errors"][0]["title"] == "This DOI has already been taken"


def test_a_text_that_is_no_doi_is_refused(ask: Ask) -> None:
    """lupo doi.rb: `validates_format_of :doi`."""
    assert ask("POST", "/dois", doi="10.5072/a b").status_code == 422


def test_a_put_of_what_is_unknown_makes_it(ask: Ask) -> None:
    """docs/api-create-dois; lupo controller, `update`: `status: exists ? :ok : :created`."""
    made = ask("PUT", f"/dois/{DOI}", **WHOLE, event="publish")
    assert (made.status_code, state(made)) == (201, "findable")


def test_a_put_changes_what_it_names_and_leaves_the_rest(ask: Ask) -> None:
    """docs/updating-metadata-with-the-rest-api."""
    ask("POST", "/dois", doi=DOI, **WHOLE)
    ask("PUT", f"/dois/{DOI}", titles=[{"title": "Another"}])
    found = ask("GET", f"/dois/{DOI}").json()["data"]["attributes"]
    assert (found["titles"][0]["title"], found["url"]) == ("Another", WHOLE["url"])


@pytest.mark.parametrize("event", [None, "register"])
def test_what_is_not_findable_is_not_there_for_the_public(ask: Ask, event: str | None) -> None:
    """docs/doi-states; lupo controller, `show`: `RecordNotFound` unless findable or one's own."""
    ask("POST", "/dois", doi=DOI, **WHOLE, **({"event": event} if event else {}))
    assert ask("GET", f"/dois/{DOI}", None).status_code == 404
    assert ask("GET", f"/dois/{DOI}").status_code == 200


def test_only_a_draft_can_be_deleted(ask: Ask) -> None:
    """docs/api-delete-dois; lupo controller, `destroy`."""
    ask("POST", "/dois", doi=DOI)
    assert ask("DELETE", f"/dois/{DOI}").status_code == 204
    ask("POST", "/dois", doi=DOI, **WHOLE, event="register")
    refused = ask("DELETE", f"/dois/{DOI}")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "HEAD, GET, POST, PATCH, PUT, OPTIONS"


def test_strangers_register_nothing_and_wrong_passwords_read_nothing(ask: Ask) -> None:
    """docs/api "Authentication"; lupo application controller: 401 "Bad credentials."."""
    assert ask("POST", "/dois", None, doi=DOI).status_code == 401
    assert ask("POST", "/dois", ("ABC.DEF", "wrong"), doi=DOI).status_code == 401
    assert ask("GET", f"/dois/{DOI}", ("ABC.DEF", "wrong")).status_code == 401


def test_another_prefix_is_forbidden(ask: Ask) -> None:
    """docs/api "Prefixes": a repository registers under its own; lupo ability: 403."""
    assert ask("POST", "/dois", doi="10.1234/x").status_code == 403


def test_a_publisher_is_a_text_unless_it_is_asked_for_as_a_whole(ask: Ask) -> None:
    """docs/can-i-see-more-detailed-publisher-information-in-the-rest-api."""
    ask("POST", "/dois", doi=DOI, **WHOLE)
    assert ask("GET", f"/dois/{DOI}").json()["data"]["attributes"]["publisher"] == "A centre"
    whole = ask("GET", f"/dois/{DOI}?publisher=true").json()["data"]["attributes"]
    assert whole["publisher"] == {"name": "A centre"}


def test_a_body_that_is_no_document_is_refused(ask: Ask, server: RegistryServer) -> None:
    """lupo controller, `safe_params`: a payload following the JSONAPI spec."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{server.url}/dois", data=b"[]", auth=("ABC.DEF", "secret"), timeout=30)
    assert answer.status_code == 400


def test_a_lost_answer_leaves_what_was_done(ask: Ask, server: RegistryServer) -> None:
    server.faults.append(Fault("POST", lost=True))
    with pytest.raises(requests.ConnectionError):
        ask("POST", "/dois", doi=DOI)
    assert ask("GET", f"/dois/{DOI}").status_code == 200


def test_records_outlive_the_server(ask: Ask, server: RegistryServer) -> None:
    ask("POST", "/dois", doi=DOI, **WHOLE, event="publish")
    shelf = server.registry.records
    assert isinstance(shelf, Shelf)
    with serving(PracticeRegistry(Shelf(shelf.folder), "ABC.DEF", "secret", "10.5072")) as again:
        found = requests.get(f"{again.url}/dois/{DOI}", timeout=30, proxies={"http": ""})
    assert state(found) == "findable"

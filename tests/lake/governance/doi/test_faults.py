"""Wherever a process dies and whichever answer is lost: one DOI, in the state that was wanted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from sqlalchemy import delete, select

from cluster.home.home import Home
from cluster.registry.server import Fault, RegistryServer
from lake.catalogue.dois import Doi, DoiOutbox
from lake.catalogue.session import transaction
from lake.errors import Fatal
from lake.governance.doi import curating, reconcile
from lake.governance.doi.curating import Subject
from lake.governance.doi.office import Office
from lake.governance.doi.reconcile import TRIES, Synced, sync
from lake.governance.doi.states import State
from lake.governance.policy import OWNER
from lake.lake import Lake
from tests.conftest import HOUSE
from tests.lake.governance.doi import crash
from tests.lake.governance.doi.conftest import Publish, office_at, records


def at_once(_seconds: float) -> None:
    """No pause: what is waited for here is not time."""


def settled(lake: Lake, office: Office) -> Synced:
    """Sync until nobody else is at work: the database needs a moment to notice that a process is gone."""
    while True:
        done = sync(lake, office, pause=at_once)
        if not done.busy:
            return done


def assert_one(lake: Lake, office: Office, server: RegistryServer, subject: Subject, state: str) -> None:
    (found,) = curating.listing(lake, office, subject)
    assert {doi: one["state"] for doi, one in records(server).items()} == {found["doi"]: state}
    assert (found["state"], found["waiting"], found["error"]) == (state, False, "")
    asked = len(server.seen)
    assert settled(lake, office).same == 1
    assert len(server.seen) == asked  # nothing is left to be told


AFTER_A_DECISION = [("publish", point) for point in crash.POINTS if point != "deciding"]
#: A change goes the same ways; what differs is the request.
AFTER_A_CHANGE = [("hide", point) for point in ("decided", "forgetting", "sent", "settling")]


@pytest.mark.parametrize(("work", "point"), AFTER_A_DECISION + AFTER_A_CHANGE)
def test_a_process_that_dies_leaves_one_doi_in_the_right_state(
    home: Home, lake: Lake, office: Office, server: RegistryServer, release: Publish, work: str, point: str
) -> None:
    first = release()
    if work == "hide":
        curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
        sync(lake, office)
    die(home, office, first, work, point)
    settled(lake, office)
    assert_one(lake, office, server, first, "findable" if work == "publish" else "registered")


def test_a_process_that_dies_while_it_decides_has_decided_nothing(
    home: Home, lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    die(home, office, first, "publish", "deciding")
    assert curating.listing(lake, office, first) == []
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")


def die(home: Home, office: Office, subject: Subject, work: str, point: str) -> None:
    """Let a process do something and die on the way."""
    given = {
        "home": str(home.path),
        "url": office.registry.url,
        "password": office.registry.password,
        "prefix": office.registry.prefix,
        "scope": subject.product.scope,
        "point": point,
        "work": work,
    }
    command = [sys.executable, "-m", "tests.lake.governance.doi.crash", json.dumps(given)]
    died = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert died.returncode == crash.DIED, died.stderr


FAULTS = [
    Fault("GET", lost=True),
    Fault("POST", lost=True),
    Fault("POST", status=0),
    Fault("POST", status=500),
    Fault("POST", status=503),
    Fault("POST", status=429),
    Fault("POST", slow=2.0),
    Fault("GET", status=502),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_an_answer_that_is_lost_is_asked_for_again(
    lake: Lake, server: RegistryServer, release: Publish, prefix: str, scope: str, fault: Fault
) -> None:
    office = office_at(server.url, server.registry.password, prefix, scope, timeout=0.5 if fault.slow else 30)
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    server.faults.append(fault)
    assert not sync(lake, office, pause=at_once).silent
    assert not server.faults
    assert_one(lake, office, server, first, "findable")


@pytest.mark.parametrize("fault", [Fault("PUT", lost=True), Fault("PUT", status=0)], ids=str)
def test_a_lost_answer_to_a_change_is_asked_for_again(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, fault: Fault
) -> None:
    first = release()
    curating.mint(lake, office, first, OWNER)
    sync(lake, office)
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    server.faults.append(fault)
    assert not sync(lake, office, pause=at_once).silent
    assert_one(lake, office, server, first, "findable")


def test_what_is_tried_in_vain_waits_for_the_next_sync(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    server.faults += [Fault("POST", lost=True), *(Fault("PUT", lost=True) for _ in range(TRIES - 1))]
    pauses: list[float] = []
    assert "does not answer" in sync(lake, office, pause=pauses.append).silent
    assert pauses == sorted(pauses)
    assert len(pauses) == TRIES - 1
    (found,) = curating.listing(lake, office, first)
    assert (found["state"], found["waiting"]) == ("none", True)  # what the registry did is not known here
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")


def test_what_was_wanted_back_while_an_answer_was_lost_is_told_again(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    """The registry has the other words, the catalogue remembers the first: it must not trust its memory."""
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    sync(lake, office)
    curating.hide(lake, office, first, "no", OWNER)
    server.faults += [Fault("PUT", lost=True) for _ in range(TRIES)]
    assert sync(lake, office, pause=at_once).silent
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")


def test_two_that_sync_at_once_tell_it_once(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, prefix: str, scope: str
) -> None:
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    server.faults.append(Fault("GET", slow=0.5))
    offices = [office_at(server.url, server.registry.password, prefix, scope) for _ in range(3)]
    threads = [threading.Thread(target=sync, args=(lake, one)) for one in offices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [method for method, _ in server.seen if method != "GET"] == ["POST"]
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")


def test_a_registry_that_refuses_us_stops_the_sync(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, prefix: str, scope: str
) -> None:
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    with pytest.raises(Fatal, match="401"):
        sync(lake, office_at(server.url, "wrong", prefix, scope))
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")


def test_a_state_that_was_silently_not_taken_is_named(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release()
    curating.mint(lake, office, first, OWNER)
    sync(lake, office)
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    with monkeypatch.context() as wrong:
        wrong.setattr("lake.governance.doi.client.event", lambda _there, _wanted: "hide")
        done = sync(lake, office, pause=at_once)
    assert "left it draft instead of findable" in str(done.refused)
    assert "left it draft" in curating.listing(lake, office, first)[0]["error"]
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")


def test_a_doi_that_somebody_changed_at_the_registry_is_put_right_when_all_are_read_back(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    sync(lake, office)
    (doi,) = records(server)
    office.registrar._client.put_doi(doi, {"attributes": {"event": "hide"}})
    assert sync(lake, office).same == 1
    assert reconcile.sync(lake, office, thorough=True).told == {doi: State.FINDABLE}
    assert records(server)[doi]["state"] == "findable"


def test_the_doi_of_a_catalogue_that_was_set_back_is_the_same_again(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    sync(lake, office)
    with transaction(lake.sessions) as session:
        ours = select(Doi.id).where(Doi.prefix == office.registry.prefix)
        session.execute(delete(DoiOutbox).where(DoiOutbox.doi_id.in_(ours)))
        session.execute(delete(Doi).where(Doi.prefix == office.registry.prefix))
    curating.raise_to(lake, office, first, State.FINDABLE, OWNER)
    settled(lake, office)
    assert_one(lake, office, server, first, "findable")

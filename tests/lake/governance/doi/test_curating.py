"""Curators mint, publish and hide; embargoes, versions and withdrawals do the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.registry.server import RegistryServer
from lake.catalogue.session import transaction
from lake.errors import BadInput
from lake.governance.doi import curating
from lake.governance.doi.curating import Subject
from lake.governance.doi.office import Office
from lake.governance.doi.outbox import withdrawn
from lake.governance.doi.reconcile import sync
from lake.governance.doi.registry import Citations
from lake.governance.doi.states import State
from lake.governance.policy import OWNER, PUBLIC, Principal
from lake.lake import Lake
from lake.names import ProductKey
from tests.lake.governance.doi.conftest import Publish, change, hold, records

SOON = datetime.now(UTC) + timedelta(days=30)


def publish(lake: Lake, office: Office, subject: Subject) -> dict[str, Any]:
    """Have a DOI published, and say what is known of it then."""
    curating.raise_to(lake, office, subject, State.FINDABLE, OWNER)
    assert not sync(lake, office).refused
    return known(lake, office, subject)


def known(lake: Lake, office: Office, subject: Subject) -> dict[str, Any]:
    (found,) = curating.listing(lake, office, subject)
    return found


def withdraw(lake: Lake, subject: Subject, reason: str) -> None:
    with transaction(lake.sessions) as session:
        change(lake, subject, status="WITHDRAWN")
        assert subject.release_id is not None
        withdrawn(session, [subject.release_id], reason)


def related(server: RegistryServer, doi: str) -> set[tuple[str, str]]:
    said = records(server)[doi]["attributes"]["relatedIdentifiers"]
    return {(one["relationType"], one["relatedIdentifier"]) for one in said}


def test_a_minted_doi_is_a_draft_that_says_nothing_of_its_release_in_its_name(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, product: ProductKey
) -> None:
    first = release()
    curating.mint(lake, office, first, OWNER)
    sync(lake, office)
    found = known(lake, office, first)
    assert (found["state"], records(server)[found["doi"]]["state"]) == ("draft", "draft")
    assert product.scope not in found["doi"]


def test_a_release_has_one_doi_however_often_it_is_minted(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    for _ in range(3):
        curating.mint(lake, office, first, OWNER)
        sync(lake, office)
    assert len(records(server)) == 1


def test_versions_and_their_product_name_each_other(
    lake: Lake,
    office: Office,
    server: RegistryServer,
    release: Publish,
    concept: Callable[[], Subject],
) -> None:
    one, two, three = release(), release(), release()
    whole = publish(lake, office, concept())["doi"]
    first, third = (publish(lake, office, each)["doi"] for each in (one, three))
    curating.mint(lake, office, two, OWNER)
    sync(lake, office)
    instrument = ("IsCollectedBy", "10.5072/toy")
    assert related(server, whole) == {("HasVersion", first), ("HasVersion", third), instrument}
    assert related(server, first) == {("IsVersionOf", whole), ("IsPreviousVersionOf", third), instrument}
    # The second is a draft: nobody else can see it.
    assert related(server, third) == {("IsVersionOf", whole), ("IsNewVersionOf", first), instrument}


def test_under_embargo_it_is_registered_and_found_when_the_clock_ends_it(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    hold(lake, first, SOON)
    found = publish(lake, office, first)
    assert (found["state"], found["asked"]) == ("registered", "findable")
    assert found["findable_from"] is not None
    held = records(server)[found["doi"]]["attributes"]
    assert any("Embargoed until" in one["rights"] for one in held["rightsList"])
    assert {"date": f"{SOON:%Y-%m-%dT%H:%M:%SZ}", "dateType": "Available"} in held["dates"]
    assert held["publicationYear"] == str(SOON.year)
    hold(lake, first, datetime.now(UTC) - timedelta(seconds=1))  # as if the time had come
    sync(lake, office)
    freed = records(server)[found["doi"]]
    assert freed["state"] == "findable"
    assert not any("Embargoed" in one["rights"] for one in freed["attributes"]["rightsList"])


def test_an_embargo_that_comes_after_it_was_found_does_not_hide_it(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    doi = publish(lake, office, first)["doi"]
    hold(lake, first, SOON)
    sync(lake, office)
    assert records(server)[doi]["state"] == "findable"
    assert any("Embargoed" in one["rights"] for one in records(server)[doi]["attributes"]["rightsList"])


def test_a_withdrawn_release_keeps_its_doi_with_a_tombstone(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    doi = publish(lake, office, first)["doi"]
    withdraw(lake, first, "the flat was wrong")
    sync(lake, office)
    there = records(server)[doi]
    assert there["state"] == "registered"
    said = there["attributes"]["descriptions"][0]["description"]
    assert said == "WITHDRAWN: the flat was wrong"
    assert "Withdrawn" in {one["dateType"] for one in there["attributes"]["dates"]}
    found = known(lake, office, first)
    assert (found["status"], found["tombstone"]) == ("WITHDRAWN", "the flat was wrong")
    with pytest.raises(BadInput, match="withdrawn"):
        curating.raise_to(lake, office, first, State.FINDABLE, OWNER)


def test_a_product_gets_its_tombstone_with_the_last_of_its_releases(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, concept: Callable[[], Subject]
) -> None:
    one, two = release(), release()
    whole = publish(lake, office, concept())["doi"]
    withdraw(lake, two, "no")
    sync(lake, office)
    assert records(server)[whole]["state"] == "findable"
    withdraw(lake, one, "no")
    sync(lake, office)
    assert records(server)[whole]["state"] == "registered"


def test_the_draft_of_a_withdrawn_release_is_never_shown(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    curating.mint(lake, office, first, OWNER)
    withdraw(lake, first, "no")
    sync(lake, office)
    assert [one["state"] for one in records(server).values()] == ["draft"]


def test_a_withdrawn_release_gets_no_doi_any_more(lake: Lake, office: Office, release: Publish) -> None:
    first = release()
    withdraw(lake, first, "no")
    with pytest.raises(BadInput, match="no DOI any more"):
        curating.mint(lake, office, first, OWNER)


def test_what_is_hidden_says_why_and_can_be_shown_again(
    lake: Lake, office: Office, server: RegistryServer, release: Publish
) -> None:
    first = release()
    doi = publish(lake, office, first)["doi"]
    curating.hide(lake, office, first, "under review", OWNER)
    sync(lake, office)
    assert records(server)[doi]["state"] == "registered"
    assert known(lake, office, first)["tombstone"] == "under review"
    publish(lake, office, first)
    assert records(server)[doi]["state"] == "findable"
    assert records(server)[doi]["attributes"]["descriptions"][0]["descriptionType"] == "Abstract"


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines"])
def test_nothing_is_hidden_without_a_reason(
    lake: Lake, office: Office, release: Publish, reason: str
) -> None:
    first = release()
    publish(lake, office, first)
    with pytest.raises(BadInput, match="reason"):
        curating.hide(lake, office, first, reason, OWNER)


def test_a_draft_cannot_be_hidden(lake: Lake, office: Office, release: Publish) -> None:
    first = release()
    curating.mint(lake, office, first, OWNER)
    with pytest.raises(BadInput, match="draft"):
        curating.hide(lake, office, first, "no", OWNER)


def test_only_the_instruments_curators_decide(
    lake: Lake, office: Office, release: Publish, product: ProductKey
) -> None:
    first = release()
    for stranger in (PUBLIC, Principal("ada"), Principal("bo", curates=frozenset({"another"}))):
        with pytest.raises(BadInput, match="may not decide"):
            curating.mint(lake, office, first, stranger)
    curating.mint(lake, office, first, Principal("cy", curates=frozenset({product.scope})))


def test_without_creators_nothing_is_minted_and_file_and_keyword_are_named(
    lake: Lake, office: Office, release: Publish, product: ProductKey
) -> None:
    first = release()
    nameless = Office(office.registry, Citations({}, Path("governance.yaml")))
    with pytest.raises(BadInput, match="nothing is said") as refusal:
        curating.mint(lake, nameless, first, OWNER)
    assert refusal.value.file == "governance.yaml"
    assert refusal.value.keyword == f"citation.{product.scope}.creators"
    assert curating.listing(lake, office, first) == []


def test_what_cannot_be_sent_is_refused_before_anything_is_decided(
    lake: Lake, office: Office, release: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release()
    monkeypatch.setattr(
        "lake.governance.doi.metadata.available", lambda _facts: datetime(1, 1, 1, tzinfo=UTC)
    )
    with pytest.raises(BadInput, match=r"schema 4\.5.*publicationYear"):
        curating.mint(lake, office, first, OWNER)
    assert curating.listing(lake, office, first) == []


def test_a_later_version_tells_what_came_before_it_of_itself(
    lake: Lake, office: Office, server: RegistryServer, release: Publish, concept: Callable[[], Subject]
) -> None:
    release()
    whole = publish(lake, office, concept())["doi"]
    before = records(server)[whole]["attributes"]["alternateIdentifiers"]
    later = release()
    doi = publish(lake, office, later)["doi"]
    assert ("HasVersion", doi) in related(server, whole)
    assert records(server)[whole]["attributes"]["alternateIdentifiers"] == before

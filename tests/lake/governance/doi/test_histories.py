"""Whatever is decided in whatever order, and whatever is lost: a sync that goes through is right."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cluster.registry.rules import PracticeRegistry
from cluster.registry.server import Fault, serving
from cluster.registry.shelf import Shelf
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.errors import BadInput
from lake.governance.doi import curating
from lake.governance.doi.curating import Subject
from lake.governance.doi.outbox import withdrawn
from lake.governance.doi.reconcile import TRIES, sync
from lake.governance.doi.states import State
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.names import ProductKey
from tests.conftest import FUZZ
from tests.lake.governance.doi.conftest import change, office_at, records

MOST = 3


@dataclass
class One:
    """A release, or (at place 0) the product, as the simplest of all models has it."""

    subject: Subject
    withdrawn: bool = False
    embargoed: bool = False
    asked: str = ""
    hidden: bool = False


class Histories(RuleBasedStateMachine):
    """Releases come, are held, freed, withdrawn; their DOIs are decided about; requests fail."""

    lake: Lake

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        scope, prefix = f"t_{secrets.token_hex(5)}", f"10.{10000 + secrets.randbelow(89999)}"
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        rules = PracticeRegistry(Shelf(folder), "ABC.DEF", "secret", prefix)
        self.server = self.stack.enter_context(serving(rules))
        self.office = office_at(self.server.url, "secret", prefix, scope)
        self.key = ProductKey(scope, "obs", "1")
        with transaction(self.lake.sessions) as session:
            observation = Observation(scope=scope, name="obs")
            session.add(observation)
            session.flush()
            product = Product(observation_id=observation.id, level="1", name=self.key.name)
            session.add(product)
            session.flush()
            self.product_id = product.id
        self.things = [One(Subject(self.key, self.product_id))]
        self.next_version()
        self.next_version()

    @initialize(wanted=st.tuples(*[st.sampled_from(["draft", "registered", "findable"])] * 3))
    def begin(self, wanted: tuple[str, ...]) -> None:
        """Most have DOIs from the beginning: otherwise there is little to go wrong."""
        for place, one in enumerate(wanted):
            self.decide(place, one)
        self.sync()

    def teardown(self) -> None:
        self.server.faults.clear()
        self.sync()
        self.stack.close()

    @precondition(lambda self: len(self.things) <= MOST)
    @rule()
    def next_version(self) -> None:
        number = len(self.things)
        with transaction(self.lake.sessions) as session:
            for release in session.query(Release).filter_by(product_id=self.product_id, status="ACTIVE"):
                release.status = "SUPERSEDED"
            session.flush()
            release = Release(
                product_id=self.product_id,
                version=number,
                status="ACTIVE",
                scope=self.key.scope,
                level="1",
                dataset=f"obs.l1.v{number:04d}",
                draft_key=str(number),
                published=datetime.now(UTC),
            )
            session.add(release)
            session.flush()
            self.things.append(One(Subject(self.key, self.product_id, release.id)))

    @rule(place=st.integers(0, MOST), wanted=st.sampled_from(["draft", "registered", "findable"]))
    def decide(self, place: int, wanted: str) -> None:
        one = self.thing(place)
        back = one.asked == "findable" and wanted == "registered" and not one.hidden
        lost = self.is_withdrawn(one) and (wanted != "draft" or not one.asked)
        try:
            if wanted == "draft":
                curating.mint(self.lake, self.office, one.subject, OWNER)
            else:
                curating.raise_to(self.lake, self.office, one.subject, State(wanted), OWNER)
        except BadInput:
            assert back or lost
            return
        assert not back
        assert not lost
        if wanted != "draft":
            one.asked, one.hidden = wanted, False
        one.asked = one.asked or "draft"

    @rule(place=st.integers(0, MOST))
    def hide(self, place: int) -> None:
        one = self.thing(place)
        try:
            curating.hide(self.lake, self.office, one.subject, "because", OWNER)
        except BadInput:
            assert one.asked in ("", "draft")
            return
        assert one.asked in ("registered", "findable")
        one.hidden = True

    @rule(place=st.integers(1, MOST), days=st.sampled_from([-1, 30]))
    def embargo(self, place: int, days: int) -> None:
        one = self.thing(place)
        if one.subject.release_id is not None:
            change(self.lake, one.subject, embargo_until=datetime.now(UTC) + timedelta(days=days))
            one.embargoed = days > 0

    @rule(place=st.integers(1, MOST))
    def withdraw(self, place: int) -> None:
        one = self.thing(place)
        if one.subject.release_id is None or one.withdrawn:
            return
        with transaction(self.lake.sessions) as session:
            session.get_one(Release, one.subject.release_id).status = "WITHDRAWN"
            withdrawn(session, [one.subject.release_id], "because")
        one.withdrawn, one.hidden = True, bool(one.asked)
        if self.is_withdrawn(self.things[0]):
            self.things[0].hidden = bool(self.things[0].asked)

    @rule(method=st.sampled_from(["GET", "POST", "PUT"]), how=st.sampled_from(["lost", "cut", "error"]))
    def sync_in_vain(self, method: str, how: str) -> None:
        fault = Fault(method, lost=how == "lost", status={"lost": None, "cut": 0, "error": 500}[how])
        self.server.faults += [fault] * TRIES
        sync(self.lake, self.office, pause=lambda _: None)
        self.server.faults.clear()

    @rule()
    def sync(self) -> None:
        self.server.faults.clear()
        before = {doi: record["state"] for doi, record in records(self.server).items()}
        done = sync(self.lake, self.office)
        assert (done.silent, done.refused, done.busy) == ("", {}, [])
        there = records(self.server)
        dois = {one.subject.release_id: doi for one in self.things if (doi := self.doi(one))}
        assert set(there) == set(dois.values())
        for one in self.things:
            if one.asked:
                record = there[dois[one.subject.release_id]]
                assert record["state"] == self.expected(one, before.get(record["doi"], "none"))
                said = str(record["attributes"]["rightsList"])
                assert ("Embargoed" in said) == (self.is_embargoed(one) and not self.is_withdrawn(one))
        self.check_relations({key: there[doi]["attributes"] for key, doi in dois.items()}, dois)
        asked = len(self.server.seen)
        sync(self.lake, self.office)
        assert len(self.server.seen) == asked

    @invariant()
    def nothing_is_registered_that_was_not_decided(self) -> None:
        decided = {self.doi(one) for one in self.things}
        assert set(records(self.server)) <= decided

    def expected(self, one: One, before: str) -> str:
        if one.asked == "draft":
            return "draft"
        if one.hidden:
            return "registered"
        if self.is_embargoed(one) and before != "findable":
            return "registered"
        return max(before, one.asked, key=rank)

    def check_relations(self, said: dict[int | None, dict[str, Any]], dois: dict[int | None, str]) -> None:
        public = [one for one in self.things if one.asked not in ("", "draft")]
        versions = [dois[one.subject.release_id] for one in public if one.subject.release_id is not None]
        for one in self.things:
            if one.asked:
                found = {
                    (each["relationType"], each["relatedIdentifier"])
                    for each in said[one.subject.release_id]["relatedIdentifiers"]
                }
                has = {other for relation, other in found if relation == "HasVersion"}
                assert has == (set(versions) if one.subject.release_id is None else set())
        for earlier, later in pairwise(versions):
            by_doi = {doi: said[key] for key, doi in dois.items()}
            assert ("IsPreviousVersionOf", later) in relations(by_doi[earlier])
            assert ("IsNewVersionOf", earlier) in relations(by_doi[later])

    def thing(self, place: int) -> One:
        return self.things[place % len(self.things)]

    def doi(self, one: One) -> str:
        found = curating.listing(self.lake, self.office, one.subject)
        assert len(found) == bool(one.asked)
        return found[0]["doi"] if found else ""

    def is_withdrawn(self, one: One) -> bool:
        return one.withdrawn if one.subject.release_id else all(each.withdrawn for each in self.things[1:])

    def is_embargoed(self, one: One) -> bool:
        left = [each.embargoed for each in self.things[1:] if not each.withdrawn]
        return one.embargoed if one.subject.release_id else bool(left) and all(left)


def relations(said: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["relationType"], one["relatedIdentifier"]) for one in said["relatedIdentifiers"]}


def rank(state: str) -> int:
    return ["none", "draft", "registered", "findable"].index(state)


def test_every_history_ends_as_it_was_decided(lake: Lake) -> None:
    Histories.lake = lake
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=10 * FUZZ,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

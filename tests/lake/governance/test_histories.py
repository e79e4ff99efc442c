"""Random histories of publishing, embargoes, withdrawals and clocks agree with a model that fits on a page.

The lake keeps terms in rows and settles them when something happens; the model remembers what was decided
and works everything out anew each time it is asked. Rucio's mirror of open data has its own tests.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from lake.catalogue.models import Product, Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.governance import embargo
from lake.governance.policy import OPERATOR, OWNER, PUBLIC, Action, Principal, may
from lake.governance.target import Target
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import publishing, withdrawal
from lake.releases.activation import reactivate
from lake.releases.drafts import Provenance, reserve

START = datetime.now(UTC).replace(microsecond=0)
OBSERVATIONS = ("a", "b", "c")
CAMPAIGNS = {"a": ["P1"], "b": ["P1", "P2"], "c": []}
DAYS = st.integers(1, 6)
HOLDERS = st.lists(st.sampled_from(["ada", "bo", "group:team"]), unique=True, max_size=2)
PEOPLE = (
    PUBLIC,
    OPERATOR,
    Principal("ada"),
    Principal("bo"),
    Principal("cy", frozenset({"team"})),
)
Held = tuple[datetime | None, frozenset[str]]
FREE: Held = (None, frozenset())


def day(number: float) -> datetime:
    return START + timedelta(days=100 * number)


def strictest(several: list[Held]) -> Held:
    held = [one for one in several if one[0] is not None]
    if not held:
        return FREE
    return max(until for until, _ in held if until), frozenset.intersection(*(who for _, who in held))


@dataclass
class Known:
    """A release, as the model knows it."""

    observation: str
    level: str
    version: int
    parents: list[Known]
    status: str = "ACTIVE"
    files: list[FileEntry] = field(default_factory=list)
    caveats: tuple[str, ...] = ()


class Histories(RuleBasedStateMachine):
    """What may happen, in any order."""

    lake: ClassVar[Lake]

    def __init__(self) -> None:
        super().__init__()
        self.scope = f"t_{secrets.token_hex(5)}"
        self.releases: list[Known] = []
        self.decided: dict[str, Held] = {}
        self.numbers = count()

    # --- what happens

    @rule(observation=st.sampled_from(OBSERVATIONS), level=st.sampled_from(["0", "1"]), data=st.data())
    def publish(self, observation: str, level: str, data: st.DataObject) -> None:
        choice = (
            st.lists(st.sampled_from(self.releases), max_size=2, unique_by=id)
            if self.releases
            else st.just([])
        )
        parents = [one for one in data.draw(choice) if level == "1"]
        before = self.versions(observation, level)
        number = next(self.numbers)
        file = FileEntry(self.scope, f"f{number}.fits", level, f"f{number}", 1, "0" * 8, f"{number:064d}")
        key = ProductKey(self.scope, observation, level)
        draft = reserve(self.lake, key, f"k{number}")
        provenance = Provenance(
            parents=[self.name(one) for one in parents],
            observation_meta={"proposal": CAMPAIGNS[observation]} if CAMPAIGNS[observation] else {},
        )
        with transaction(self.lake.sessions) as session:
            publishing.into_catalogue(session, draft.release_id, [file], provenance)
        for one in before:
            one.status = "SUPERSEDED" if one.status == "ACTIVE" else one.status
        self.releases.append(Known(observation, level, len(before) + 1, parents, files=[file]))

    @rule(what=st.sampled_from([*OBSERVATIONS, "P1", "P2"]), end=DAYS, holders=HOLDERS)
    def put(self, what: str, end: int, holders: list[str]) -> None:
        until = day(end)
        if what in OBSERVATIONS and not self.versions(what):
            return
        shortened = [
            held[0]
            for name in self.observations_of(what)
            if (held := strictest(self.about(name)))[0] is not None and held[0] > until
        ]
        before = self.decided.get(what, FREE)[0]
        if shortened or (before is not None and before > until):
            with pytest.raises(BadInput, match="shorten"):
                self.decide(what, until, holders)
        else:
            self.decide(what, until, holders)
            self.decided[what] = (until, frozenset(holders))

    @rule(what=st.sampled_from([*OBSERVATIONS, "P1", "P2"]), end=st.none() | DAYS)
    def lift(self, what: str, end: int | None) -> None:
        before = self.decided.get(what)
        if before is None or before[0] is None or (end is not None and day(end) >= before[0]):
            return
        at = None if end is None else day(end)
        embargo.lift(self.lake, self.target(what), reason="lifted", principal=OWNER, at=at)
        self.decided[what] = FREE if at is None else (at, before[1])

    @precondition(lambda self: self.releases)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.releases))
        if one.status == "WITHDRAWN":
            with pytest.raises(BadInput, match="cannot be withdrawn"):
                withdrawal.withdraw(self.lake, self.name(one), reason="wrong", principal=OWNER)
            return
        told = withdrawal.withdraw(self.lake, self.name(one), reason="wrong", principal=OWNER)
        one.status = "WITHDRAWN"
        wanted = {
            self.name(other) for other in self.releases if other.status != "WITHDRAWN" and made_of(other, one)
        }
        assert set(told.derived) == wanted

    @precondition(lambda self: self.releases)
    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.releases))
        key = ProductKey(self.scope, one.observation, one.level)
        again = reactivate(self.lake, key, [one.files[0].did], [], "run")
        assert (again is not None) == (one.status == "SUPERSEDED")
        if again is not None:
            for other in self.versions(one.observation, one.level):
                other.status = "SUPERSEDED" if other.status == "ACTIVE" else other.status
            one.status = "ACTIVE"

    # --- what holds at every moment

    @invariant()
    def terms_are_those_of_the_model(self) -> None:
        with transaction(self.lake.sessions) as session:
            rows = session.execute(
                select(Product.name, Release).join(Product).where(Release.scope == self.scope)
            ).all()
        found = {(name, release.version): release for name, release in rows}
        assert len(found) == len(self.releases)
        for one in self.releases:
            release = found[self.name(one).rpartition("@")[0], one.version]
            until, holders = self.held(one)
            assert release.status == one.status
            assert (release.embargo_until, frozenset(release.embargo_holders)) == (until, holders), self.name(
                one
            )
            for person in PEOPLE:
                for at in (START, day(2.5), day(4), day(7)):
                    assert may(person, Action.BYTES, release, at) == given(
                        person, one.status, until, holders, at
                    )

    # --- the model

    def name(self, one: Known) -> str:
        return f"{self.scope}:{one.observation}.l{one.level}@v{one.version:04d}"

    def versions(self, observation: str, level: str | None = None) -> list[Known]:
        return [one for one in self.releases if one.observation == observation and level in (None, one.level)]

    def observations_of(self, what: str) -> list[str]:
        known = {one.observation for one in self.releases}
        return [name for name in OBSERVATIONS if name in known and (what == name or what in CAMPAIGNS[name])]

    def about(self, observation: str) -> list[Held]:
        return [self.decided.get(what, FREE) for what in (observation, *CAMPAIGNS[observation])]

    def held(self, one: Known) -> Held:
        before = [
            other for other in self.versions(one.observation, one.level) if other.version == one.version - 1
        ]
        return strictest([*self.about(one.observation), *map(self.held, [*one.parents, *before])])

    def target(self, what: str) -> Target:
        if what in OBSERVATIONS:
            return Target(self.scope, what)
        return Target(self.scope, key="proposal", value=what)

    def decide(self, what: str, until: datetime, holders: list[str]) -> None:
        embargo.put(self.lake, self.target(what), until, holders=holders, reason="decided", principal=OWNER)


def made_of(one: Known, other: Known) -> bool:
    return any(parent is other or made_of(parent, other) for parent in one.parents)


def given(
    person: Principal, status: str, until: datetime | None, holders: frozenset[str], at: datetime
) -> bool:
    if status == "WITHDRAWN":
        return False
    names = {person.name, *(f"group:{one}" for one in person.groups)}
    return person.operator or until is None or at >= until or bool(names & holders)


def test_whatever_happens_in_whatever_order_the_lake_and_the_model_agree(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> None:
        """Rucio knows nothing of these releases."""

    monkeypatch.setattr(embargo, "mirror_many", nothing)
    monkeypatch.setattr(withdrawal, "mirror", nothing)
    Histories.lake = lake
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A history that fails is told as it was found: making it shorter would take a database minutes.
            phases=(Phase.reuse, Phase.generate),
        ),
    )

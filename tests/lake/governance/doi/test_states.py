"""Which state a DOI is to have follows from what was asked, tombstones and the clock alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.registry.rules import _EVENTS
from lake.errors import BadInput
from lake.governance.doi.states import State, Wanted, event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = st.sampled_from([State.DRAFT, State.REGISTERED, State.FINDABLE])
THERE = st.sampled_from(State)
FREE = st.none() | st.timedeltas(timedelta(-9), timedelta(9)).map(lambda away: NOW + away)
WANTED = st.builds(Wanted, ASKED, st.booleans(), FREE)


@given(WANTED, THERE)
def test_one_event_at_most_leads_from_any_state_to_the_one_it_is_to_have(
    wanted: Wanted, there: State
) -> None:
    goal = wanted.at(NOW, there)
    happens = event(there, goal)
    start = "draft" if there is State.NONE else str(there)
    assert _EVENTS.get((start, happens), start) == goal


@given(WANTED, THERE)
def test_what_was_public_stays_public(wanted: Wanted, there: State) -> None:
    assert wanted.at(NOW, there).public or not there.public


@given(WANTED, THERE)
def test_nothing_with_a_tombstone_is_findable(wanted: Wanted, there: State) -> None:
    if wanted.hidden:
        assert wanted.at(NOW, there) is not State.FINDABLE


@given(THERE, st.timedeltas(timedelta(microseconds=1), timedelta(9)))
def test_the_end_of_an_embargo_lets_a_doi_be_found_at_its_very_moment(there: State, early: timedelta) -> None:
    wanted = Wanted(State.FINDABLE, free_at=NOW)
    assert wanted.at(NOW, there) is State.FINDABLE
    before = wanted.at(NOW - early, there)
    assert before is (State.FINDABLE if there is State.FINDABLE else State.REGISTERED)


def test_a_draft_stays_one_until_more_is_asked() -> None:
    assert Wanted(State.DRAFT).at(NOW, State.NONE) is State.DRAFT
    assert Wanted(State.DRAFT, hidden=True).at(NOW, State.DRAFT) is State.DRAFT


def test_nothing_leads_back_to_a_draft() -> None:
    with pytest.raises(BadInput, match="cannot become a draft"):
        event(State.FINDABLE, State.DRAFT)

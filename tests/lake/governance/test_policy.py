"""Metadata are public; bytes follow status, embargo, holders and the clock alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.governance.policy import OPERATOR, PUBLIC, Action, Principal, Terms, may, strictest

STATUSES = st.sampled_from(["DRAFT", "ACTIVE", "SUPERSEDED", "WITHDRAWN"])
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PEOPLE = st.sampled_from(["", "ada", "bob"])
TERMS = st.builds(Terms, STATUSES, st.none() | TIMES, st.lists(PEOPLE, max_size=2))
BYTES = st.sampled_from([Action.BYTES, Action.PREVIEW])


@given(PEOPLE, TERMS, TIMES)
def test_metadata_are_for_everybody_always(name: str, terms: Terms, at: datetime) -> None:
    assert may(Principal(name), Action.METADATA, terms, at)


@given(BYTES, TERMS, TIMES)
def test_an_operator_may_have_everything(action: Action, terms: Terms, at: datetime) -> None:
    assert may(OPERATOR, action, terms, at)


@given(PEOPLE, BYTES, TERMS, TIMES)
def test_bytes_of_drafts_and_withdrawn_releases_are_for_nobody_else(
    name: str, action: Action, terms: Terms, at: datetime
) -> None:
    if terms.status in ("DRAFT", "WITHDRAWN"):
        assert not may(Principal(name), action, terms, at)


@given(PEOPLE, BYTES, TERMS, TIMES)
def test_before_the_end_of_an_embargo_only_holders_get_bytes(
    name: str, action: Action, terms: Terms, at: datetime
) -> None:
    if (
        terms.embargo_until is not None
        and at < terms.embargo_until
        and may(Principal(name), action, terms, at)
    ):
        assert name
        assert name in terms.embargo_holders


@given(PEOPLE, BYTES, TERMS, TIMES, st.timedeltas(timedelta(0), timedelta(days=9000)))
def test_what_is_allowed_once_stays_allowed_as_time_goes_on(
    name: str, action: Action, terms: Terms, at: datetime, later: timedelta
) -> None:
    if may(Principal(name), action, terms, at):
        assert may(Principal(name), action, terms, at + later)


def test_an_embargo_ends_at_its_very_moment() -> None:
    end = datetime(2030, 1, 1, tzinfo=UTC)
    terms = Terms("ACTIVE", end)
    assert not may(PUBLIC, Action.BYTES, terms, end - timedelta(microseconds=1))
    assert may(PUBLIC, Action.BYTES, terms, end)


def test_an_action_nobody_defined_is_an_error_and_not_allowed() -> None:
    with pytest.raises(ValueError, match="delete"):
        may(OPERATOR, "delete", Terms("ACTIVE"), datetime.now(UTC))


@given(PEOPLE, BYTES, TERMS, TIMES)
def test_bytes_are_given_exactly_as_the_terms_say(
    name: str, action: Action, terms: Terms, at: datetime
) -> None:
    published = terms.status in {"ACTIVE", "SUPERSEDED"}
    under_embargo = terms.embargo_until is not None and at < terms.embargo_until
    holder = name != "" and name in terms.embargo_holders
    assert may(Principal(name), action, terms, at) == (published and (holder or not under_embargo))


@pytest.mark.parametrize("status", ["ACTIVE", "SUPERSEDED"])
@pytest.mark.parametrize("action", [Action.BYTES, Action.PREVIEW])
def test_a_holder_gets_bytes_of_what_is_under_embargo_and_a_stranger_does_not(
    status: str, action: Action
) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    terms = Terms(status, now + timedelta(days=1), ["ada"])
    assert may(Principal("ada"), action, terms, now)
    assert not may(Principal("bob"), action, terms, now)
    assert not may(PUBLIC, action, terms, now)


@pytest.mark.parametrize("status", ["ACTIVE", "SUPERSEDED"])
def test_everybody_gets_bytes_of_what_is_published_and_under_no_embargo(status: str) -> None:
    assert may(PUBLIC, Action.BYTES, Terms(status), datetime(2030, 1, 1, tzinfo=UTC))


def test_the_public_holds_nothing_even_where_a_list_of_holders_names_nobody() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert not may(PUBLIC, Action.BYTES, Terms("ACTIVE", now + timedelta(days=1), [""]), now)


def test_a_time_without_a_zone_is_utc() -> None:
    end = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert may(PUBLIC, Action.BYTES, Terms("ACTIVE", end), datetime(2030, 1, 1, 12))  # noqa: DTZ001
    assert not may(PUBLIC, Action.BYTES, Terms("ACTIVE", end), datetime(2030, 1, 1, 11, 59))  # noqa: DTZ001


def test_actions_are_called_as_audit_and_routes_name_them() -> None:
    assert [action.value for action in Action] == ["metadata", "preview", "bytes"]


def test_the_operator_and_the_public_are_who_they_are_called() -> None:
    assert (OPERATOR.name, OPERATOR.operator) == ("operator", True)
    assert (PUBLIC.name, PUBLIC.operator) == ("", False)


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def under(days: float, *holders: str) -> Terms:
    return Terms("ACTIVE", NOON + timedelta(days=days), list(holders))


def test_what_is_made_of_several_is_for_those_alone_whom_all_of_them_let_in() -> None:
    assert strictest([under(3, "ada", "bo"), under(9, "bo", "cy"), Terms("ACTIVE")], NOON) == (
        NOON + timedelta(days=9),
        ["bo"],
    )
    assert strictest([under(3, "ada"), under(9, "bo")], NOON)[1] == []


def test_an_embargo_that_ended_keeps_nobody_out_of_what_is_made_now() -> None:
    assert strictest([under(-1, "ada"), Terms("ACTIVE")], NOON) == (None, [])
    assert strictest([under(0, "ada"), under(5, "bo")], NOON) == (NOON + timedelta(days=5), ["bo"])
    assert strictest([], NOON) == (None, [])

"""Metadata are public; bytes follow status, embargo, holders and the clock alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.governance.policy import (
    CUSTODY,
    OPERATOR,
    OWNER,
    PUBLIC,
    Action,
    NotGranted,
    Principal,
    Scope,
    Terms,
    grant,
    may,
    strictest,
)

STATUSES = st.sampled_from(["DRAFT", "ACTIVE", "SUPERSEDED", "WITHDRAWN"])
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PEOPLE = st.sampled_from(["", "ada", "bob"])
HOLDERS = st.sampled_from(["", "ada", "bob", "group:team"])
INSTRUMENTS = st.sampled_from(["gris", "lars"])
TERMS = st.builds(Terms, STATUSES, st.none() | TIMES, st.lists(HOLDERS, max_size=2), INSTRUMENTS)
PRINCIPALS = st.builds(
    Principal,
    PEOPLE,
    st.frozensets(st.sampled_from(["team", "ada"]), max_size=1),
    st.frozensets(st.sampled_from(["gris", "*"]), max_size=1),
    st.booleans(),
    st.frozensets(st.sampled_from(Scope)),
)
BYTES = st.sampled_from([Action.BYTES, Action.PREVIEW])


@given(PEOPLE, TERMS, TIMES)
def test_metadata_are_for_everybody_always(name: str, terms: Terms, at: datetime) -> None:
    assert may(Principal(name), Action.METADATA, terms, at)


@given(BYTES, TERMS, TIMES)
def test_an_operator_may_have_everything_but_what_was_withdrawn(
    action: Action, terms: Terms, at: datetime
) -> None:
    assert may(OPERATOR, action, terms, at) == (terms.status != "WITHDRAWN")


@given(PRINCIPALS, BYTES, TERMS, TIMES)
def test_nobody_has_what_was_withdrawn(
    principal: Principal, action: Action, terms: Terms, at: datetime
) -> None:
    withdrawn = Terms("WITHDRAWN", terms.embargo_until, terms.embargo_holders, terms.scope)
    assert not may(principal, action, withdrawn, at)


@given(PRINCIPALS, TERMS, TIMES)
def test_only_curators_of_an_instrument_decide_about_its_releases(
    principal: Principal, terms: Terms, at: datetime
) -> None:
    in_care = "*" in principal.curates or terms.scope in principal.curates
    allowed = in_care and Scope.CURATE in principal.scopes
    assert may(principal, Action.CURATE, terms, at) == allowed


@given(PRINCIPALS, BYTES, TERMS, TIMES)
def test_credentials_that_are_not_for_reading_give_no_bytes(
    principal: Principal, action: Action, terms: Terms, at: datetime
) -> None:
    if may(principal, action, terms, at):
        assert Scope.READ in principal.scopes


@given(PRINCIPALS, BYTES, TERMS, TIMES)
def test_whoever_knows_more_groups_gets_no_less(
    principal: Principal, action: Action, terms: Terms, at: datetime
) -> None:
    more = Principal(principal.name, principal.groups | {"team"}, principal.curates, principal.operator)
    if may(principal, action, terms, at):
        assert may(more, action, terms, at)


def test_a_member_of_a_group_that_holds_an_embargo_gets_bytes() -> None:
    terms = Terms("ACTIVE", NOON + timedelta(days=1), ["group:team"], "gris")
    assert may(Principal("ada", frozenset({"team"})), Action.BYTES, terms, NOON)
    assert not may(Principal("ada", frozenset({"others"})), Action.BYTES, terms, NOON)
    assert not may(Principal("team"), Action.BYTES, terms, NOON)
    assert not may(Principal("", frozenset({"team"})), Action.BYTES, terms, NOON)


def test_a_curator_sees_what_is_under_embargo_of_instruments_in_their_care_and_no_drafts() -> None:
    curator = Principal("cy", curates=frozenset({"gris"}))
    later = NOON + timedelta(days=1)
    assert may(curator, Action.BYTES, Terms("ACTIVE", later, [], "gris"), NOON)
    assert not may(curator, Action.BYTES, Terms("ACTIVE", later, [], "lars"), NOON)
    assert not may(curator, Action.BYTES, Terms("DRAFT", None, [], "gris"), NOON)
    assert may(OWNER, Action.CURATE, Terms("ACTIVE", later, [], "gris"), NOON)
    assert not may(OPERATOR, Action.CURATE, Terms("ACTIVE", later, [], "gris"), NOON)


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
    assert [action.value for action in Action] == ["metadata", "preview", "bytes", "curate"]


def test_scopes_are_called_as_tokens_name_them() -> None:
    assert [scope.value for scope in Scope] == ["read", "write", "curate"]
    assert Principal("ada").scopes == set(Scope)
    assert PUBLIC.scopes == {Scope.READ}


def test_a_principal_is_shown_and_signs_by_its_name_and_whoever_acts_for_it() -> None:
    assert (PUBLIC.signature, PUBLIC.shown) == ("public", "the public")
    ada = Principal("ada", by="operator")
    assert (ada.signature, ada.shown) == ("ada (by operator)", "ada")
    assert Principal("ada").signature == "ada"


def test_the_operator_and_the_public_are_who_they_are_called() -> None:
    assert (OPERATOR.name, OPERATOR.operator) == ("operator", True)
    assert (OWNER.name, OWNER.operator, OWNER.curator_of("any")) == ("owner", True, True)
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


def test_a_grant_is_for_somebody_who_may_have_every_release_and_names_the_others_otherwise() -> None:
    free, held, closed = Terms("ACTIVE"), under(1, "ada"), under(1)
    assert grant(Principal("ada"), Action.BYTES, [free, held], NOON).who == "ada"
    assert grant(PUBLIC, Action.BYTES, [], NOON).who == ""
    with pytest.raises(NotGranted, match=r"^2 releases may not be had$") as refusal:
        grant(PUBLIC, Action.BYTES, [held, free, closed], NOON)
    assert refusal.value.refused == (held, closed)
    assert CUSTODY.who == "the lake"

"""Accounts and groups: made by operators only, and each change in the audit trail."""

from __future__ import annotations

import secrets

import pytest

from lake.errors import BadInput, Reason
from lake.governance import accounts, audit, groups, known
from lake.governance.policy import OWNER, PUBLIC, Principal, Scope
from lake.lake import Lake


@pytest.fixture
def name(lake: Lake) -> str:
    """An account that no other test uses."""
    name = f"a{secrets.token_hex(5)}"
    accounts.add(lake, name, principal=OWNER)
    return name


def told(lake: Lake, subject: str) -> list[str]:
    return [one.what for one in reversed(audit.entries(lake, subject=subject))]


def refused(error: pytest.ExceptionInfo[BadInput]) -> bool:
    return error.value.code is Reason.NOT_ALLOWED


def test_an_account_is_what_it_was_made_to_be(lake: Lake) -> None:
    name = f"c{secrets.token_hex(5)}"
    accounts.add(lake, name, operator=True, curates=["b", "a", "b"], note="N", principal=OWNER)
    found = accounts.principal(lake, name)
    assert found == Principal(name, curates=frozenset({"a", "b"}), operator=True)
    (entry,) = audit.entries(lake, subject=name)
    assert (entry.who, entry.what) == ("owner", "account.add")
    assert entry.detail == {"operator": True, "curates": ["a", "b"], "note": "N"}


@pytest.mark.parametrize("bad", ["", "Ada", "1a", "a b", "owner", "public", "a" * 65, "ada\n", "ädä", "*"])
def test_names_that_cannot_be_are_refused(lake: Lake, bad: str) -> None:
    with pytest.raises(BadInput) as error:
        accounts.add(lake, bad, principal=OWNER)
    assert error.value.code is Reason.BAD_NAME


def test_a_name_is_never_given_twice(lake: Lake, name: str) -> None:
    with pytest.raises(BadInput, match="such an account already"):
        accounts.add(lake, name, operator=True, principal=OWNER)
    assert not accounts.principal(lake, name).operator
    assert told(lake, name) == ["account.add"]


def test_roles_change_and_the_change_is_kept(lake: Lake, name: str) -> None:
    accounts.change(lake, name, curates=["x"], principal=OWNER)
    accounts.change(lake, name, operator=True, principal=OWNER)
    accounts.change(lake, name, operator=True, principal=OWNER)  # nothing new
    found = accounts.principal(lake, name)
    assert (set(found.curates), found.operator) == ({"x"}, True)
    assert told(lake, name) == ["account.add", "account.change", "account.change"]
    newest = audit.entries(lake, subject=name)[0]
    assert newest.detail == {"operator": {"from": False, "to": True}}


def test_a_suspended_account_is_nobody_until_it_is_resumed(lake: Lake, name: str) -> None:
    with pytest.raises(BadInput, match="say why"):
        accounts.suspend(lake, name, reason=" ", principal=OWNER)
    accounts.suspend(lake, name, reason="left", principal=OWNER)
    with pytest.raises(BadInput, match="suspended") as error:
        accounts.principal(lake, name)
    assert refused(error)
    assert accounts.suspend(lake, name, reason="again", principal=OWNER).suspended_for == "left"
    accounts.resume(lake, name, principal=OWNER)
    assert accounts.principal(lake, name).name == name
    assert told(lake, name) == ["account.add", "account.suspend", "account.resume"]


def test_only_operators_change_accounts(lake: Lake, name: str) -> None:
    curator = Principal(name, curates=frozenset({"*"}))
    reader = Principal("op", operator=True, scopes=frozenset({Scope.READ, Scope.WRITE}))
    for who in (PUBLIC, curator, reader, Principal("stranger")):
        for attempt in (
            lambda who=who: accounts.add(lake, "new", principal=who),
            lambda who=who: accounts.change(lake, name, operator=True, principal=who),
            lambda who=who: accounts.suspend(lake, name, reason="x", principal=who),
            lambda who=who: accounts.resume(lake, name, principal=who),
            lambda who=who: groups.add(lake, "g", [name], principal=who),
            lambda who=who: groups.remove(lake, "g", [name], principal=who),
        ):
            with pytest.raises(BadInput) as error:
                attempt()
            assert refused(error)
    assert told(lake, name) == ["account.add"]


def test_each_sees_its_own_account_and_operators_all(lake: Lake, name: str) -> None:
    assert accounts.find(lake, name, principal=Principal(name)).name == name
    assert name in [one.name for one in accounts.listing(lake, principal=OWNER)]
    for who in (PUBLIC, Principal("stranger")):
        with pytest.raises(BadInput) as error:
            accounts.find(lake, name, principal=who)
        assert refused(error)
        with pytest.raises(BadInput):
            accounts.listing(lake, principal=who)
        with pytest.raises(BadInput):
            groups.listing(lake, principal=who)


def test_groups_are_what_an_account_holds_embargoes_by(lake: Lake, name: str) -> None:
    group = f"g{secrets.token_hex(5)}"
    assert groups.add(lake, group, [name, name], principal=OWNER) == [name]
    assert groups.add(lake, group, [name], principal=OWNER) == []
    assert f"group:{group}" in accounts.principal(lake, name).holds
    assert groups.listing(lake, group, principal=OWNER) == {group: [name]}
    groups.remove(lake, group, [name], principal=OWNER)
    assert accounts.principal(lake, name).groups == frozenset()
    for attempt in (
        lambda: groups.remove(lake, group, [name], principal=OWNER),
        lambda: groups.listing(lake, group, principal=OWNER),
        lambda: groups.add(lake, group, [name, "nobody-at-all"], principal=OWNER),
        lambda: accounts.principal(lake, "nobody-at-all"),
    ):
        with pytest.raises(BadInput) as error:
            attempt()
        assert error.value.code is Reason.NOT_FOUND
    assert told(lake, group) == ["group.add", "group.remove"]


def test_who_acts_for_another_is_seen_in_the_trail(lake: Lake, name: str) -> None:
    accounts.change(lake, name, operator=True, principal=OWNER)
    other = f"o{secrets.token_hex(5)}"
    accounts.add(lake, other, principal=known.principal(lake, name))
    assert audit.entries(lake, subject=other)[0].who == f"{name} (by owner)"

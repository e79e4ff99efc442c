"""From an identity to an account: by issuer and subject, and by nothing else."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from lake.errors import BadInput, Reason
from lake.governance import accounts, audit, groups
from lake.governance.openid.identity import Identity
from lake.governance.openid.logins import login
from lake.governance.openid.settings import ProviderSettings
from lake.governance.policy import OWNER, Principal, Scope
from lake.lake import Lake

ISSUER = "https://id.example.org"
SETTINGS = ProviderSettings.model_validate({"issuer": ISSUER, "client_id": "lake"})


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"p{secrets.token_hex(5)}"


def somebody(name: str, *groups: str, subject: str = "", issuer: str = ISSUER) -> Identity:
    return Identity(issuer, subject or f"sub-{name}", name, frozenset(groups))


def test_the_first_login_makes_an_account_without_any_rights(lake: Lake, name: str) -> None:
    made = login(lake, SETTINGS, somebody(name.upper(), "kis"))
    found = accounts.authenticate(lake, made.text)
    assert found == Principal(name, groups=frozenset({"kis"}), scopes=frozenset({Scope.READ}))
    told = [one.what for one in reversed(audit.entries(lake, subject=name))]
    assert told == ["account.add", "account.groups", "token.make"]


def test_the_second_login_finds_it_whatever_it_is_called_by_then(lake: Lake, name: str) -> None:
    login(lake, SETTINGS, somebody(name))
    again = login(lake, SETTINGS, somebody("married", subject=f"sub-{name}"))
    assert again.entry.account == name


@pytest.mark.parametrize("issuer", [ISSUER, "https://other.example.org"])
def test_nobody_gets_anothers_account_by_being_called_like_it(lake: Lake, name: str, issuer: str) -> None:
    accounts.add(lake, name, operator=True, principal=OWNER)
    made = login(lake, SETTINGS, somebody(name, subject="somebody else", issuer=f"{issuer}/{name}"))
    assert made.entry.account.startswith(f"{name}-")
    assert not accounts.authenticate(lake, made.text).operator


@pytest.mark.parametrize("called", ["", "Ünlü", "owner", "root", "x" * 200, "a\x1bb", "*"])
def test_what_cannot_be_a_name_becomes_one(lake: Lake, name: str, called: str) -> None:
    identity = Identity(ISSUER, f"{name}-{called}", called)
    made = login(lake, SETTINGS, identity)
    assert made.entry.account.startswith("person-")
    assert login(lake, SETTINGS, identity).entry.account == made.entry.account


def test_an_account_made_beforehand_is_found_by_its_identity(lake: Lake, name: str) -> None:
    accounts.add(lake, name, curates=["x"], identity=(ISSUER, f"sub-{name}"), principal=OWNER)
    strict = SETTINGS.model_copy(update={"new_accounts": False})
    made = login(lake, strict, somebody("anything", subject=f"sub-{name}"), [Scope.CURATE])
    assert accounts.authenticate(lake, made.text).curates == {"x"}
    with pytest.raises(BadInput, match="no account here"):
        login(lake, strict, somebody(f"{name}2"))
    with pytest.raises(BadInput, match="logs in that way already"):
        accounts.add(lake, f"{name}3", identity=(ISSUER, f"sub-{name}"), principal=OWNER)


def test_a_suspended_account_stays_suspended(lake: Lake, name: str) -> None:
    login(lake, SETTINGS, somebody(name))
    accounts.suspend(lake, name, reason="left", principal=OWNER)
    with pytest.raises(BadInput, match="suspended") as error:
        login(lake, SETTINGS, somebody(name))
    assert error.value.code is Reason.NOT_ALLOWED


def test_groups_are_those_of_the_last_login_and_those_given_here(lake: Lake, name: str) -> None:
    login(lake, SETTINGS, somebody(name, "kis", "p7"))
    groups.add(lake, "here", [name], principal=OWNER)
    groups.add(lake, "kis", [name], principal=OWNER)
    login(lake, SETTINGS, somebody(name, "p8"))
    assert accounts.principal(lake, name).groups == {"kis", "p8", "here"}
    with pytest.raises(BadInput, match="at every login"):
        groups.remove(lake, "p8", [name], principal=OWNER)
    groups.remove(lake, "kis", [name], principal=OWNER)
    assert accounts.principal(lake, name).groups == {"p8", "here"}


def test_one_person_in_many_windows_gets_one_account(lake: Lake, name: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: login(lake, SETTINGS, somebody(name, "kis")), range(6)))
    assert {one.entry.account for one in made} == {name}

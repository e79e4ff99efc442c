"""`heliolake account` as operators type it."""

from __future__ import annotations

import secrets

import pytest

from tests.heliolake.conftest import Command


@pytest.fixture
def name(here: Command) -> str:
    """An account that no other test uses."""
    name = f"a{secrets.token_hex(5)}"
    assert here("account", "add", name, "--note", "[b]Ada\x1b").code == 0
    return name


def test_an_account_is_made_shown_changed_and_listed(here: Command, name: str) -> None:
    assert "[b]Ada\\x1b" in here("account", "show", name).out
    said = here("account", "change", name, "--curator", "--instrument", "stereo_hi", "--operator")
    assert "operator, curator of stereo_hi" in " ".join(said.out.split())
    found = here("account", "show", name, "--json").document()["account"]
    assert (found["operator"], found["curates"]) == (True, ["stereo_hi"])
    assert (
        here("account", "change", name, "--no-curator", "--json").document()["accounts"][0]["curates"] == []
    )
    listed = here("account", "list", "--json").document()["accounts"]
    assert name in [one["name"] for one in listed]


def test_wrong_words_are_told_in_a_sentence(here: Command, name: str) -> None:
    for words, told in (
        (("add", name), "such an account already"),
        (("add", "Ada"), "no name for an account"),
        (("add", "x1", "--instrument", "stereo_hi"), "goes together with --curator"),
        (("add", "x1", "--curator", "--instrument", "stereo_hj"), "there is no instrument"),
        (("show", "nobody-here"), "no such account"),
        (("token", "make", name, "--scope", "all"), "one of read, write and curate"),
        (("token", "make", name, "--days", 400), "1 to 366 days"),
        (("token", "revoke", "1234"), "no such token"),
        (("group", "show", "nogroup"), "nobody is in such a group"),
    ):
        said = here("account", *words)
        assert said.code == 2
        assert told in " ".join(said.err.replace("│", " ").split())


def test_a_token_is_shown_once(here: Command, name: str) -> None:
    said = here("account", "token", "make", name, "--scope", "read", "--scope", "curate", "--days", 30)
    token = said.out.strip()
    assert token.startswith("hlk_")
    assert "curate, read until" in said.err
    public = token.split("_")[1]
    listed = here("account", "token", "list", name)
    assert public in listed.out
    secret = token.rpartition("_")[2]
    for words in (("token", "list", "--json"), ("show", name), ("show", name, "--json")):
        assert secret not in here("account", *words).out
    assert here("account", "token", "revoke", public).code == 0
    (entry,) = here("account", "token", "list", name, "--json").document()["tokens"]
    assert (entry["state"], entry["scopes"]) == ("revoked", ["curate", "read"])


def test_groups_come_and_go_with_who_is_in_them(here: Command, name: str) -> None:
    group = f"g-{name}"
    assert here("account", "group", "add", group, name).code == 0
    assert here("account", "group", "show", "--json").document()["groups"][group] == [name]
    assert here("account", "group", "remove", group, name).code == 0
    assert here("account", "group", "show", group).code == 2


def test_another_sees_only_itself_and_a_suspended_one_nothing(here: Command, name: str) -> None:
    assert here("--as", name, "account", "show", name).code == 0
    for words in (
        ("list",),
        ("add", "x2"),
        ("token", "list"),
        ("show", "x3"),
        ("suspend", name, "--reason", "x"),
    ):
        said = here("--as", name, "account", *words)
        assert (said.code, "may not" in said.err) == (2, True)
    assert here("--as", name, "account", "token", "make", name).out.startswith("hlk_")
    assert here("account", "suspend", name, "--reason", "left").code == 0
    assert "suspended" in here("--as", name, "account", "show", name).err
    assert here("account", "resume", name).code == 0
    assert here("--as", name, "search").code == 0


def test_there_is_no_account_that_nobody_made(here: Command) -> None:
    names = [one["name"] for one in here("account", "list", "--json").document()["accounts"]]
    assert not {"root", "admin", "owner", "operator", "public"} & set(names)

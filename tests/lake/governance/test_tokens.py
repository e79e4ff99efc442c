"""API tokens: whose they are, what they are good for, and what happens to those who guess."""

from __future__ import annotations

import json
import pickle
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, text, update

from lake.catalogue.accounts import FailedUse, Token
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance import accounts, audit, failures, groups, tokens
from lake.governance.failures import PER_SOURCE, PER_TOKEN, WINDOW, TooMany
from lake.governance.policy import OWNER, PUBLIC, Principal, Scope
from lake.lake import Lake


@pytest.fixture
def name(lake: Lake) -> str:
    """An account that no other test uses."""
    name = f"t{secrets.token_hex(5)}"
    accounts.add(lake, name, curates=["x"], principal=OWNER)
    return name


@pytest.fixture
def source() -> str:
    """An address that no other test comes from."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def make(lake: Lake, name: str, *scopes: Scope, days: int = 90) -> tokens.NewToken:
    return tokens.make(lake, name, scopes or (Scope.READ,), days=days, principal=OWNER)


def wrong(token: str) -> str:
    """Another secret behind the same public part."""
    return token[:-64] + secrets.token_hex(32)


def change(lake: Lake, token: tokens.NewToken, **values: object) -> None:
    with transaction(lake.sessions) as session:
        session.execute(update(Token).where(Token.id == token.entry.id).values(values))


def test_a_token_is_its_account_with_the_scopes_it_was_made_for(lake: Lake, name: str) -> None:
    groups.add(lake, f"g-{name}", [name], principal=OWNER)
    made = make(lake, name, Scope.READ, Scope.CURATE)
    found = accounts.authenticate(lake, made.text)
    assert found == Principal(
        name,
        groups=frozenset({f"g-{name}"}),
        curates=frozenset({"x"}),
        scopes=frozenset({Scope.READ, Scope.CURATE}),
    )


def test_tokens_are_long_random_recognisable_and_kept_as_a_hash_only(lake: Lake, name: str) -> None:
    made, other = make(lake, name), make(lake, name)
    assert made.text.startswith("hlk_")
    secret = made.text.rpartition("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    assert secret != other.text.rpartition("_")[2]
    assert secret not in repr(made)
    with lake.engine.connect() as connection:
        dump = str(connection.execute(text("SELECT * FROM token")).all())
    assert secret not in dump
    assert secret not in json.dumps([one.as_json() for one in tokens.listing(lake, name, principal=OWNER)])
    assert secret not in json.dumps([one.as_json() for one in audit.entries(lake, subject=name)])


@pytest.mark.parametrize(
    "strange", ["", "hlk_", "x" * 100_000, "hlk_0123456789_\0", "hlk_" + "0" * 10 + "_" + "é" * 64]
)
def test_what_is_no_token_is_refused(lake: Lake, strange: str) -> None:
    with pytest.raises(BadInput, match="no token of this lake") as error:
        accounts.authenticate(lake, strange)
    assert len(str(error.value)) < 200


def test_the_public_part_alone_opens_nothing(lake: Lake, name: str) -> None:
    made = make(lake, name)
    with pytest.raises(BadInput, match="no token of this lake"):
        accounts.authenticate(lake, wrong(made.text))
    accounts.authenticate(lake, made.text)


def test_expired_and_revoked_tokens_and_those_of_suspended_accounts_are_dead(lake: Lake, name: str) -> None:
    expired, revoked, good = make(lake, name, days=1), make(lake, name), make(lake, name)
    change(lake, expired, expires=datetime.now(UTC) - timedelta(seconds=1))
    tokens.revoke(lake, revoked.entry.id, principal=OWNER)
    for token, why in ((expired, "expired"), (revoked, "revoked")):
        with pytest.raises(BadInput, match=f"this token is {why}"):
            accounts.authenticate(lake, token.text)
    accounts.suspend(lake, name, reason="x", principal=OWNER)
    with pytest.raises(BadInput, match="suspended"):
        accounts.authenticate(lake, good.text)
    with pytest.raises(BadInput, match="suspended"):
        make(lake, name)
    accounts.resume(lake, name, principal=OWNER)
    assert accounts.authenticate(lake, good.text).name == name


def test_a_token_is_good_for_90_days_and_never_for_more_than_a_year(lake: Lake, name: str) -> None:
    entry = make(lake, name).entry
    assert entry.expires - entry.created == timedelta(days=90)
    for days in (0, -1, 367, 10**9):
        with pytest.raises(BadInput, match="1 to 366 days"):
            make(lake, name, days=days)
    with pytest.raises(BadInput, match="good for something"):
        tokens.make(lake, name, [], principal=OWNER)


def test_an_account_makes_and_revokes_its_own_and_nobody_elses(lake: Lake, name: str) -> None:
    own = tokens.make(lake, name, [Scope.READ], principal=Principal(name))
    assert [one.id for one in tokens.listing(lake, name, principal=Principal(name))] == [own.entry.id]
    by_token = accounts.authenticate(lake, own.text)
    attempts: list[Callable[[], object]] = [lambda: tokens.make(lake, name, [Scope.READ], principal=by_token)]
    for who in (PUBLIC, Principal("stranger")):
        attempts += [
            lambda who=who: tokens.make(lake, name, [Scope.READ], principal=who),  # type: ignore[misc]
            lambda who=who: tokens.listing(lake, name, principal=who),  # type: ignore[misc]
            lambda who=who: tokens.listing(lake, None, principal=who),  # type: ignore[misc]
            lambda who=who: tokens.revoke(lake, own.entry.id, principal=who),  # type: ignore[misc]
            lambda who=who: tokens.revoke(lake, "0" * 10, principal=who),  # type: ignore[misc]
        ]
    for attempt in attempts:
        with pytest.raises(BadInput) as error:
            attempt()
        assert error.value.code is Reason.NOT_ALLOWED
    assert tokens.revoke(lake, own.text, principal=Principal(name)).revoked is not None
    tokens.revoke(lake, own.entry.id, principal=OWNER)
    with pytest.raises(BadInput, match="no such token"):
        tokens.revoke(lake, "0" * 10, principal=OWNER)
    told = [one.what for one in audit.entries(lake, subject=name)]
    assert told == ["token.revoke", "token.make", "account.add"]


def test_the_last_use_is_known(lake: Lake, name: str) -> None:
    made = make(lake, name)
    assert made.entry.last_used is None
    accounts.authenticate(lake, made.text)
    (entry,) = tokens.listing(lake, name, principal=OWNER)
    assert entry.last_used is not None
    accounts.authenticate(lake, made.text)
    assert tokens.listing(lake, name, principal=OWNER) == [entry]  # no row is written for each request


def test_who_guesses_is_refused_unseen_until_the_window_has_passed(lake: Lake, name: str) -> None:
    made = make(lake, name)
    for _ in range(PER_TOKEN):
        with pytest.raises(BadInput, match="no token"):
            accounts.authenticate(lake, wrong(made.text))
    began = datetime.now(UTC)
    with pytest.raises(TooMany, match="try again after") as error:
        accounts.authenticate(lake, made.text)
    assert began < error.value.again <= began + WINDOW
    assert pickle.loads(pickle.dumps(error.value)).again == error.value.again
    older(lake, failures.of_token(made.entry.id))
    assert accounts.authenticate(lake, made.text).name == name


def test_the_window_slides(lake: Lake, name: str) -> None:
    made = make(lake, name)
    counted = failures.of_token(made.entry.id)
    for _ in range(PER_TOKEN - 1):
        with pytest.raises(BadInput, match="no token"):
            accounts.authenticate(lake, wrong(made.text))
    older(lake, counted)
    for _ in range(PER_TOKEN):
        with pytest.raises(BadInput, match="no token"):
            accounts.authenticate(lake, wrong(made.text))
    with pytest.raises(TooMany):
        accounts.authenticate(lake, made.text)


def older(lake: Lake, counted: str) -> None:
    """Let the window pass, for these."""
    with transaction(lake.sessions) as session:
        session.execute(
            update(FailedUse).where(FailedUse.counted == counted).values(at=FailedUse.at - WINDOW)
        )


def test_those_who_guess_at_once_get_no_more_guesses(lake: Lake, name: str) -> None:
    made = make(lake, name)

    def guess(_: int) -> bool:
        try:
            accounts.authenticate(lake, wrong(made.text))
        except TooMany:
            return False
        except BadInput:
            return True
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(4 * PER_TOKEN))) == PER_TOKEN


def test_an_address_that_guesses_is_refused_whatever_it_shows(lake: Lake, name: str, source: str) -> None:
    made = make(lake, name)
    for number in range(PER_SOURCE):
        neighbour = source.removesuffix("1") + f"{number + 1:x}"  # of the same network
        with pytest.raises(BadInput, match="no token"):
            accounts.authenticate(lake, f"nonsense {number}", neighbour)
    with pytest.raises(TooMany):
        accounts.authenticate(lake, made.text, source)
    assert accounts.authenticate(lake, made.text, "192.0.2.7").name == name


def test_an_old_token_in_a_script_does_not_lock_out_its_neighbours(
    lake: Lake, name: str, source: str
) -> None:
    old, good = make(lake, name), make(lake, name)
    tokens.revoke(lake, old.entry.id, principal=OWNER)
    for _ in range(3):
        with pytest.raises(BadInput, match="revoked"):
            accounts.authenticate(lake, old.text, source)
    with transaction(lake.sessions) as session:
        (by_source,) = failures.of_source(source)
        assert not session.scalar(select(func.count()).where(FailedUse.counted == by_source))
    assert accounts.authenticate(lake, good.text, source).name == name


def test_addresses_are_counted_by_what_one_machine_can_have() -> None:
    assert failures.of_source("192.0.2.7") == failures.of_source("::ffff:192.0.2.7") == ["from:192.0.2.7"]
    assert (
        failures.of_source("2001:db8::1")
        == failures.of_source("2001:db8::2:3%eth0")
        == ["from:2001:db8::/64"]
    )
    assert failures.of_source("") == []
    assert failures.of_source("host\x1b") == ["from:host\\x1b"]


def test_what_is_counted_stays_bounded(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "KEPT", 20)
    for _ in range(40):
        with pytest.raises(BadInput):
            accounts.authenticate(lake, f"hlk_{secrets.token_hex(5)}_{secrets.token_hex(32)}")
    with transaction(lake.sessions) as session:
        assert (session.scalar(select(func.count()).select_from(FailedUse)) or 0) <= 20
        session.execute(delete(FailedUse))

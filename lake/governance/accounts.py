"""Accounts and groups: who is known here, and what for; none is there until somebody makes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lake.catalogue.accounts import Account, Membership
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance import audit, failures, tokens
from lake.governance.names import check_account
from lake.governance.policy import Principal, Scope
from lake.governance.rights import require, runs_accounts
from lake.lake import Lake
from lake.text import printable


@dataclass(frozen=True)
class AccountEntry:
    """What is known of an account.

    Attributes
    ----------
    name
        Its name.
    operator
        Whether it runs the data centre.
    curates
        Instruments it decides about; ``*`` for all.
    groups
        Groups it belongs to.
    claimed
        Those of them that its OpenID provider named at the last login.
    note
        Whose it is, in words.
    issuer, subject
        How its OpenID provider is called, and calls it.
    suspended, suspended_for
        Since when it may do nothing, and why.
    created, created_by, last_login
        Its life.
    """

    name: str
    operator: bool
    curates: tuple[str, ...]
    groups: tuple[str, ...]
    claimed: tuple[str, ...]
    note: str
    issuer: str | None
    subject: str | None
    suspended: datetime | None
    suspended_for: str
    created: datetime
    created_by: str
    last_login: datetime | None

    def as_json(self) -> dict[str, Any]:
        """All of it, for scripts."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value.isoformat()
            if isinstance(value, datetime)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in plain.items()
        }

    def principal(self, scopes: Iterable[Scope] = Scope, by: str = "") -> Principal:
        """As whom the policy judges it."""
        return Principal(
            self.name,
            groups=frozenset(self.groups),
            curates=frozenset(self.curates),
            operator=self.operator,
            scopes=frozenset(scopes),
            by=by,
        )


def principal(lake: Lake, name: str, by: str = "") -> Principal:
    """The account of a name, as the policy judges it.

    Parameters
    ----------
    lake
        Where it is.
    name
        Its name.
    by
        Who acts in its name, where it is not itself.

    Raises
    ------
    BadInput
        When there is none, or it is suspended.
    """
    with transaction(lake.sessions) as session:
        entry = _entry(session, _row(session, name))
    if entry.suspended is not None:
        raise _suspended(entry)
    return entry.principal(by=by)


def authenticate(lake: Lake, token: str, source: str = "") -> Principal:
    """Whose token this is, as the policy judges them.

    Parameters
    ----------
    lake
        Where tokens are known.
    token
        What was shown.
    source
        The address it came from; failures are counted by it too.

    Raises
    ------
    BadInput
        When it is no token of this lake, or not good any more.
    TooMany
        When too many were not accepted.
    """
    public = tokens.public_part(token)
    by_source = failures.of_source(source)
    by_token = [failures.of_token(public)] if public else []
    with transaction(lake.sessions) as session:
        failures.check(session, by_source + by_token)
        judged = _judge(session, tokens.find(session, token))
        if isinstance(judged, BadInput):
            # An old token in somebody's script is no reason to lock out the house it runs in.
            unknown = judged.code is Reason.NOT_FOUND
            failures.note(session, by_source + by_token if unknown else by_token)
    if isinstance(judged, BadInput):  # once the failure is counted
        raise judged
    return judged


def add(
    lake: Lake,
    name: str,
    *,
    operator: bool = False,
    curates: Sequence[str] = (),
    note: str = "",
    identity: tuple[str, str] | None = None,
    principal: Principal,
) -> AccountEntry:
    """Make an account.

    Parameters
    ----------
    lake
        Where.
    name
        Its name, for ever: it is never another's.
    operator
        Whether it runs the data centre.
    curates
        Instruments it decides about; ``*`` for all.
    note
        Whose it is, in words.
    identity
        How an OpenID provider is called and calls it, for one who will log in that way.
    principal
        Who makes it.

    Raises
    ------
    BadInput
        When the name or the identity is taken or cannot be one, or the principal may not.
    """
    require(runs_accounts(principal), principal, "make accounts")
    with transaction(lake.sessions) as session:
        made = create(
            session,
            name,
            operator=operator,
            curates=curates,
            note=note,
            identity=identity,
            by=principal.signature,
        )
        return _entry(session, made)


def create(
    session: Session,
    name: str,
    *,
    operator: bool = False,
    curates: Sequence[str] = (),
    note: str = "",
    by: str,
    identity: tuple[str, str] | None = None,
) -> Account:
    """Make an account within the caller's transaction; that it may be made has been asked."""
    check_account(name)
    values: dict[str, Any] = {
        "name": name,
        "operator": operator,
        "curates": sorted(set(curates)),
        "note": printable(note),
        "created_by": by,
    }
    if identity is not None:
        values |= {"issuer": identity[0], "subject": identity[1]}
    made = insert(Account).values(values).on_conflict_do_nothing().returning(Account.name)
    if session.scalars(made).first() is None:
        known = session.get(Account, name) is not None
        raise BadInput(
            "there is such an account already" if known else "another account logs in that way already",
            keyword="name" if known else "subject",
            found=name if known else values["subject"],
            code=Reason.NAME_CONFLICT,
        )
    told = {key: value for key, value in values.items() if key not in ("name", "created_by") and value}
    audit.record(session, by, "account.add", name, told)
    return _row(session, name)


def change(
    lake: Lake,
    name: str,
    *,
    operator: bool | None = None,
    curates: Sequence[str] | None = None,
    note: str | None = None,
    principal: Principal,
) -> AccountEntry:
    """Change what an account is; what is None stays. Tokens it has are good for what it is from now on."""
    require(runs_accounts(principal), principal, "change accounts")
    wanted: dict[str, Any] = {
        "operator": operator,
        "curates": None if curates is None else sorted(set(curates)),
        "note": None if note is None else printable(note),
    }
    with transaction(lake.sessions) as session:
        row = _row(session, name, lock=True)
        before = {key: getattr(row, key) for key in wanted}
        new = {key: value for key, value in wanted.items() if value is not None and value != before[key]}
        for key, value in new.items():
            setattr(row, key, value)
        session.flush()
        if new:
            detail = {key: {"from": before[key], "to": value} for key, value in new.items()}
            audit.record(session, principal.signature, "account.change", name, detail)
        return _entry(session, row)


def suspend(lake: Lake, name: str, *, reason: str, principal: Principal) -> AccountEntry:
    """Take all rights from an account, and from its tokens with it, at once; `resume` gives them back."""
    require(runs_accounts(principal), principal, "suspend accounts")
    if not reason.strip():
        raise BadInput("say why the account is suspended", keyword="--reason", advice="it is kept.")
    return _set_suspended(lake, name, printable(reason), principal)


def resume(lake: Lake, name: str, *, principal: Principal) -> AccountEntry:
    """Give a suspended account its rights back; its tokens are good again, unless expired or revoked."""
    require(runs_accounts(principal), principal, "resume accounts")
    return _set_suspended(lake, name, "", principal)


def find(lake: Lake, name: str, *, principal: Principal) -> AccountEntry:
    """What is known of an account; each sees its own, operators all."""
    require(principal.operator or principal.name == name, principal, "see the accounts of others")
    with transaction(lake.sessions) as session:
        return _entry(session, _row(session, name))


def listing(lake: Lake, *, principal: Principal) -> list[AccountEntry]:
    """All accounts, by name."""
    require(principal.operator, principal, "see the accounts of others")
    with transaction(lake.sessions) as session:
        members: dict[str, list[Membership]] = {}
        for one in session.scalars(select(Membership)):
            members.setdefault(one.account, []).append(one)
        rows = session.scalars(select(Account).order_by(Account.name)).all()
        return [_entry_of(row, members.get(row.name, [])) for row in rows]


def login(session: Session, row: Account, groups: Iterable[str]) -> AccountEntry:
    """Note a login, and the groups that the OpenID provider names now, within the caller's transaction.

    Raises
    ------
    BadInput
        When the account is suspended.
    """
    entry = _entry(session, row)
    if entry.suspended is not None:
        raise _suspended(entry)
    row.last_login = datetime.now(UTC)
    now, before = sorted(set(groups)), sorted(entry.claimed)
    if now != before:
        session.execute(delete(Membership).where(Membership.account == row.name, Membership.claimed))
        session.add_all(Membership(account=row.name, grouping=one, claimed=True) for one in now)
        session.flush()
        audit.record(session, row.name, "account.groups", row.name, {"from": before, "to": now})
    return _entry(session, row)


def _set_suspended(lake: Lake, name: str, reason: str, principal: Principal) -> AccountEntry:
    with transaction(lake.sessions) as session:
        row = _row(session, name, lock=True)
        if bool(reason) != (row.suspended is not None):
            row.suspended = session.execute(select(func.now())).scalar_one() if reason else None
            row.suspended_for = reason
            session.flush()
            what = "account.suspend" if reason else "account.resume"
            detail = {"reason": reason} if reason else {}
            audit.record(session, principal.signature, what, name, detail)
        return _entry(session, row)


def _row(session: Session, name: str, *, lock: bool = False) -> Account:
    row = session.get(Account, name, with_for_update=lock or None)
    if row is None:
        raise BadInput(
            "there is no such account",
            keyword="account",
            found=printable(name[:64]),
            advice="heliolake account list shows them, heliolake account add makes one.",
            code=Reason.NOT_FOUND,
        )
    return row


def _entry(session: Session, row: Account) -> AccountEntry:
    return _entry_of(row, session.scalars(select(Membership).where(Membership.account == row.name)).all())


def _entry_of(row: Account, members: Iterable[Membership]) -> AccountEntry:
    known = list(members)
    return AccountEntry(
        name=row.name,
        operator=row.operator,
        curates=tuple(row.curates),
        groups=tuple(sorted({one.grouping for one in known})),
        claimed=tuple(sorted(one.grouping for one in known if one.claimed)),
        note=row.note,
        issuer=row.issuer,
        subject=row.subject,
        suspended=row.suspended,
        suspended_for=row.suspended_for,
        created=row.created,
        created_by=row.created_by,
        last_login=row.last_login,
    )


def _suspended(entry: AccountEntry) -> BadInput:
    return BadInput(
        "this account is suspended",
        keyword="account",
        found=entry.name,
        advice="ask an operator of this data centre.",
        code=Reason.NOT_ALLOWED,
    )


def _judge(session: Session, token: tokens.TokenEntry | None) -> Principal | BadInput:
    """Whose token it is, or why it is not accepted."""
    advice = "heliolake account token make NAME makes one."
    if token is None:
        return BadInput("this is no token of this lake", advice=advice, code=Reason.NOT_FOUND)
    account = _entry(session, _row(session, token.account))
    if account.suspended is not None:
        return _suspended(account)
    state = token.state(datetime.now(UTC))
    if state != "good":
        return BadInput(f"this token is {state}", advice=advice, code=Reason.NOT_ALLOWED)
    tokens.note_use(session, token)
    return account.principal(Scope(one) for one in token.scopes)

"""API tokens: made, shown once, kept as a hash, expiring and revocable; whose they are, `accounts` knows."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from lake.catalogue.accounts import Account, Token
from lake.catalogue.session import transaction
from lake.entries import in_utc
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.policy import Principal, Scope
from lake.governance.rights import require, runs_accounts
from lake.lake import Lake
from lake.text import printable

PREFIX: Final = "hlk"
"""Every token begins with it, so that people and scanners of secrets know one when they see it."""
DAYS: Final = 90
"""For how long a token is good when nothing is said."""
MOST_DAYS: Final = 366
_SECRET: Final = 32  # bytes
_FORM: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{10}})_([0-9a-f]{{64}})")
_USED_EVERY: Final = timedelta(minutes=1)  # last use is noted no more often


@dataclass(frozen=True)
class TokenEntry:
    """What is known of a token; its secret is not.

    Attributes
    ----------
    id
        Its public part.
    account, scopes, note
        Whose it is, what it is good for, what for.
    created, created_by, expires, revoked, last_used
        Its life.
    """

    id: str
    account: str
    scopes: tuple[str, ...]
    note: str
    created: datetime
    created_by: str
    expires: datetime
    revoked: datetime | None
    last_used: datetime | None

    def state(self, at: datetime) -> str:
        """Whether it is good, as one word."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if in_utc(self.expires) <= in_utc(at) else "good"

    def as_json(self) -> dict[str, Any]:
        """All of it, for scripts."""
        return {
            "id": self.id,
            "account": self.account,
            "scopes": list(self.scopes),
            "note": self.note,
            "created": self.created.isoformat(),
            "created_by": self.created_by,
            "expires": self.expires.isoformat(),
            "revoked": self.revoked.isoformat() if self.revoked else None,
            "last_used": self.last_used.isoformat() if self.last_used else None,
        }


@dataclass(frozen=True)
class NewToken:
    """A token just made. `text` is the token itself: it is known here and now, and never again."""

    entry: TokenEntry
    text: str = field(repr=False)


def make(
    lake: Lake,
    account: str,
    scopes: Iterable[Scope],
    *,
    days: int = DAYS,
    note: str = "",
    principal: Principal,
) -> NewToken:
    """Make a token for an account: by an operator, or by the account itself with all its rights.

    Parameters
    ----------
    lake
        Where the account is.
    account
        Its name.
    scopes
        What the token is to be good for.
    days
        For how long.
    note
        What for; shown in lists.
    principal
        Who makes it.

    Raises
    ------
    BadInput
        When this may not be, or there is no such account, or it is suspended.
    """
    wanted = sorted(frozenset(scopes))
    if not wanted:
        raise BadInput("a token is good for something", keyword="--scope", advice="read, write or curate")
    if not 1 <= days <= MOST_DAYS:
        raise BadInput(
            f"a token is good for 1 to {MOST_DAYS} days", keyword="--days", found=days, advice="name fewer."
        )
    own = principal.name == account and principal.scopes == frozenset(Scope)
    require(own or runs_accounts(principal), principal, f"make tokens for {printable(account[:64])}")
    with transaction(lake.sessions) as session:
        return issue(session, account, wanted, days=days, note=note, by=principal.signature)


def issue(
    session: Session, account: str, scopes: Iterable[Scope], *, days: int, note: str, by: str
) -> NewToken:
    """Make a token within the caller's transaction; that it may be made has been asked."""
    found = session.get(Account, account, with_for_update={"read": True})
    if found is None or found.suspended is not None:
        raise BadInput(
            "there is no such account" if found is None else "this account is suspended",
            keyword="account",
            found=printable(account[:64]),
            advice="heliolake account list shows them.",
            code=Reason.NOT_FOUND if found is None else Reason.NOT_ALLOWED,
        )
    public, secret = secrets.token_hex(5), secrets.token_hex(_SECRET)
    text = f"{PREFIX}_{public}_{secret}"
    row = Token(
        id=public,
        account=account,
        hash=_hash(text),
        scopes=[str(one) for one in scopes],
        note=printable(note),
        created_by=by,
        expires=func.now() + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    detail = {"token": public, "scopes": row.scopes, "expires": row.expires.isoformat(), "note": row.note}
    audit.record(session, by, "token.make", account, detail)
    return NewToken(_entry(row), text)


def listing(lake: Lake, account: str | None, *, principal: Principal) -> list[TokenEntry]:
    """Tokens of an account, or of all; each account sees its own, operators all. The newest first."""
    require(
        principal.operator or (account is not None and principal.name == account),
        principal,
        "see the tokens of others",
    )
    query = select(Token).order_by(Token.created.desc(), Token.id)
    if account is not None:
        query = query.where(Token.account == account)
    with transaction(lake.sessions) as session:
        return [_entry(row) for row in session.scalars(query)]


def revoke(lake: Lake, public: str, *, principal: Principal) -> TokenEntry:
    """Make a token worthless, at once and for ever; once more is no error.

    Parameters
    ----------
    lake
        Where it is.
    public
        Its public part, with or without what every token begins with.
    principal
        Who does it: its account, or an operator.

    Raises
    ------
    BadInput
        When there is none such, or it is another's.
    """
    wanted = public.removeprefix(f"{PREFIX}_").partition("_")[0]
    with transaction(lake.sessions) as session:
        row = session.get(Token, wanted, with_for_update=True)
        if not runs_accounts(principal) and (row is None or row.account != principal.name):
            require(False, principal, "revoke the tokens of others")
        if row is None:
            raise BadInput(
                "there is no such token",
                found=printable(wanted[:64]),
                advice="heliolake account token list shows them.",
                code=Reason.NOT_FOUND,
            )
        if row.revoked is None:
            row.revoked = session.execute(select(func.now())).scalar_one()
            session.flush()
            audit.record(session, principal.signature, "token.revoke", row.account, {"token": row.id})
        return _entry(row)


def public_part(text: str) -> str:
    """The public part of what is shown as a token; empty when it has not the form of one."""
    match = _FORM.fullmatch(text)
    return match[1] if match else ""


def find(session: Session, text: str) -> TokenEntry | None:
    """The token that was shown, whatever its state; None when there is none such."""
    if not public_part(text):
        return None
    shown = _hash(text)
    row = session.scalars(select(Token).where(Token.hash == shown)).first()
    return _entry(row) if row is not None and hmac.compare_digest(row.hash, shown) else None


def note_use(session: Session, entry: TokenEntry) -> None:
    """Note that a token was used just now."""
    stale = or_(Token.last_used.is_(None), Token.last_used < func.now() - _USED_EVERY)
    session.execute(update(Token).where(Token.id == entry.id, stale).values(last_used=func.now()))


def _hash(text: str) -> bytes:
    # The secret is random and long: a hash that is slow on purpose would guard nothing more.
    return hashlib.sha256(text.encode()).digest()


def _entry(row: Token) -> TokenEntry:
    return TokenEntry(
        id=row.id,
        account=row.account,
        scopes=tuple(row.scopes),
        note=row.note,
        created=row.created,
        created_by=row.created_by,
        expires=row.expires,
        revoked=row.revoked,
        last_used=row.last_used,
    )

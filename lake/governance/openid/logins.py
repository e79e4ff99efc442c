"""From an identity to an account: matched by issuer and subject alone, never by a name or an address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lake.catalogue.accounts import Account
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance import accounts, tokens
from lake.governance.names import check_account
from lake.governance.openid.identity import Identity
from lake.governance.openid.settings import ProviderSettings
from lake.governance.policy import Scope
from lake.lake import Lake


def login(
    lake: Lake, settings: ProviderSettings, identity: Identity, scopes: Iterable[Scope] = (Scope.READ,)
) -> tokens.NewToken:
    """Log somebody in: their account, made if it is the first time, and a token for it.

    Parameters
    ----------
    lake
        Where.
    settings
        What the provider's claims mean here.
    identity
        Who they are.
    scopes
        What the token is to be good for.

    Raises
    ------
    BadInput
        When the account is suspended, or there is none and none is made.
    """
    with transaction(lake.sessions) as session:
        entry = account_of(session, settings, identity)
        return tokens.issue(
            session, entry.name, sorted(set(scopes)), days=settings.token_days, note="login", by=entry.name
        )


def account_of(session: Session, settings: ProviderSettings, identity: Identity) -> accounts.AccountEntry:
    """The account of an identity, with the groups it has now, within the caller's transaction."""
    digest = hashlib.sha256(f"{identity.issuer}\n{identity.subject}".encode()).hexdigest()
    # Whoever logs in for the first time in two windows gets one account.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(digest, 0))))
    query = select(Account).where(Account.issuer == identity.issuer, Account.subject == identity.subject)
    row = session.scalars(query.with_for_update()).first()
    if row is None:
        if not settings.new_accounts:
            raise BadInput(
                "you are known to the OpenID provider, but have no account here",
                keyword="subject",
                found=identity.subject,
                advice="ask an operator: heliolake account add NAME --issuer ISSUER --subject SUBJECT",
                code=Reason.NOT_ALLOWED,
            )
        row = _make(session, identity, digest)
    return accounts.login(session, row, identity.groups)


def _make(session: Session, identity: Identity, digest: str) -> Account:
    """A new account, called as the provider calls the person unless that is taken or cannot be."""
    name = identity.name.lower()
    try:
        check_account(name)
        taken = session.get(Account, name) is not None
    except BadInput:
        name, taken = "person", True
    if taken:
        name = f"{name[:53]}-{digest[:10]}"
    return accounts.create(session, name, by=name, identity=(identity.issuer, identity.subject))

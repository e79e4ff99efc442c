"""From the name somebody gives to the principal that the policy judges."""

from __future__ import annotations

from lake.errors import BadInput, Reason
from lake.governance import accounts
from lake.governance.policy import OWNER, PUBLIC, Principal, Scope
from lake.lake import Lake

PUBLIC_NAME = "public"


def principal(lake: Lake, name: str | None) -> Principal:
    """Who is meant: an account, the `public`, or by default the owner of the home.

    Raises
    ------
    BadInput
        When there is no such account, or it is suspended.
    """
    if name is None:
        return OWNER
    if name == PUBLIC_NAME:
        return PUBLIC
    return accounts.principal(lake, name, by=OWNER.name)


def require_operator(principal: Principal, what: str) -> None:
    """Refuse what only those do who run the data centre.

    Raises
    ------
    BadInput
        When the principal does not.
    """
    if not principal.operator or Scope.WRITE not in principal.scopes:
        raise BadInput(
            f"{what} is for those who run the data centre",
            found=principal.shown,
            advice="ask them, or leave out --as",
            code=Reason.NOT_ALLOWED,
        )

"""Who may govern accounts; who may have data, `policy` says."""

from __future__ import annotations

from lake.errors import BadInput, Reason
from lake.governance.policy import Principal, Scope


def runs_accounts(principal: Principal) -> bool:
    """Whether somebody may change the accounts of others: operators, with credentials good for it."""
    return principal.operator and Scope.CURATE in principal.scopes


def require(allowed: bool, principal: Principal, what: str) -> None:
    """Refuse who may not.

    Raises
    ------
    BadInput
        Unless it is allowed.
    """
    if not allowed:
        raise BadInput(
            f"{principal.shown} may not {what}",
            advice="ask an operator of this data centre.",
            code=Reason.NOT_ALLOWED,
        )

"""From the name somebody gives to the principal that the policy judges."""

from __future__ import annotations

from lake.governance import accounts
from lake.governance.policy import OWNER, PUBLIC, Principal
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

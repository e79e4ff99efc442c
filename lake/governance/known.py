"""From the name somebody gives to the principal that the policy judges."""

from __future__ import annotations

from lake.errors import BadInput, Reason
from lake.governance.policy import OWNER, PUBLIC, Principal
from lake.lake import Lake
from lake.text import printable

PUBLIC_NAME = "public"


def principal(lake: Lake, name: str | None) -> Principal:
    """Who is meant: an account, the `public`, or by default the owner of the home.

    Raises
    ------
    BadInput
        When there is no such account.
    """
    if name is None:
        return OWNER
    if name == PUBLIC_NAME:
        return PUBLIC
    raise BadInput(
        "there is no such account",
        keyword="--as",
        found=printable(name[:64]),
        advice=f"one that was made, or {PUBLIC_NAME}",
        code=Reason.NOT_FOUND,
    )

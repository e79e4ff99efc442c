"""Names of accounts and groups."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lake.errors import BadInput, Reason
from lake.governance.policy import GROUP
from lake.text import printable

RESERVED = frozenset({"public", "owner", "operator", "root", "anonymous"})
_NAME = re.compile(r"[a-z][a-z0-9_.@-]{0,63}")


def check_account(name: str) -> str:
    """The name, once it is certain that it may name an account or a group.

    Raises
    ------
    BadInput
        When it may not.
    """
    if _NAME.fullmatch(name) is None or name in RESERVED:
        raise BadInput(
            "this is no name for an account or a group",
            keyword="name",
            found=printable(name[:64]),
            advice="a lower case letter, then letters, digits and _ . - @, at most 64; not "
            + ", ".join(sorted(RESERVED)),
            code=Reason.BAD_NAME,
        )
    return name


def check_holders(holders: Iterable[str]) -> list[str]:
    """Holders of an embargo, each once: accounts, and groups as ``group:NAME``.

    Raises
    ------
    BadInput
        When one of them may not be a name.
    """
    return sorted({f"{_prefix(one)}{check_account(one.removeprefix(GROUP))}" for one in holders})


def _prefix(holder: str) -> str:
    return GROUP if holder.startswith(GROUP) else ""

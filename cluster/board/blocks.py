"""What the parts of the page are put together of; only cells of tables are HTML already, all else is text.

Names, headers and reasons come from files, and may hold anything: text goes through `safe`. The page has no
login, so folders, which reasons may name, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from cluster.html import safe
from lake.entries import from_iso

_FOLDER: Final = re.compile(r"\b\w+://\S*/|(?<![\w.])/(?:[^/\s]+/)+")
_LONGEST: Final = 300


def notice(sentence: str) -> str:
    """A sentence nobody overlooks."""
    return f"<p class='notice' role='alert'>{safe(sentence)}</p>"


def section(title: str, body: str) -> str:
    """A part with its title."""
    return f"<section><h2>{safe(title)}</h2>{body}</section>"


def nothing(sentence: str) -> str:
    """A sentence that says what there is not."""
    return f"<p class='quiet'>{safe(sentence)}</p>"


def table(
    names: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = (), kind: str = ""
) -> str:
    """A table of cells that are HTML already; small screens show less of some kinds."""
    right = set(numbers)
    kinds = [" class='number'" if column in right else "" for column in range(len(names))]
    head = "".join(f"<th{kind}>{safe(name)}</th>" for kind, name in zip(kinds, names, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f"<div class='wide {kind}'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def mono(text: object) -> str:
    """A name that is typed."""
    return f"<code>{safe(text)}</code>"


def badge(status: str) -> str:
    """A status in its colour."""
    return f"<span class='badge {safe(status)}'>{safe(status)}</span>"


def told(text: str) -> str:
    """Words from outside: shortened, without folders."""
    plain = _FOLDER.sub("…/", text[: 4 * _LONGEST])
    return safe(plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…")


def clock(text: str | None, now: datetime, *, seconds: bool = False) -> str:
    """A time of today by its hour, another by its day."""
    moment = from_iso(text)
    if moment is None:
        return ""
    if moment.date() != now.astimezone(UTC).date():
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"

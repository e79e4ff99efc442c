"""Sentences of the lake as somebody with a browser reads them: forms are named instead of commands."""

from __future__ import annotations

from typing import Final

from lake.errors import BadInput

_COMMAND: Final = "heliolake "
_OPTION: Final = "--"
_HERE: Final = {
    "to shorten it say so: `heliolake embargo lift --at TIME`": "to shorten it, end it at an earlier time",
    "a shorter one is `heliolake embargo lift --at TIME`": "to shorten it, end it at an earlier time",
    "`heliolake embargo extend` makes it longer": "to make it longer, extend it",
    "`heliolake embargo set` sets one": "set one",
    "`heliolake embargo show` tells what it inherits from where": "what it inherits ends where it comes from",
    "give a later time with --until": "give a later time",
    "a DOI that was findable is hidden with a reason: heliolake doi hide": "hide it with a reason",
}
"""Advice of decisions that can be taken here, in the words of the forms."""


def sentence(text: str) -> str:
    """As one is written on a page: with a capital, and a full stop."""
    whole = f"{text[:1].upper()}{text[1:]}"
    return whole if not whole or whole.endswith((".", "!", "?")) else f"{whole}."


def for_browsers(advice: str) -> str:
    """Advice that somebody with a browser can follow; commands of the data centre are none."""
    here = _HERE.get(advice, advice)
    return "" if _COMMAND in here or _OPTION in here else here


def told(error: BadInput) -> str:
    """What is wrong with what was sent, and what to do, for the page it was sent from."""
    found = f" (found: {error.found})" if error.found and error.keyword else ""
    return " ".join(
        one for one in (sentence(f"{error.reason}{found}"), sentence(for_browsers(error.advice))) if one
    )

"""What to say to somebody who misspelt a name, or gave a value that does not fit."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

_CUTOFF: Final = 0.55
_LONGEST_WORD: Final = 100
_MOST_NAMES: Final = 40
_LONGEST_VALUE: Final = 120

_REPR: Final = reprlib.Repr()
_REPR.maxlevel = 3
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = _REPR.maxset = 4
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one most likely means; upper and lower case count alike."""
    by_folded = {name.casefold(): name for name in known}
    near = get_close_matches(word[:_LONGEST_WORD].casefold(), by_folded, n=1, cutoff=_CUTOFF)
    return by_folded[near[0]] if near else None


def choices(word: str, known: Iterable[str], what: str = "Known") -> str:
    """``Did you mean toy? Known: sdo_aia, toy.``: the nearest name, then all of them.

    Parameters
    ----------
    word
        What was written.
    known
        What could have been.
    what
        Stands before the names.
    """
    names = sorted(known)
    near = nearest(word, names)
    hint = f"Did you mean {near}? " if near else ""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{hint}{what}: {', '.join(names[:_MOST_NAMES]) or 'none'}{more}."


def shortly(value: Any) -> str:
    """A value as Python writes it, cut to what fits a sentence."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"

"""Levels: how far the treatment of an image has come, written one way wherever they stand.

A level is a number with at most two digits before and after its point, and up
to four letters that tell its kinds apart (``0``, ``0.5``, ``1``, ``1.5``,
``12.5``, ``2q``), or a quick look on the way to one: ``Q`` and a number with
one digit before the point (``Q1``, ``Q1.5``). No kind begins with ``p``, which
stands for the point in names. `lake.names` names files by the same grammar.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

_LEVEL: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?(?!p)[A-Za-z]{0,4}|Q[0-9](\.[0-9]{1,2})?")


def is_level(text: str) -> bool:
    """Whether a text is a level."""
    return _LEVEL.fullmatch(text) is not None


def _level(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(_ADVICE)
    if isinstance(value, float):  # 1.10 would silently become 1.1
        raise ValueError('write levels as text, in quotes: "1.5"')
    text = str(value) if isinstance(value, int) and 0 <= value < 100 else value
    if not isinstance(text, str) or not is_level(text):
        raise ValueError(f"is not a level; {_ADVICE}")
    return text


_ADVICE: Final = 'write levels like "0", "0.5", "1", "1.5" or "Q1" (CONTRIBUTING.md has all forms)'
#: A level in a document that people write: validated where it is read, so that no file meets it first.
Level = Annotated[str, BeforeValidator(_level)]

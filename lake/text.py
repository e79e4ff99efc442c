"""Text from outside, made safe for those who read it.

Headers, names of files and messages may hold what a terminal obeys instead of showing it (escape sequences,
among them the one-character forms U+0080 to U+009F), what turns the order of letters around (U+202E), or what
nobody sees (zero-width characters). All of that is spelled out as Python does, ``\\x9b`` and ``\\u202e``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: Unseen though Unicode counts them among letters and marks: fillers, joiners, variation selectors.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str | Path) -> str:
    """Text in one line that screens, JSON, HTML, logs and the catalogue take as it is.

    Whatever `str.isprintable` does not count (control characters, line breaks, marks of writing direction,
    spaces other than the usual one, broken UTF-8) is spelled out, and so is what is printable and unseen.
    """
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(map(_spelled, plain))


def printable_lines(text: str) -> str:
    """The same for text of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def listed(names: Iterable[str], most: int) -> str:
    """Names in a row; where there are more than `most`, how many more."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


class PlainFormatter(logging.Formatter):
    """Formats as another formatter does, and spells out what a terminal would obey.

    Parameters
    ----------
    inner
        The formatter whose text is made plain.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The record with its traceback, line by line."""
        return printable_lines(self.inner.format(record))

    @classmethod
    def install(cls, handler: logging.Handler) -> None:
        """Let a handler write plain text; its form stays."""
        if not isinstance(handler.formatter, cls):
            handler.setFormatter(cls(handler.formatter or logging.Formatter()))


def _spelled(character: str) -> str:
    if character.isprintable() and not _UNSEEN.match(character):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

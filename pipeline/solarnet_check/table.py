"""The table of keywords, `rules.yaml`, made ready to be asked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from pipeline.documents import load_yaml
from pipeline.solarnet_check.header import Value, is_number, is_whole, moment

_FILE: Final = Path(__file__).with_name("rules.yaml")
#: What the small letters of a name stand for; `nn` before `n`.
_LETTERS: Final = (("nn", r"\d\d"), ("n", r"[1-9]\d{0,3}"), ("i", r"[1-9]\d?"), ("j", r"[1-9]\d?"))
_MORE: Final = (("m", r"\d{1,2}"), ("a", "[A-Z]?"))
_KINDS: Final = {
    "text": "text",
    "whole": "a whole number",
    "number": "a number",
    "date": "a FITS date, as 2026-01-02T03:04:05.678",
}


@dataclass(frozen=True)
class KeywordRule:
    """What the value of a keyword must be."""

    kind: str
    source: str
    among: tuple[Value, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None

    def expected(self) -> str:
        """In words."""
        if self.among:
            return "one of " + ", ".join(map(str, self.among))
        told = _KINDS[self.kind]
        if self.least is not None and self.most is not None:
            return f"{told} between {self.least:g} and {self.most:g}"
        if self.least is not None:
            return f"{told}, {self.least:g} at least"
        return told if self.above is None else f"{told} above {self.above:g}"

    def allows(self, value: Value) -> bool:
        """Whether a value is of the right type, and where it has to be."""
        if not self.has_type(value):
            return False
        if self.among:
            return _folded(value) in map(_folded, self.among)
        if not is_number(value):
            return True
        number: float = value  # type: ignore[assignment]
        return (
            not math.isnan(number)
            and (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
        )

    def has_type(self, value: Value) -> bool:
        """Whether a value is of the right type."""
        if self.kind == "number":
            return is_number(value)
        if self.kind == "whole":
            return is_whole(value)
        return moment(value) is not None if self.kind == "date" else isinstance(value, str)


@dataclass(frozen=True)
class Need:
    """Keywords that must be there: of which HDUs, and when."""

    of: str
    when: str
    names: tuple[str, ...]
    advice: str
    source: str


@dataclass(frozen=True)
class Named:
    """Keywords, where a rule about them is written, and what takes their place."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    source: str
    instead: str = ""
    fine_with: tuple[str, ...] = ()


def _folded(value: Value) -> Value:
    return value.strip().lower() if isinstance(value, str) else value


def pattern_of(name: str) -> str:
    """The regular expression that a name with small letters stands for."""
    parts = re.split(r"([a-z]+)", name)
    return "".join(_letters(part) if number % 2 else re.escape(part) for number, part in enumerate(parts))


def _letters(text: str) -> str:
    found = ""
    while text:
        letter, meaning = next(pair for pair in (*_LETTERS, *_MORE) if text.startswith(pair[0]))
        found, text = found + meaning, text[len(letter) :]
    return found


@lru_cache(maxsize=8192)
def rule_of(keyword: str) -> KeywordRule | None:
    """What the table says of a keyword."""
    return next((rule for pattern, rule in _rules() if pattern.fullmatch(keyword)), None)


@cache
def _rules() -> tuple[tuple[re.Pattern[str], KeywordRule], ...]:
    return tuple(_read_rules())


def _read_rules() -> Iterator[tuple[re.Pattern[str], KeywordRule]]:
    for row in _document()["keywords"]:
        least, most = row.get("between", (row.get("least"), None))
        rule = KeywordRule(row["is"], row["from"], tuple(row.get("among", ())), least, row.get("above"), most)
        yield re.compile("|".join(map(pattern_of, row["names"].split()))), rule


@cache
def needs() -> tuple[Need, ...]:
    """What must be there."""
    return tuple(
        Need(row["of"], row.get("when", ""), tuple(row["names"].split()), row["advice"], row["from"])
        for row in _document()["needed"]
    )


@cache
def positions() -> tuple[tuple[str, ...], ...]:
    """Sets of keywords any one of which tells where the observer was."""
    return tuple(tuple(one.split()) for one in _document()["positions"]["sets"])


@cache
def named(part: str) -> Named:
    """A list of the table: ``origin``, ``short`` or ``steps``."""
    return _named(_document()[part])


@cache
def deprecated() -> tuple[Named, ...]:
    """What is not to be used any more."""
    return tuple(map(_named, _document()["deprecated"]))


def _named(row: dict[str, Any]) -> Named:
    names = tuple(row["names"].split())
    return Named(
        re.compile("|".join(map(pattern_of, names))),
        names,
        row["from"],
        row.get("instead", ""),
        tuple(row.get("fine_with", "").split()),
    )


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = load_yaml(_FILE, "the table of SOLARNET keywords")
    return document

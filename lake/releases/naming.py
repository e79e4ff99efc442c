"""What of a question concerns names, words and searchable values, as conditions that indexes serve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnClause, ColumnElement, Text, func, literal, literal_column
from sqlalchemy.dialects.postgresql import ARRAY

from lake.catalogue.expressions import THREES, THREES_OF_PRODUCT
from lake.catalogue.models import Observation, Product, Release
from lake.releases.values import holding

_TRIGRAM: Final = 3


def of_names(
    pattern: str | None, words: str | None, meta: Mapping[str, Any] | None
) -> Iterator[ColumnElement[bool]]:
    """What is wanted of names, words and searchable values, on `Product` and `Observation`."""
    if pattern is not None:
        column = Product.name if ":" in pattern else Observation.name
        yield column.like(_like(pattern), escape="\\")
    if words is not None:
        yield from _holds_words(words)
    if meta:
        yield from holding(Observation.meta, meta)


def by_threes(pattern: str | None) -> Iterator[ColumnElement[bool]]:
    """What follows from a pattern for the threes of letters of a name: an index has them."""
    threes = _threes(pattern or "")
    if threes:
        column = THREES_OF_PRODUCT if ":" in (pattern or "") else THREES
        yield column.contains(literal(threes, ARRAY(Text)))


def perhaps(pattern: str | None) -> Iterator[ColumnElement[bool]]:
    """What follows from a pattern for the name of a dataset: most others need no look at other tables."""
    if pattern is not None:
        _, colon, of_product = pattern.partition(":")
        told = f"{of_product}.v*" if colon else f"{pattern}.l*"
        yield Release.dataset.like(_like(told), escape="\\")


def _like(pattern: str) -> str:
    """A shell pattern as a pattern of LIKE."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _threes(pattern: str) -> list[str]:
    """Threes of letters that a name has to hold: side by side, for those that overlap tell little more."""
    found: dict[str, None] = {}
    for piece in re.split(r"[*?]+", pattern):
        last = len(piece) - _TRIGRAM
        for at in [*range(0, last + 1, _TRIGRAM), *([last] if last >= 0 else [])]:
            found[piece[at : at + _TRIGRAM]] = None
    return list(found)


def _holds_words(words: str) -> Iterator[ColumnElement[bool]]:
    for word in words.split():
        stem = word.rstrip("*")
        begins = stem != word and stem.isalnum() and stem.isascii()
        simple: ColumnClause[str] = literal_column("'simple'")
        known = func.to_tsquery(simple, f"{stem}:*") if begins else func.plainto_tsquery(simple, word)
        yield Observation.words.bool_op("@@")(known)

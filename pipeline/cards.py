"""Headers on their way through a chain: copied, added to and compared without doing each card anew.

A chain of a dozen steps copies a header some thirty times and adds two hundred cards to it. `fits.Header`
takes in every card again at each copy, and counts all others anew at each addition: that took longer than
the images. Here copies share their cards until one is changed, and what comes of it is the very same header.
Where the inside of `fits.Header` is not as it is known to be, all is done in astropy's own way.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import lru_cache
from itertools import starmap
from numbers import Integral
from typing import Any, Final

from astropy.io import fits

#: Keyword, value, comment; without a comment the one that is there stays.
Entry = tuple[str, Any, str | None]

_COMMENTARY: Final = frozenset({"", "COMMENT", "HISTORY", "END"})
#: Longest keyword that is written as it is; of longer ones astropy knows what they are looked up by.
_LONGEST: Final = 8
#: A keyword that is no HIERARCH card, and no record of a card either.
_PLAIN: Final = re.compile(r"[A-Z0-9_-]{1,8}")
#: Whether a header is made of what this module counts on.
_IS_KNOWN: Final = vars(fits.Header()).keys() == {
    *("_cards", "_keyword_indices", "_rvkc_indices", "_modified")
} and all(hasattr(fits.Header, name) for name in ("_update", "_cardindex", "_updateindices"))


class ChainHeader(fits.Header):  # type: ignore[misc]  # astropy has no types
    """A `fits.Header` whose copies are of its kind, and share its cards: a card that changes is replaced."""

    _cards: list[fits.Card]
    _keyword_indices: defaultdict[str, list[int]]
    _rvkc_indices: defaultdict[str, list[int]]
    _modified: bool

    @classmethod
    def of(cls, header: fits.Header) -> ChainHeader:
        """A copy of any header."""
        if not _IS_KNOWN:
            return cls(map(copy, header.cards))
        made = cls.__new__(cls)
        shared = isinstance(header, ChainHeader)
        made._cards = header._cards.copy() if shared else list(map(_twin, header._cards))
        made._keyword_indices = _twins(header._keyword_indices)
        made._rvkc_indices = _twins(header._rvkc_indices)
        made._modified = False
        return made

    def copy(self, strip: bool = False) -> ChainHeader:
        """As `fits.Header.copy`."""
        made = self.of(self)
        if strip:
            made.strip()
        return made

    @property
    def cards(self) -> Any:
        """As `fits.Header.cards`; who is given cards may change them."""
        if _IS_KNOWN:
            self._cards = list(map(_twin, self._cards))
        return super().cards

    def __setitem__(self, key: Any, value: Any) -> None:
        """As `fits.Header` does it, with a card of its own."""
        if _IS_KNOWN and isinstance(key, (Integral, tuple)):
            self._own(self._cardindex(key))
        super().__setitem__(key, value)

    def _update(self, card: Any) -> None:
        name = card[0].strip().upper().removeprefix("HIERARCH ")
        if _IS_KNOWN and name in self._keyword_indices:
            self._own(self._keyword_indices[name][0])
        super()._update(card)

    def _own(self, place: int) -> None:
        self._cards[place] = _twin(self._cards[place])

    def _updateindices(self, idx: int, increment: bool = True) -> None:
        """Count anew what stands behind a card that came or went, and that alone: mostly a few of HISTORY."""
        if self._rvkc_indices or not _IS_KNOWN:
            super()._updateindices(idx, increment)
            return
        step = 1 if increment else -1
        for name in {card.keyword for card in self._cards[idx:]}:
            places = self._keyword_indices.get(_normal(name))
            if places:
                places[:] = [place + step if place >= idx else place for place in places]

    def _insert_all(self, fresh: list[fits.Card]) -> None:
        """Add cards with new keywords where each would go by itself: before the commentary at the end."""
        place = len(self._cards)
        while place and self._cards[place - 1].keyword in _COMMENTARY:
            place -= 1
        for name in {card.keyword for card in self._cards[place:]}:
            self._keyword_indices[name] = [
                index + len(fresh) if index >= place else index for index in self._keyword_indices[name]
            ]
        self._cards[place:place] = fresh
        for index, card in enumerate(fresh, start=place):
            self._keyword_indices[card.keyword].append(index)
        self._modified = True

    def _put(self, entries: Iterable[Entry]) -> None:
        fresh: dict[str, fits.Card] = {}
        for entry in entries:
            name = entry[0]
            if name in fresh or name in self._keyword_indices or not _is_plain(name):
                self._insert_all(list(fresh.values()))
                fresh = {}
                _set(self, *entry)
                continue
            card = _made(*entry)
            if card.field_specifier is not None:  # a record-valued card has an index of its own
                self._insert_all(list(fresh.values()))
                fresh = {}
                self.append(card)
            else:
                fresh[name] = card
        self._insert_all(list(fresh.values()))

    def _drop(self, gone: frozenset[str]) -> None:
        self._cards = [card for card in self._cards if card.keyword not in gone]
        self._keyword_indices = defaultdict(list)
        for index, card in enumerate(self._cards):
            self._keyword_indices[_normal(card.keyword)].append(index)
        self._modified = True


def header_text(header: fits.Header | Mapping[str, Any], keyword: str) -> str:
    """The value of a card as text, empty where it is absent or undefined."""
    value = header.get(keyword)
    return "" if value is None or isinstance(value, fits.card.Undefined) else str(value).strip()


def put(header: fits.Header, entries: Iterable[Entry]) -> None:
    """Set cards one after the other, as ``header[keyword] = value, comment`` does."""
    if _IS_KNOWN and isinstance(header, ChainHeader) and not (header._cards and header._cards[-1].is_blank):
        header._put(entries)
        return
    for entry in entries:
        _set(header, *entry)


def drop(header: fits.Header, names: Iterable[str]) -> None:
    """Remove all cards with these keywords, as far as there are any."""
    if _IS_KNOWN and isinstance(header, ChainHeader) and not header._rvkc_indices:
        there = frozenset(names) & header._keyword_indices.keys()
        if there:
            header._drop(there)
        return
    for name in names:
        header.remove(name, ignore_missing=True, remove_all=True)


def same(first: fits.Header, second: fits.Header) -> bool:
    """Whether two headers are equal, as ``first == second`` has it."""
    if len(first) != len(second):
        return False
    return all(starmap(_is_equal, zip(_cards_of(first), _cards_of(second), strict=True)))


def numbered(header: fits.Header, stem: str) -> Iterator[str]:
    """Keywords made of a stem and a number, in the header's order."""
    first = len(stem)
    return (name for name in header if name.startswith(stem) and name[first:].isdecimal())


def _is_equal(one: fits.Card, other: fits.Card) -> bool:
    # Cards that nobody touched since they were copied are one, or alike in all parts; others are written out.
    return one is other or vars(one) == vars(other) or str(one) == str(other)


def _set(header: fits.Header, name: str, value: Any, comment: str | None) -> None:
    header[name] = value if comment is None else (value, comment)


def _normal(name: str) -> str:
    """What astropy looks a card with this keyword up by."""
    return name if len(name) <= _LONGEST else str(fits.Card.normalize_keyword(name))


def _is_plain(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and name not in _COMMENTARY


def _twin(card: fits.Card) -> fits.Card:
    made = card.__class__.__new__(card.__class__)
    made.__dict__.update(card.__dict__)
    return made


def _twins(indices: dict[str, list[int]]) -> defaultdict[str, list[int]]:
    return defaultdict(list, {name: places.copy() for name, places in indices.items()})


def _made(name: str, value: Any, comment: str | None) -> fits.Card:
    """A new card; its text, or all but its number, is mostly that of the frame before."""
    kind = type(value)
    if kind is str:
        return _twin(_card(name, value, comment))
    if kind not in (int, float, bool) or not math.isfinite(value):
        return fits.Card(name, fits.card.UNDEFINED if value is None else value, comment)
    made = _twin(_card(name, kind(1), comment))
    made._value = value
    return made


@lru_cache(maxsize=2048, typed=True)
def _card(name: str, value: str | float | bool, comment: str | None) -> fits.Card:
    return fits.Card(name, value, comment)


def _cards_of(header: fits.Header) -> list[fits.Card]:
    return header._cards if _IS_KNOWN else list(header.cards)

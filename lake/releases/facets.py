"""Facets: how many of what matches are of each instrument, level, target, year …, to go on from there."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    CompoundSelect,
    Integer,
    Select,
    Text,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    union_all,
)

from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.finding import Wanted, matching, patiently

MOST: Final = 50_000
"""Releases that are counted."""
SHOWN: Final = 50
"""Values of a facet, the most frequent ones."""
_KEPT: Final = 30.0
"""Seconds for which what was counted is told again."""
_WAYS: Final = {
    "instrument": Release.scope,
    "level": Release.level,
    "year": cast(extract("year", func.timezone("UTC", Release.date_beg)), Integer),
    "polarimetric": Release.polarimetric,
    "spectroscopic": Release.spectroscopic,
}
_WORDS: Final = {"target": Release.targets, "campaign": Release.campaigns, "kind": Release.kinds}

_lock = threading.Lock()
_known: dict[tuple[Any, ...], tuple[float, dict[str, Any]]] = {}


def facets(lake: Lake, wanted: Wanted, principal: Principal) -> dict[str, Any]:
    """How many of the releases that match have each value of each facet.

    Parameters
    ----------
    lake, wanted, principal
        As `lake.releases.finding.page` takes them.

    Returns
    -------
    dict
        `count` (at most `MOST`), `more` where there are more than were counted, and `facets`: by name a list
        of `value` and `count`, the most frequent first.
    """
    key = (lake.config.database_url, repr(wanted), repr(principal))
    with _lock:
        at, told = _known.get(key, (0.0, {}))
    if told and time.monotonic() - at < _KEPT:
        return told
    told = _counted(lake, wanted, principal)
    with _lock:
        for old in [one for one, (at, _) in _known.items() if time.monotonic() - at > _KEPT]:
            del _known[old]
        _known[key] = (time.monotonic(), told)
    return told


def _counted(lake: Lake, wanted: Wanted, principal: Principal) -> dict[str, Any]:
    columns: list[Any] = [column.label(name) for name, column in {**_WAYS, **_WORDS}.items()]
    with transaction(lake.sessions) as session, patiently():
        found = matching(session, wanted, principal, columns, MOST + 1)
        ways = [found.c[name] for name in _WAYS]
        alike = select(*ways, func.count().label("number")).group_by(*ways)
        words = [_words_of(found, name) for name in _WORDS]
        # One statement, that what matches is looked for once.
        told = session.execute(_beside(alike, words)).all()
    numbers: dict[str, Counter[Any]] = {name: Counter() for name in (*_WAYS, *_WORDS)}
    number = 0
    for kind, word, *values, counted in told:
        if kind:
            numbers[kind][word] += counted
            continue
        number += counted
        for name, value in zip(_WAYS, values, strict=True):
            if value is not None:
                numbers[name][value] += counted
    return {
        "count": min(number, MOST),
        "more": number > MOST,
        "facets": {name: _most_frequent(one) for name, one in numbers.items()},
    }


def _words_of(found: CTE, name: str) -> Select[Any]:
    word = func.unnest(found.c[name]).label("word")
    each = select(word).where(func.cardinality(found.c[name]) > 0).subquery()
    counted = select(each.c.word, func.count().label("number")).group_by(each.c.word)
    most = counted.order_by(func.count().desc(), each.c.word).limit(SHOWN).subquery()
    nothing = [null().label(way) for way in _WAYS]
    return select(literal(name).label("kind"), most.c.word, *nothing, most.c.number)


def _beside(alike: Select[Any], words: Sequence[Select[Any]]) -> CompoundSelect[Any]:
    """What is alike in all ways, with how many there are, and beside it words with theirs."""
    ways = alike.subquery()
    of_ways = select(literal("").label("kind"), cast(null(), Text).label("word"), *ways.c)
    return union_all(of_ways, *words)


def _most_frequent(numbers: Counter[Any]) -> list[Mapping[str, Any]]:
    ordered = sorted(numbers.items(), key=lambda one: (-one[1], one[0]))
    return [{"value": value, "count": number} for value, number in ordered[:SHOWN]]

"""Facets: how many of what matches are of each instrument, level, target, year …, to go on from there."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Integer, Select, cast, extract, func, select

from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.finding import Wanted, matching

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
    with transaction(lake.sessions) as session:
        columns: list[Any] = [column.label(name) for name, column in {**_WAYS, **_WORDS}.items()]
        query = matching(session, wanted, principal).with_only_columns(*columns).limit(MOST + 1)
        found = query.cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
        number = session.scalar(select(func.count()).select_from(found)) or 0
        told: dict[str, list[Mapping[str, Any]]] = {}
        for name in _WAYS:
            value = found.c[name]
            told[name] = _values(
                session, select(value, func.count()).where(value.is_not(None)).group_by(value)
            )
        for name in _WORDS:
            each = select(func.unnest(found.c[name]).label("value")).subquery()
            told[name] = _values(session, select(each.c.value, func.count()).group_by(each.c.value))
    return {"count": min(number, MOST), "more": number > MOST, "facets": told}


def _values(session: Any, query: Select[Any]) -> list[Mapping[str, Any]]:
    ordered = query.order_by(func.count().desc(), query.selected_columns[0]).limit(SHOWN)
    return [{"value": value, "count": number} for value, number in session.execute(ordered)]

"""Searchable values of an observation: one where all of its files agree, else the set of those there are.

A set is a JSON list, for no file has a list as its value. A row that was written when the last file's value
stood for all reads as it always did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute


def united(several: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of all of them.

    Parameters
    ----------
    several
        Name → value, or list of values, of files or of observations.

    Returns
    -------
    dict
        Name → the value where it is one, else the list of all, numbers before texts, each in order.
    """
    found: dict[str, dict[str, Any]] = {}
    for values in several:
        for name, value in values.items():
            found.setdefault(name, {}).update((json.dumps(one), one) for one in each(value))
    return {name: _one_or_all(values) for name, values in found.items()}


def each(value: Any) -> list[Any]:
    """The values that a searchable value stands for."""
    return value if isinstance(value, list) else [value]


def is_simulated(meta: Mapping[str, Any]) -> bool:
    """Whether some of an observation, by its searchable values, was made from a model and not observed."""
    return any(map(bool, each(meta.get("simulated"))))


def holding(
    column: InstrumentedAttribute[dict[str, Any]], wanted: Mapping[str, Any]
) -> Iterator[ColumnElement[bool]]:
    """Conditions that find the rows which have all the values, alone or among others."""
    for name, value in wanted.items():
        # In JSON {"a": [1, 2]} does not contain {"a": 1}; the index serves both questions.
        yield or_(column.contains({name: value}), column.contains({name: each(value)}))


def _one_or_all(values: Mapping[str, Any]) -> Any:
    if len(values) == 1:
        return next(iter(values.values()))
    return sorted(
        values.values(), key=lambda one: (isinstance(one, str), "" if _number(one) else str(one), one)
    )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

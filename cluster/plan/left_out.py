"""Files that a plan does not touch, and why: of those that its recipe is not for how many, and the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from lake.releases.inputs import Input
from pipeline.recipe import Recipe

FIRST: Final = 8
"""Files that are named where nobody asked for all."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file the plan does not touch, and why."""

    file: str
    reason: str

    def is_called(self, name: str) -> bool:
        """Whether it is the file of a DID, a name, or a name without its end."""
        own = self.file.partition(":")[2]
        return name in (self.file, own) or own.startswith(f"{name}.")

    def document(self) -> dict[str, str]:
        """Plain data."""
        return {"file": self.file, "reason": self.reason}


@dataclass(frozen=True)
class NotFor:
    """Files of a recipe's level that it is not for, by its ``where``.

    Attributes
    ----------
    number
        How many.
    values
        How many of them for each searchable value that the recipe asks for and they have not.
    first
        The first of them; all, where all were asked for.
    """

    number: int = 0
    values: Mapping[str, int] = field(default_factory=dict)
    first: tuple[LeftOut, ...] = ()

    def document(self) -> dict[str, Any]:
        """Plain data."""
        first = [one.document() for one in self.first]
        return {"number": self.number, "values": dict(self.values), "first": first}


class Sieve:
    """Lets the files through that a recipe is for.

    Parameters
    ----------
    recipe
        The recipe.
    most
        So many of the others are kept by name; all where it is `None`.
    """

    def __init__(self, recipe: Recipe, most: int | None = FIRST) -> None:
        self._recipe, self._most = recipe, most
        self._values: Counter[str] = Counter()
        self._first: list[LeftOut] = []
        self._number = 0

    def through(self, found: Iterable[Input]) -> Iterator[Input]:
        """Those that the recipe is for, as they come."""
        for one in found:
            unfit = self._recipe.unfit(one.meta)
            if unfit is None:
                yield one
                continue
            self._number += 1
            self._values[unfit] += 1
            if self._most is None or len(self._first) < self._most:
                reason = _reason(unfit, str(one.meta.get(unfit, "")), self._recipe.where[unfit])
                self._first.append(LeftOut(one.file.did, reason))

    def held_back(self) -> NotFor:
        """The others, as far as they came."""
        return NotFor(self._number, dict(self._values.most_common()), tuple(self._first))


@lru_cache(maxsize=1024)  # of a million files most say one of a few
def _reason(name: str, value: str, allowed: tuple[Any, ...]) -> str:
    wanted = " or ".join(map(str, allowed))
    return f"its {name} is {value or 'not told'}; the recipe takes {wanted}"

"""Plans: from a recipe and a query to an immutable list of units of work.

A unit is named by the hash of everything that decides its result: the bytes
of its inputs, the steps with their versions and parameters, and the bytes of
its references. Equal units have equal names, wherever and whenever planned.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, Final

from cluster.plan.left_out import FIRST, LeftOut, NotFor, Sieve
from cluster.plan.units import Chosen, Member, PlannedUnit
from lake.calibration import contexts
from lake.calibration.choice import Choice, Context, choose
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.governance.policy import PUBLIC, Principal
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import inputs
from lake.releases.access import require_inputs
from pipeline import code
from pipeline.grouping import Group, groups
from pipeline.instrument import Instrument
from pipeline.recipe import Recipe
from pipeline.registry import instrument

#: What most members have of references, or of needs that none answers; a plan may hold a million of these.
_NONE: Final[Mapping[str, Any]] = {}
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True, slots=True)
class Query:
    """Which observations a plan is about; all when empty.

    Attributes
    ----------
    since, until
        Observations that overlap this span, UTC.
    observation
        Name of the observation, ``*`` for anything.
    changed_since
        Only products that the change from this context to the one of the plan asks to reprocess.
    """

    since: datetime | None = None
    until: datetime | None = None
    observation: str | None = None
    changed_since: int | None = None


@dataclass(frozen=True)
class Plan:
    """An immutable list of units. Its id is the hash of its content."""

    recipe: Recipe
    context: int | None
    units: tuple[PlannedUnit, ...]
    left_out: tuple[LeftOut, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    not_for: NotFor = field(default_factory=NotFor)

    @property
    def id(self) -> str:
        """Hash of recipe, context, units and of the code that is to carry them out."""
        return digest(
            {
                "code": code.digest(self.code),
                "recipe": self.recipe.document(),
                "context": self.context,
                "units": sorted(unit.unit_id for unit in self.units),
            }
        )[:32]

    def by_product(self) -> dict[ProductKey, list[PlannedUnit]]:
        """The units of each product, in order."""
        result: dict[ProductKey, list[PlannedUnit]] = {}
        for unit in self.units:
            result.setdefault(unit.product, []).append(unit)
        return result

    def parents(self) -> set[str]:
        """The releases it reads."""
        return {member.parent for unit in self.units for member in unit.members}

    def reference_dids(self) -> set[str]:
        """The references it reads."""
        return {
            one.did for unit in self.units for member in unit.members for one in member.references.values()
        }

    def document(self) -> dict[str, Any]:
        """Plain data: shown by ``plan``, written by ``plan -o``, compared by ``plan --diff``."""
        return {
            "plan": self.id,
            "recipe": self.recipe.model_dump(mode="json"),
            "context": self.context,
            "code": dict(self.code),
            "products": {key.name: len(units) for key, units in self.by_product().items()},
            "units": [unit.document() for unit in self.units],
            "left_out": [one.document() for one in self.left_out],
            "not_for": self.not_for.document(),
        }

    def why_not(self, name: str) -> list[LeftOut]:
        """Why a file is left out, by its DID or name; empty where it is not, or not among those named."""
        return [one for one in (*self.left_out, *self.not_for.first) if one.is_called(name)]

    def explain(self, did: str) -> list[dict[str, Any]]:
        """For each unit that reads or makes from a file: its references with the reason of each choice."""
        return [
            {
                **unit.document(),
                "parent": ", ".join(unit.parents),
                "why": {need: chosen.why for need, chosen in unit.references.items()},
                "absent": dict(unit.absent),
            }
            for unit in self.units
            if did == unit.unit_id or any(did in (file.did, file.name, file.stem) for file in unit.files)
        ]


def make_plan(
    lake: Lake,
    recipe: Recipe,
    query: Query | None = None,
    *,
    context: int | None = None,
    principal: Principal = PUBLIC,
    most_not_for: int | None = FIRST,
) -> Plan:
    """The plan of a recipe for the observations a query finds.

    Parameters
    ----------
    lake
        Where the inputs are.
    recipe
        What to do.
    query
        Which observations; all by default. An observation is always planned whole.
    context
        Number of the context of references; the current one by default.
    principal
        On whose behalf: inputs that they may not read are refused.
    most_not_for
        So many of the files that the recipe is not for are named, all where it is `None`; all are counted.

    Raises
    ------
    pipeline.errors.Fatal
        When the recipe is not valid.
    lake.errors.BadInput
        When there is no such context, or an input may not be read.
    """
    query = query or Query()
    chosen = contexts.current(lake, recipe.instrument) if context is None else contexts.load(lake, context)
    recipe_hash = digest(recipe.document())
    look = partial(
        inputs.active_inputs,
        lake,
        recipe.instrument,
        since=query.since,
        until=query.until,
        observation=query.observation,
    )
    found, made_elsewhere = look(recipe.from_level), look(recipe.to_level)
    if query.changed_since is not None:
        names = _affected(lake, query.changed_since, chosen)
        found = (one for one in found if _product(one.product, recipe.to_level).name in names)
        made_elsewhere = iter(())
    sieve = Sieve(recipe, most_not_for)
    found = sieve.through(found)
    needs = tuple(need.name for _, need in recipe.needs())
    entry = instrument(recipe.instrument)
    left_out: list[LeftOut] = []
    with _no_search_for_circles():
        units = tuple(
            unit
            for group in _groups(found, recipe, left_out)
            for unit in _units(
                [_member(one, _choices(one.file, entry, needs, chosen)) for one in group.files],
                group.files[0].product,
                recipe,
                recipe_hash,
                group.lacks,
            )
        )
    left_out += [
        LeftOut(one.file.did, f"already {entry.title} level {recipe.to_level}; came from elsewhere")
        for one in made_elsewhere
        if one.file.unit_id is None
    ]
    number = None if chosen is None else chosen.number
    made = Plan(recipe, number, units, tuple(left_out), code.of_recipe(recipe), sieve.held_back())
    require_inputs(lake, principal, made.parents(), made.reference_dids())
    return made


@contextmanager
def _no_search_for_circles() -> Iterator[None]:
    """Spare Python the search for garbage: of ten million objects it would look at each over and over, and
    none is garbage: two fifths of the time of a large plan."""
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searches:
            gc.enable()


def _groups(
    found: Iterable[inputs.Input], recipe: Recipe, left_out: list[LeftOut]
) -> Iterator[Group[inputs.Input]]:
    """The files of each unit; those of groups that lack something are added to what is left out."""
    rule = recipe.group_by
    if rule is None:
        yield from (Group([one]) for one in found)
        return
    # Inputs come by observation: only the files of one are held.
    for _, together in groupby(found, key=lambda one: one.product):
        for group in groups(together, rule):
            shapes = dict.fromkeys(one.file.shape for one in group.files)
            if len(shapes) > 1 or (group.lacks and rule.incomplete == "left out"):
                why = group.lacks or f"has images of several shapes: {', '.join(map(str, shapes))}"
                reason = f"its group of {len(group.files)} {why}"
                left_out += [LeftOut(one.file.did, reason) for one in group.files]
            else:
                yield group


def _choices(
    file: FileEntry, entry: Instrument, needs: Sequence[str], context: Context | None
) -> dict[str, Choice]:
    keywords = selectable(file, entry) if needs else {}
    return {need: choose(context, entry.name, need, file.date_beg, keywords) for need in needs}


def selectable(file: FileEntry, entry: Instrument) -> dict[str, Any]:
    """What a reference's selectors may ask of a file: its searchable values by name and by FITS keyword."""
    by_keyword = {
        rule.keyword: file.meta[name]
        for name, rule in entry.meta.items()
        if rule.keyword and name in file.meta
    }
    return {**file.meta, **by_keyword, "FILENAME": file.name, "LEVEL": file.level}


def _member(entry: inputs.Input, choices: Mapping[str, Choice]) -> Member:
    references = {
        need: Chosen(choice.reference.did, choice.reference.sha256, choice.why)
        for need, choice in choices.items()
        if choice.reference is not None
    }
    absent = {need: choice.why for need, choice in choices.items() if choice.reference is None}
    return Member(entry.file, entry.release, references or _NONE, absent or _NONE)


def _units(
    members: Sequence[Member], source: ProductKey, recipe: Recipe, recipe_hash: str, lacks: str
) -> Iterator[PlannedUnit]:
    """The unit of a file or group, and one for each further output of the recipe."""
    references = [
        {need: [chosen.did, chosen.sha256] for need, chosen in member.references.items()}
        for member in members
    ]
    document = {
        "inputs": [[member.file.did, member.file.sha256] for member in members],
        "recipe": recipe_hash,
        "blank_is_missing": instrument(recipe.instrument).blank_is_missing,
        # One file keeps the name its unit had before there were groups.
        "references": references[0] if len(references) == 1 else references,
    }
    name = digest(document)
    work = name if recipe.outputs else ""
    yield PlannedUnit(name, _product(source, recipe.to_level), tuple(members), lacks, work=work)
    for output, level in recipe.outputs.items():
        own = digest({**document, "output": output})
        yield PlannedUnit(own, _product(source, level), tuple(members), lacks, output, work)


@lru_cache(maxsize=64)
def _product(source: ProductKey, level: str) -> ProductKey:
    """The product made from another; inputs come by observation, so that neighbours share it."""
    return ProductKey(source.scope, source.observation, level)


def _affected(lake: Lake, number: int, context: Context | None) -> set[str]:
    if context is None:
        raise BadInput(
            "there is no context to compare with",
            keyword="context",
            found="none is in use",
            advice="name one with --context N, or make one current with `heliolake context use N`",
        )
    change = contexts.diff(contexts.load(lake, number), context)
    return {str(row["product"]) for row in contexts.affected(lake, change)}


def digest(document: Any) -> str:
    """SHA-256 of plain data in its canonical JSON form."""
    return hashlib.sha256(_CANONICAL.encode(document).encode("ascii")).hexdigest()

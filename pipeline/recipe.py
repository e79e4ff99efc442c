"""Recipes: which steps, with which parameters, lead from one level to another."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.carrying import begins, require_carried
from pipeline.chain import BoundStep
from pipeline.choices import choices, shortly
from pipeline.completeness import Expectation
from pipeline.dims_chain import require_dims
from pipeline.documents import load_yaml, read_yaml
from pipeline.errors import Fatal
from pipeline.grouping import GroupBy, Value, plain
from pipeline.instrument import Instrument
from pipeline.level import Level
from pipeline.mistakes import Place, explained
from pipeline.registry import instrument, instruments, is_announced
from pipeline.step import Params, ReferenceNeed, find_step
from pipeline.unit_chain import require_units

log = logging.getLogger(__name__)

_LARGEST_VERSION: Final = 2**31 - 1
"""What the catalogue's column takes."""


class StepCall(BaseModel):
    """One line of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    params: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    assume: dict[str, Literal["unity"]] = Field(default_factory=dict)


class Recipe(BaseModel):
    """A named, versioned list of steps of one instrument.

    Attributes
    ----------
    name
        What the command line calls it.
    instrument
        The instrument whose files it takes.
    from_level, to_level
        Levels (`pipeline.level`), as text (``"1"``, ``"1.5"``).
    version
        Rises with every published change of the steps.
    uncertainty
        Whether products get the uncertainty of every pixel beside the image.
    where
        Which files it is for, where not for all of the level: searchable value → what it may be.
    group_by
        Which files make one piece of work, where a step makes one frame of several.
    outputs
        Further frames of its steps that are kept as products of their own: name → level.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{1,63}$")
    instrument: str
    from_level: Level
    to_level: Level
    version: int = Field(ge=1, le=_LARGEST_VERSION)
    description: str = ""
    uncertainty: bool = False
    where: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    group_by: GroupBy | None = None
    outputs: dict[str, Level] = Field(default_factory=dict)
    steps: tuple[StepCall, ...] = Field(min_length=1)

    @classmethod
    def parse(cls, text: str, name: str = "recipe") -> Recipe:
        """A recipe from YAML text, fully validated against the registered steps.

        Raises
        ------
        Fatal
            Naming the recipe, the place and what is wrong there.
        """
        return cls._of(read_yaml(text, name), name)

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """A recipe from a YAML file; see `parse`."""
        return cls._of(load_yaml(path, "recipe"), str(path))

    @classmethod
    def _of(cls, document: Any, name: str) -> Recipe:
        if not isinstance(document, dict):
            raise Fatal(f"{name} should be a mapping with name, instrument, from_level, to_level and steps")
        try:
            recipe = cls.model_validate(document)
        except ValidationError as error:
            raise Fatal(f"{name}: {_explain(error, cls)}") from error
        recipe.bind()
        return recipe

    def bind(self) -> tuple[BoundStep, ...]:
        """The enabled steps with validated parameters; those of a noise model only where it is asked for.

        Raises
        ------
        Fatal
            When a step, a parameter or an assumption is not known, the instrument's
            files cannot have the level it makes, a step cannot carry the uncertainty
            that is asked for, or can never be given a unit or dims that it takes.
        """
        entry = instrument(self.instrument)  # registers its steps
        self._require_levels(entry)
        chain = tuple(self._bind_one(call) for call in self.steps if call.enabled)
        if self.uncertainty:
            require_carried(self.name, chain)
        else:
            chain = tuple(bound for bound in chain if not begins([bound]))
        if not chain:
            raise Fatal(f"recipe {self.name}: all its steps are switched off, so there is nothing to do")
        left_out = (find_step(self.instrument, call.step) for call in self.steps if not call.enabled)
        require_units(self.name, chain, left_out)
        self._require_groups(chain, entry)
        self._require_known(self.where, entry, "where")
        self._require_outputs(chain)
        forms = [rule.names for rule in entry.axes_of(self.from_level)]
        require_dims(self.name, chain, forms, f"{entry.name} level {self.from_level}")
        return _honouring_demands(chain)

    def _require_levels(self, entry: Instrument) -> None:
        """Refuse levels that the instrument's files cannot have: products are described by the same rule."""
        for level in (self.to_level, *self.outputs.values()):
            if level not in entry.level.levels:
                raise Fatal(
                    f"recipe {self.name} makes level {level}, which no file of {entry.name} can have; take "
                    f"one of {', '.join(sorted(entry.level.levels))}, or add it to level, values, in "
                    "instrument.yaml"
                )

    def _require_groups(self, chain: Sequence[BoundStep], entry: Instrument) -> None:
        """A step that gathers needs to know what belongs together; other steps have no use for it."""
        gathering = [bound.step.name for bound in chain if bound.step.gathers]
        if len(gathering) > 1:
            raise Fatal(f"recipe {self.name}: only one step can gather; these do: {', '.join(gathering)}")
        if gathering and self.group_by is None:
            raise Fatal(
                f"recipe {self.name}: step {gathering[0]} makes one frame of several, so the recipe has to "
                "say by group_by which files belong together"
            )
        if self.group_by is None:
            return
        if not gathering:
            raise Fatal(f"recipe {self.name} has a group_by, and no step that makes one frame of several")
        self._require_known(self.group_by.names(), entry, "group_by")

    def _require_known(self, names: Iterable[str], entry: Instrument, part: str) -> None:
        """Refuse names that are none of the instrument's searchable values."""
        for name in names:
            if name not in entry.meta:
                raise Fatal(
                    f"recipe {self.name}, {part}: {entry.name} has no searchable value {shortly(name)}. "
                    f"{choices(name, entry.meta, 'There are')}"
                )

    def _require_outputs(self, chain: Sequence[BoundStep]) -> None:
        made, off = _further(chain)
        for name, level in self.outputs.items():
            if name in off:
                raise Fatal(
                    f"recipe {self.name}: the output {name} is not made with {off[name]}=false; "
                    f"leave it out of outputs, or set {off[name]} to true"
                )
            if name not in made:
                raise Fatal(
                    f"recipe {self.name}: none of its steps makes the output {shortly(name)}. "
                    f"{choices(name, made, 'They make')}"
                )
            if [self.from_level, self.to_level, *self.outputs.values()].count(level) > 1:
                raise Fatal(f"recipe {self.name}, outputs: {name} needs a level of its own; {level} is taken")

    def _bind_one(self, call: StepCall) -> BoundStep:
        found = find_step(self.instrument, call.step)
        try:
            params = found.params_model.model_validate(call.params)
        except ValidationError as error:
            raise Fatal(
                f"recipe {self.name}, step {call.step}: {_explain(error, found.params_model)}"
            ) from error
        allowed = {need.name for need in found.needs if need.unity_allowed}
        for name in call.assume:
            if name not in allowed:
                raise Fatal(
                    f"recipe {self.name}, step {call.step}: assume {name}: unity is not possible; "
                    f"it may be assumed for: {', '.join(sorted(allowed)) or 'nothing'}"
                )
        return BoundStep(step=found, params=params, assume=frozenset(call.assume))

    def concerns(self, meta: Mapping[str, Any]) -> bool:
        """Whether it is for files with these searchable values."""
        return self.unfit(meta) is None

    def unfit(self, meta: Mapping[str, Any]) -> str | None:
        """The first searchable value for which it is not for files with these values; `None` when it is."""
        for name, allowed in self.where.items():
            if plain(meta.get(name)) not in set(map(plain, allowed)):
                return name
        return None

    def expects(self) -> tuple[Expectation, ...]:
        """The instrument's complete treatment of the level; products say what they lack of it."""
        return instrument(self.instrument).expects.get(self.to_level, ())

    def needs(self) -> Iterator[tuple[BoundStep, ReferenceNeed]]:
        """Every reference asked for by the enabled steps."""
        for bound in self.bind():
            for need in bound.step.needs:
                yield bound, need

    def addresses(self) -> tuple[str, ...]:
        """What settings call each step: its name, with ``#1``, ``#2`` … where it stands more than once."""
        names = [call.step for call in self.steps]
        return tuple(
            f"{name}#{names[: place + 1].count(name)}" if names.count(name) > 1 else name
            for place, name in enumerate(names)
        )

    def with_settings(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe with single values changed.

        Parameters
        ----------
        settings
            ``"step.parameter"`` → value, ``"step.enabled"`` → bool, or ``"uncertainty"`` → bool. A step
            that stands more than once is called ``step#1``, ``step#2`` … in its order. An output that is not
            made any more is not asked for any more.

        Raises
        ------
        Fatal
            When a step or parameter does not exist, or a name means more than one step.
        """
        calls = list(self.steps)
        uncertainty = self.uncertainty
        for key, value in settings.items():
            if key == "uncertainty":
                uncertainty = _yes_or_no(key, value)
                continue
            place, parameter = self._place_of(key)
            call = calls[place]
            change: dict[str, Any]
            if parameter == "enabled":
                change = {"enabled": value}
            else:
                change = {"params": {**call.params, parameter: value}}
            try:
                calls[place] = StepCall.model_validate({**call.model_dump(), **change})
            except ValidationError as error:
                raise Fatal(f"setting {key}={shortly(value)}: {_explain(error, StepCall)}") from error
        _, off = _further([self._bind_one(call) for call in calls if call.enabled])
        kept = {name: level for name, level in self.outputs.items() if name not in off}
        changed = self.model_copy(update={"steps": tuple(calls), "uncertainty": uncertainty, "outputs": kept})
        changed.bind()
        return changed

    def _place_of(self, key: str) -> tuple[int, str]:
        """Which step, and which of its parameters, a setting is about."""
        known = self.addresses()
        name, dot, parameter = key.partition(".")
        if dot and name in known:
            return known.index(name), parameter
        several = [address for address in known if dot and address.rpartition("#")[0] == name]
        if several:
            written = " or ".join(f"{address}.{parameter}" for address in several)
            raise Fatal(
                f"{shortly(key)} is ambiguous: {name} stands {len(several)} times in recipe {self.name}; "
                f"write {written}"
            )
        raise Fatal(
            f"{shortly(key)} is not a setting of recipe {self.name}; write STEP.PARAMETER=VALUE. "
            f"{choices(name, known, 'Its steps')}"
        )

    def document(self) -> dict[str, Any]:
        """What the recipe does, without its prose: enters the hash of a unit.

        What products say of themselves belongs to it: where another sentence holds, another product is due.
        """
        chain = self.bind()
        done = {bound.step.name for bound in chain}
        lacking = [entry.model_dump() for entry in self.expects() if entry.step not in done]
        document: dict[str, Any] = {
            "instrument": self.instrument,
            "from_level": self.from_level,
            "to_level": self.to_level,
            "steps": [bound.document() for bound in chain],
            **({"left_out": lacking} if lacking else {}),
        }
        # Only where they are there: the names of units made before there was a choice stay what they are.
        return document | self._choices()

    def _choices(self) -> dict[str, Any]:
        found: dict[str, Any] = {"uncertainty": True} if self.uncertainty else {}
        if self.group_by is not None:
            found["group_by"] = self.group_by.model_dump(mode="json", exclude_defaults=True)
        return found | ({"outputs": dict(self.outputs)} if self.outputs else {})


def recipes_of(entry: Instrument) -> dict[str, Recipe]:
    """The recipes that come with an instrument, by name."""
    found = [Recipe.load(path) for path in sorted((entry.folder / "recipes").glob("*.yaml"))]
    return {recipe.name: recipe for recipe in found}


def recipes() -> dict[str, Recipe]:
    """All recipes of all instruments, by name; broken ones of other packages are told and left out."""
    found: dict[str, Recipe] = {}
    for entry in instruments().values():
        try:
            found |= recipes_of(entry)
        except Fatal as error:
            if not is_announced(entry):
                raise
            log.warning("recipes of the instrument %s cannot be used: %s", entry.name, error)
    return found


_PARTS: Final[dict[int | str, type[BaseModel]]] = {"steps": StepCall, "group_by": GroupBy}
"""What stands in a recipe's entries that have entries of their own."""


def _yes_or_no(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Fatal(f"setting {key}={shortly(value)}: it is either true or false")
    return value


def _further(chain: Sequence[BoundStep]) -> tuple[set[str], dict[str, str]]:
    """Names of further frames that steps make, and of those they would make, with what switches these off."""
    found = [(name, one, bound) for bound in chain for name, one in bound.step.outputs.items()]
    made = {name for name, one, bound in found if one.made(bound.params)}
    return made, {name: f"{bound.step.name}.{one.switch}" for name, one, bound in found if name not in made}


def _honouring_demands(chain: Sequence[BoundStep]) -> tuple[BoundStep, ...]:
    """The chain without the assumptions that one of its steps does not allow (`Step.demands`)."""
    demanded: dict[str, str] = {}
    for bound in chain:
        demanded.update(bound.step.demands(bound.params) if bound.step.demands else {})
    return tuple(
        bound.model_copy(
            update={"assume": bound.assume - set(demanded), "demanded": tuple(sorted(demanded.items()))}
        )
        if bound.assume & set(demanded)
        else bound
        for bound in chain
    )


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    """What does not fit in a recipe, or in the parameters of a step."""

    def known(place: Place) -> type[BaseModel]:
        return _PARTS.get(place[0], model) if model is Recipe else model

    return explained(error, known, "parameter" if issubclass(model, Params) else "entry")

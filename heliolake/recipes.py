"""Recipes as people name them: by name or by file, with single values changed."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import Fatal

if TYPE_CHECKING:
    from pipeline.recipe import Recipe
    from pipeline.step import Step

_NAME = re.compile(r"^name:[ \t]*[\"']?([a-z0-9][a-z0-9_.-]*)", re.MULTILINE)
_LONGEST = 100


def require_recipe(name: str) -> None:
    """Refuse the name of a recipe that does not exist at once, without importing a step.

    `find_recipe` does so too, when it has imported them all, which takes seconds.

    Raises
    ------
    Fatal
        With the nearest name, and all that there are.
    """
    if _is_file(name):
        if not Path(name).is_file():
            raise Fatal(f"There is no recipe file {name}; `heliolake recipes` lists those that have a name.")
        return
    known = recipe_names()
    if None in known or name in known:
        return
    names = sorted(one for one in known if one is not None)
    near = get_close_matches(name[:_LONGEST].lower(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise Fatal(
        f"There is no recipe {name[:_LONGEST]!r}. {hint}Known: {', '.join(names)}. "
        "A YAML file may be given too."
    )


def recipe_names() -> set[str | None]:
    """Names of all recipes that come with instruments, by a look at their files; `None` for one not seen."""
    names = set()
    for folder in _instrument_folders():
        for path in folder.glob("recipes/*.yaml"):
            found = _NAME.search(path.read_text(encoding="utf-8", errors="replace"))
            names.add(found[1] if found else None)
    return names


def _instrument_folders() -> Iterator[Path]:
    """Where instruments are described: in our own package and in those that announce themselves."""
    own = importlib.util.find_spec("pipeline")
    for place in own.submodule_search_locations or () if own else ():
        yield from Path(place).glob("instruments/*")
    for entry in metadata.entry_points(group="heliolake.instruments"):
        spec = importlib.util.find_spec(entry.value)
        yield from map(Path, (spec.submodule_search_locations or ()) if spec else ())


def _is_file(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".yml") or "/" in name


def find_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """The recipe a person means.

    Parameters
    ----------
    name
        Name of a recipe of an instrument, or path of a YAML file.
    settings
        ``STEP.PARAMETER=VALUE`` each; values are read as YAML (``true``, ``2.4``, ``[1, 2]``). Of a step that
        stands more than once ``STEP#2.PARAMETER=VALUE`` changes the second.

    Raises
    ------
    Fatal
        When there is no such recipe, or a setting does not fit it.
    """
    from pipeline.choices import choices, shortly
    from pipeline.recipe import Recipe, recipes

    known = recipes()
    if name in known:
        recipe = known[name]
    elif _is_file(name):
        recipe = Recipe.load(Path(name))
    else:
        raise Fatal(
            f"There is no recipe {shortly(name)}. {choices(name, known)} A YAML file may be given too."
        )
    return recipe.with_settings(parse_settings(settings)) if settings else recipe


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """``STEP.PARAMETER=VALUE`` texts as a mapping.

    Raises
    ------
    Fatal
        When a text has another form.
    """
    from pipeline.choices import shortly
    from pipeline.documents import read_yaml

    found: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not ("." in key or key.strip() == "uncertainty"):
            raise Fatal(
                f"{shortly(text)} is not a setting; write STEP.PARAMETER=VALUE, "
                "for instance register.scale_arcsec=2.4"
            )
        found[key.strip()] = read_yaml(value, f"the value of {shortly(key.strip())}")
    return found


def recipe_document(recipe: Recipe) -> dict[str, Any]:
    """A recipe as ``heliolake recipes --json`` lists it; parameters with their defaults filled in."""
    from pipeline.parameters import parameters
    from pipeline.step import find_step

    recipe.bind()  # registers the steps, and refuses a recipe that does not fit them
    known = {call.step: find_step(recipe.instrument, call.step) for call in recipe.steps}
    return {
        "name": recipe.name,
        "instrument": recipe.instrument,
        "from_level": recipe.from_level,
        "to_level": recipe.to_level,
        "version": recipe.version,
        "description": recipe.description,
        "uncertainty": recipe.uncertainty,
        "where": {name: list(allowed) for name, allowed in recipe.where.items()},
        "steps": [
            {
                "step": call.step,
                "setting": address,
                "enabled": call.enabled,
                "version": known[call.step].version,
                "summary": known[call.step].summary,
                "params": known[call.step].params_model.model_validate(call.params).model_dump(mode="json"),
                "assume": dict(call.assume),
                "parameters": [one.as_dict() for one in parameters(known[call.step].params_model)],
                "needs": [need.name for need in known[call.step].needs],
                "uncertainty": _carries(known[call.step]),
            }
            for call, address in zip(recipe.steps, recipe.addresses(), strict=True)
        ],
    }


def _carries(step: Step) -> str:
    """How a step carries the uncertainty, "" where it does not say."""
    return "" if step.uncertainty is None else str(step.uncertainty)

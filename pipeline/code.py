"""Which code this process runs, compared before a recipe is carried out.

A worker that was started yesterday runs yesterday's steps whatever lies on
disk today. Sources are therefore hashed when packages are imported, not when
somebody asks (`pipeline.sources`).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from pipeline.errors import Fatal
from pipeline.provenance import library_version
from pipeline.recipe import Recipe
from pipeline.registry import instrument
from pipeline.sources import noted, short_hash
from pipeline.step import find_step

#: What a process runs, part by part: name → version or hash.
Code = Mapping[str, str]

_LIBRARIES: Final = ("heliolake", "numpy", "numba", "scipy", "astropy")


def of_instrument(name: str) -> Code:
    """What everything of one instrument depends on: sources, Python, and the libraries all steps use."""
    instrument(name)  # loads and notes it
    return {
        "Python": platform.python_version(),
        **{library: library_version(library) for library in _LIBRARIES},
        **noted(name),
    }


def of_recipe(recipe: Recipe) -> Code:
    """What a recipe's result depends on in this process: `of_instrument`, its steps, and their libraries.

    Parameters are not looked at: a step that is older may not know them.
    """
    common = tuple(of_instrument(recipe.instrument).items())
    return dict(
        _of_steps(recipe.instrument, common, tuple(call.step for call in recipe.steps if call.enabled))
    )


@lru_cache(maxsize=64)
def _of_steps(
    instrument: str, common: tuple[tuple[str, str], ...], names: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    found = dict(common)
    for name in names:
        try:
            step = find_step(instrument, name)
        except Fatal:  # told as a difference, by the name of the step
            found[f"step {name}"] = "absent"
            continue
        found[f"step {name}"] = f"version {step.version}"
        found.update({library: library_version(library) for library in step.libraries})
    return tuple(sorted(found.items()))


def digest(code: Code) -> str:
    """One short name for all of it."""
    return short_hash(json.dumps(dict(code), sort_keys=True))


def require_same(wanted: Code, here: Code, what: str, who: str) -> None:
    """Refuse to work with other code than was asked for.

    Parameters
    ----------
    wanted, here
        What the asking process runs, and what this one does.
    what
        What was to be done, for the message.
    who
        What this process is.

    Raises
    ------
    Fatal
        Naming what differs, and what to do.
    """
    if wanted == here:
        return
    raise Fatal(
        f"{who} runs other code than what {what} was planned with: {differences(wanted, here)}. Nothing was "
        "computed with it. Run `heliolake down` and `heliolake up`, restart notebooks that were open "
        "meanwhile, then give the same command again"
    )


def differences(wanted: Code, here: Code) -> str:
    """What differs, in words: versions with both values, sources by name."""
    told = []
    for part in sorted(wanted.keys() | here.keys()):
        planned, found = wanted.get(part, "absent"), here.get(part, "absent")
        if planned == found:
            continue
        told.append(
            f"{part} differ"
            if part.startswith(("sources", "description"))
            else f"{part} is {found} here and {planned} there"
        )
    return "; ".join(told)

"""What each parameter of a step means: its unit, its choices, its bounds, its default.

One source each: meaning and unit stand in the docstring of the step's `Params` model, section *Attributes*,
the unit in brackets before the meaning as in FITS comments (``[arcsec/pix] Plate scale of the result.``);
types, choices, bounds and defaults are those that pydantic checks.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from pipeline.step import Params

_SECTION: Final = re.compile(r"^Attributes\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", re.MULTILINE | re.DOTALL)
_UNIT: Final = re.compile(r"\[([^\]]+)\]\s+(.*)", re.DOTALL)
_BOUNDS: Final = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a step.

    Attributes
    ----------
    name
        As recipes and ``--set`` write it.
    meaning
        A sentence or two; '' when the model does not say.
    unit
        Unit of a quantity, ``1`` for a pure number, '' for what is no quantity.
    type
        ``number``, ``integer``, ``boolean``, ``string`` …; joined by ``or`` where there are several; ``null``
        stands for what may be left open.
    choices
        The values there are, where they can be listed.
    bounds
        ``≥ 0.1, ≤ 300``; '' where there are none.
    default
        Used when a recipe says nothing.
    required
        Whether there is no default.
    """

    name: str
    meaning: str
    unit: str
    type: str
    choices: tuple[Any, ...]
    bounds: str
    default: Any
    required: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return asdict(self) | {"choices": list(self.choices)}


def parameters(model: type[Params]) -> list[Parameter]:
    """The parameters of a step, in the order of its model."""
    told = _described(model)
    schema = model.model_json_schema()
    found = []
    for name, entry in schema.get("properties", {}).items():
        unit, meaning = _unit_and_meaning(told.get(name, ""))
        kinds = list(_kinds(entry, schema.get("$defs", {})))
        found.append(
            Parameter(
                name=name,
                meaning=meaning,
                unit=unit,
                type=" or ".join(dict.fromkeys(str(kind.get("type", "any")) for kind in kinds)),
                choices=tuple(value for kind in kinds for value in _values(kind)),
                bounds=", ".join(
                    f"{sign} {kind[key]:g}" for kind in kinds for key, sign in _BOUNDS.items() if key in kind
                ),
                default=entry.get("default"),
                required=name in schema.get("required", ()),
            )
        )
    return found


def _described(model: type[Params]) -> dict[str, str]:
    """Name → text of the docstring's section *Attributes*; a derived model's own text comes first."""
    found: dict[str, str] = {}
    for kind in model.__mro__:
        section = _SECTION.search(inspect.cleandoc(kind.__doc__ or "") + "\n") if kind is not Params else None
        for names, text in _entries(section[1]) if section else ():
            for name in names.split(","):
                found.setdefault(name.strip(), text)
    return found


def _entries(section: str) -> Iterator[tuple[str, str]]:
    """Each unindented line with the indented text below it, as one line."""
    for match in re.finditer(r"^(\S[^\n]*)\n((?:[ \t]+[^\n]*\n|\n)*)", section, re.MULTILINE):
        yield match[1].partition(" :")[0], " ".join(match[2].split())


def _unit_and_meaning(text: str) -> tuple[str, str]:
    match = _UNIT.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def _kinds(entry: dict[str, Any], named: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in entry.get("anyOf", [entry]):
        reference = str(kind.get("$ref", "")).rpartition("/")[2]
        yield named.get(reference, kind)


def _values(kind: dict[str, Any]) -> list[Any]:
    if "const" in kind:
        return [kind["const"]]
    return list(kind.get("enum", ()))

"""Plans written to files, and how two plans differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from lake.errors import Fatal

_UNIT = ("unit", "product", "input", "sha256")


def load_document(path: Path) -> dict[str, Any]:
    """A plan written by ``heliolake plan -o``.

    Raises
    ------
    Fatal
        When the file is something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Fatal(f"{path} cannot be read as a plan: {error}") from error
    if not _is_plan(document):
        raise Fatal(f"{path} is not a plan; `heliolake plan RECIPE -o FILE` writes one.")
    return document


def _is_plan(document: Any) -> TypeGuard[dict[str, Any]]:
    """Whether all is there that `compare` looks at."""
    if not isinstance(document, dict) or not {"plan", "units", "recipe"} <= document.keys():
        return False
    units = document["units"]
    return isinstance(units, list) and all(
        isinstance(unit, dict)
        and all(isinstance(unit.get(key), str) for key in _UNIT)
        and isinstance(unit.get("references"), dict)
        for unit in units
    )


def compare(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """How two plan documents differ.

    Parameters
    ----------
    earlier, later
        As `cluster.plan.plan.Plan.document` gives them.

    Returns
    -------
    dict
        ``added`` and ``removed`` (units whose input is in one plan only), ``changed`` (same input and
        product, another unit, with the reason) and ``same`` (a number).
    """
    before, after = _by_input(earlier), _by_input(later)
    both = before.keys() & after.keys()
    changed = [key for key in sorted(both) if before[key]["unit"] != after[key]["unit"]]
    return {
        "earlier": earlier["plan"],
        "later": later["plan"],
        "added": [after[key] for key in sorted(after.keys() - before.keys())],
        "removed": [before[key] for key in sorted(before.keys() - after.keys())],
        "changed": [
            {**after[key], "before": before[key]["unit"], "why": _why(before[key], after[key])}
            for key in changed
        ],
        "same": len(both) - len(changed),
    }


def _by_input(document: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(unit["product"], unit["input"]): unit for unit in document["units"]}


def _why(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    reasons = []
    if before["sha256"] != after["sha256"]:
        reasons.append("the input has other bytes")
    old, new = before["references"], after["references"]
    reasons += [
        f"{need}: {old.get(need, 'none')} → {new.get(need, 'none')}"
        for need in sorted(old.keys() | new.keys())
        if old.get(need) != new.get(need)
    ]
    return "; ".join(reasons) or "steps or parameters of the recipe"

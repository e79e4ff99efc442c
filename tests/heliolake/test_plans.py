"""Plans in files, and how two plans differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heliolake.plans import compare, load_document
from lake.errors import Fatal


def unit(name: str, content: str = "a", flat: str = "f1", recipe: str = "r1") -> dict[str, Any]:
    return {
        "unit": f"{name}{content}{flat}{recipe}",
        "product": "toy:p.l1",
        "input": f"toy:{name}",
        "sha256": content,
        "references": {"flat": flat},
    }


def plan(*units: dict[str, Any]) -> dict[str, Any]:
    return {"plan": "id", "recipe": {}, "units": list(units)}


def test_equal_plans_have_everything_in_common() -> None:
    found = compare(plan(unit("x")), plan(unit("x")))
    assert (found["same"], found["added"], found["removed"], found["changed"]) == (1, [], [], [])


def test_inputs_come_and_go() -> None:
    found = compare(plan(unit("x")), plan(unit("y")))
    assert [one["input"] for one in found["added"]] == ["toy:y"]
    assert [one["input"] for one in found["removed"]] == ["toy:x"]


@pytest.mark.parametrize(
    ("later", "why"),
    [
        (unit("x", content="b"), "the input has other bytes"),
        (unit("x", flat="f2"), "flat: f1 → f2"),
        (unit("x", recipe="r2"), "steps or parameters of the recipe"),
    ],
)
def test_the_reason_of_a_change_is_named(later: dict[str, Any], why: str) -> None:
    (changed,) = compare(plan(unit("x")), plan(later))["changed"]
    assert changed["why"] == why


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    path.write_text(json.dumps(plan(unit("x"))))
    assert load_document(path) == plan(unit("x"))


#: Plans that another program wrote, or that lost a part.
DAMAGED = (
    '{"plan": 1, "recipe": {}, "units": 3}',
    '{"plan": 1, "recipe": {}, "units": [3]}',
    '{"plan": 1, "recipe": {}, "units": [{"unit": "u", "product": "p", "input": "i", "sha256": "s"}]}',
    '{"plan": 1, "recipe": {}, "units": [{"unit": [], "product": "p", "input": "i", "references": {}}]}',
)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan": 1}', "[" * 20_000, *DAMAGED])
def test_another_file_is_no_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(Fatal, match="plan"):
        load_document(path)

"""Recipes: validated before anything runs, and changed only where they may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import Recipe
from pipeline.errors import Fatal
from pipeline.instrument import recipes
from tests.toy import RECIPE


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("step: shift", "step: shiift", "has no step 'shiift'; it has: .*shift"),
        ("{by: 2.0}", "{bye: 2.0}", "bye: no such parameter"),
        ("{by: 2.0}", "{by: much}", "by: .*valid number"),
        ("gain: unity", "gain: two", "steps.1.assume.gain"),
        ("{gain: unity}", "{flat: unity}", "assume flat: unity is not possible; .* gain"),
        ('to_level: "1"', "to_level: 1.5", "in quotes"),
        ("instrument: toy", "instrument: tay", "no instrument 'tay'"),
        ("name: toy-l1", "name: Toy L1", "name"),
        ("version: 1", "version: 0", "version"),
        ("steps:", "stages:", "stages: no such parameter"),
        ("steps:", "- steps:", "not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(before: str, after: str, words: str) -> None:
    with pytest.raises(Fatal, match=words):
        Recipe.parse(RECIPE.replace(before, after), name="mine.yaml")


def test_yaml_cannot_run_code() -> None:
    with pytest.raises(Fatal, match="not valid YAML"):
        Recipe.parse("name: !!python/object/apply:os.getcwd []\n")


def test_a_setting_changes_one_parameter_and_the_identity() -> None:
    recipe = Recipe.parse(RECIPE)
    changed = recipe.with_settings({"shift.by": 3})
    assert changed.document()["steps"][0]["params"] == {"by": 3.0}
    assert recipe.document()["steps"][0]["params"] == {"by": 2.0}
    assert changed.with_settings({"shift.by": 2.0}).document() == recipe.document()


def test_a_step_can_be_switched_off() -> None:
    changed = Recipe.parse(RECIPE).with_settings({"shift.enabled": False})
    assert [call["step"] for call in changed.document()["steps"]] == ["scale"]


@pytest.mark.parametrize("key", ["by", "shift", "shuft.by", "shift.enabled.x"])
def test_an_unknown_setting_is_refused(key: str) -> None:
    with pytest.raises(Fatal):
        Recipe.parse(RECIPE).with_settings({key: 1})


@given(by=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_recipe_survives_being_written_down(by: float) -> None:
    recipe = Recipe.parse(RECIPE).with_settings({"shift.by": by})
    assert Recipe.model_validate_json(recipe.model_dump_json()).document() == recipe.document()


@given(text=st.text(max_size=200))
def test_any_text_is_a_recipe_or_is_refused_in_words(text: str) -> None:
    with pytest.raises(Fatal):
        Recipe.parse(text)


def test_every_recipe_that_ships_is_valid_and_named_once() -> None:
    found = recipes()
    assert {"stereo_hi-l1", "aia-l15", "toy-l1"} <= set(found)
    for recipe in found.values():
        assert recipe.bind()

"""Recipes: validated before anything runs, and changed only where they may be."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline import Recipe
from pipeline.errors import Fatal
from pipeline.recipe import recipes
from tests.toy import RECIPE, TWICE


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("step: shift", "step: shiift", "has no step 'shiift'. Did you mean shift. Its steps: .*scale"),
        ("{by: 2.0}", "{bye: 2.0}", "bye: no such parameter. Did you mean by. Known: by"),
        ("{by: 2.0}", "{by: much}", "by: .*valid number"),
        ("gain: unity", "gain: two", "steps.1.assume.gain"),
        ("{gain: unity}", "{flat: unity}", "assume flat: unity is not possible; .* gain"),
        ('to_level: "1"', "to_level: 1.5", "in quotes"),
        ("instrument: toy", "instrument: tay", "no instrument 'tay'"),
        ("name: toy-l1", "name: Toy L1", "name"),
        ("version: 1", "version: 0", "version"),
        ("steps:", "stages:", "steps: is missing; stages: no such entry. Did you mean steps"),
        ("{by: 2.0}", "{by: .inf}", "'.inf' is no finite number .line 8"),
        ("{by: 2.0}", "{by: 1e999}", "by: Input should be a finite number"),
        ("version: 1", f"version: {'9' * 5000}", "a number of 5000 characters .line 6"),
        ("version: 1", "version: 99999999999", "version: .*less than"),
        ("params:", "parms:", "steps.0.parms: no such entry. Did you mean params"),
        ("version: 1", "version: 1\nversion: 2", "'version' stands there twice .line 7"),
        ("steps:", "- steps:", "not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(before: str, after: str, words: str) -> None:
    with pytest.raises(Fatal, match=words):
        Recipe.parse(RECIPE.replace(before, after), name="mine.yaml")


def test_the_largest_version_is_what_the_catalogue_takes() -> None:
    assert Recipe.parse(RECIPE.replace("version: 1", "version: 2147483647")).version == 2**31 - 1
    with pytest.raises(Fatal, match=r"version: .*less than"):
        Recipe.parse(RECIPE.replace("version: 1", "version: 2147483648"))


def test_a_recipe_may_be_for_some_files_alone_however_their_values_are_written() -> None:
    some = Recipe.parse(RECIPE.replace("version: 1", "version: 1\nwhere: {camera: [1, two]}"))
    assert some.concerns({"camera": 1})
    assert some.concerns({"camera": "1.0"})
    assert some.concerns({"camera": "two"})
    assert not some.concerns({"camera": 2})
    assert not some.concerns({})
    assert some.document() == Recipe.parse(RECIPE).document()
    assert Recipe.parse(RECIPE).concerns({})
    with pytest.raises(Fatal, match=r"where: .*no searchable value 'camra'. Did you mean camera"):
        Recipe.parse(RECIPE.replace("version: 1", "version: 1\nwhere: {camra: [1]}"))


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


def test_a_step_may_stand_twice_and_a_setting_says_which_is_meant() -> None:
    recipe = Recipe.parse(TWICE)
    assert recipe.addresses() == ("shift#1", "brighten", "shift#2")
    changed = recipe.with_settings({"shift#2.by": 7, "brighten.enabled": True})
    steps = changed.document()["steps"]
    assert [step["step"] for step in steps] == ["shift", "brighten", "shift"]
    assert [step["params"] for step in steps] == [{"by": 2.0}, {}, {"by": 7.0}]
    less = recipe.with_settings({"shift#1.enabled": False})
    assert [step["params"] for step in less.document()["steps"]] == [{}, {"by": 5.0}]


def test_the_order_of_a_step_that_stands_twice_is_part_of_the_identity() -> None:
    recipe = Recipe.parse(TWICE)
    swapped = recipe.with_settings({"shift#1.by": 5.0, "shift#2.by": 2.0})
    assert swapped.document() != recipe.document()


def test_a_setting_that_could_mean_two_steps_is_refused_with_the_choices() -> None:
    with pytest.raises(Fatal, match=r"stands 2 times in recipe toy-twice; write shift#1\.by or shift#2\.by$"):
        Recipe.parse(TWICE).with_settings({"shift.by": 3})
    for key in ("shift#3.by", "shift#0.by", "brighten#1.enabled", "shift#.by"):
        with pytest.raises(Fatal, match="Its steps: brighten, shift#1, shift#2"):
            Recipe.parse(TWICE).with_settings({key: 3})


@pytest.mark.parametrize(
    "value", [math.inf, math.nan, -math.inf, "inf", 10**400, pytest.param(10**5000, id="5001 digits")]
)
def test_a_setting_is_a_finite_number(value: object) -> None:
    with pytest.raises(Fatal, match=r"shift: by: .*number"):
        Recipe.parse(RECIPE).with_settings({"shift.by": value})


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(Fatal) as refusal:
        Recipe.parse(RECIPE).with_settings({"shift.by": [["x" * 10_000] * 1000] * 1000})
    assert len(str(refusal.value)) < 500


def test_a_recipe_with_hundreds_of_mistakes_names_the_first_few() -> None:
    with pytest.raises(Fatal, match="and 296 more") as refusal:
        Recipe.parse(RECIPE + "".join(f"entry{number}: 1\n" for number in range(301)))
    assert len(str(refusal.value)) < 1500


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


#: What a text file may hold instead of what it should: nested, endless, repeated, impossible, invisible.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
DOCUMENT = yaml.safe_load(RECIPE)
ENTRIES = st.sampled_from(
    ["name", "instrument", "from_level", "to_level", "version", "description", "steps", "x"]
)


@given(changes=st.dictionaries(ENTRIES, VALUES, min_size=1, max_size=3))
def test_a_recipe_with_any_values_is_one_or_is_refused_in_words(changes: dict[str, object]) -> None:
    document = yaml.safe_dump({**DOCUMENT, **changes})
    with contextlib.suppress(Fatal):
        recipe = Recipe.parse(document)
        assert json.dumps(recipe.document(), allow_nan=False)


@given(key=st.sampled_from(["shift.by", "shift.enabled", "scale.gain"]) | st.text(max_size=20), value=VALUES)
def test_any_setting_fits_or_is_refused_in_words(key: str, value: object) -> None:
    with contextlib.suppress(Fatal):
        changed = Recipe.parse(RECIPE).with_settings({key: value})
        assert json.dumps(changed.document(), allow_nan=False)


def test_every_recipe_that_ships_is_valid_and_named_once() -> None:
    found = recipes()
    assert {"stereo_hi-l1", "aia-l15", "toy-l1"} <= set(found)
    for recipe in found.values():
        assert recipe.bind()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('from_level: "0"', 'from_level: "0.5"'),
        ('to_level: "1"', 'to_level: "1.5"'),
        (", assume: {gain: unity}", ""),
        ("{by: 2.0}", "{by: 2.5}"),
        ("  - {step: shift, params: {by: 2.0}}\n", ""),
    ],
)
def test_whatever_decides_the_result_is_part_of_the_identity(before: str, after: str) -> None:
    assert before in RECIPE
    assert Recipe.parse(RECIPE.replace(before, after)).document() != Recipe.parse(RECIPE).document()


@pytest.mark.parametrize(
    ("before", "after"), [("name: toy-l1", "name: toy-l1b"), ("version: 1", "version: 2\ndescription: x")]
)
def test_what_the_recipe_is_called_is_no_part_of_it(before: str, after: str) -> None:
    assert Recipe.parse(RECIPE.replace(before, after)).document() == Recipe.parse(RECIPE).document()


def test_only_the_step_that_assumes_what_another_demands_is_told_so() -> None:
    """In physical units the flat is demanded, for which unity stands in otherwise."""
    recipe = recipes()["stereo_hi-l1"]
    assert {bound.demanded for bound in recipe.bind()} == {()}
    assumed = {bound.step.name: bound.assume for bound in recipe.bind()}
    assert assumed["flat_field"] == {"flat"}
    chain = recipe.with_settings({"photometric_calibration.units": "MSB"}).bind()
    demanded = {bound.step.name: dict(bound.demanded) for bound in chain if bound.demanded}
    way_out = "set photometric_calibration.without_flat to true for MSB without one"
    assert demanded == {"flat_field": {"flat": way_out}}
    assert {bound.step.name: bound.assume for bound in chain} == {**assumed, "flat_field": frozenset()}


def test_what_a_recipe_does_is_written_in_the_same_words_for_ever() -> None:
    """Else what was made is taken for something else, and made again."""
    steps = [
        {"step": "shift", "version": 3, "params": {"by": 2.0}, "assume": []},
        {"step": "scale", "version": 1, "params": {}, "assume": ["gain"]},
    ]
    levels = {"from_level": "0", "to_level": "1"}
    assert Recipe.parse(RECIPE).document() == {"instrument": "toy", **levels, "steps": steps}


def test_a_recipe_that_was_checked_stays_as_it_is() -> None:
    recipe = Recipe.parse(RECIPE)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.version = 2
    with pytest.raises(ValidationError, match="frozen"):
        recipe.steps[0].enabled = False


def test_a_step_of_another_version_is_another_piece_of_work() -> None:
    bound = Recipe.parse(RECIPE).bind()[0]
    raised = bound.model_copy(
        update={"step": dataclasses.replace(bound.step, version=bound.step.version + 1)}
    )
    assert raised.document() == {**bound.document(), "version": bound.step.version + 1}
    assert bound.document() == {"step": "shift", "version": 3, "params": {"by": 2.0}, "assume": []}


def test_a_recipe_that_cannot_be_read_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"^recipe should be a mapping"):
        Recipe.parse("- shift")
    with pytest.raises(Fatal, match=r"^recipe .*none\.yaml cannot be read"):
        Recipe.load(tmp_path / "none.yaml")


def test_that_products_have_an_uncertainty_is_said_in_what_a_recipe_does() -> None:
    recipe = next(one for one in recipes().values() if one.uncertainty or _can_carry(one))
    assert recipe.with_settings({"uncertainty": True}).document()["uncertainty"] is True
    assert "uncertainty" not in recipe.with_settings({"uncertainty": False}).document()


def _can_carry(recipe: Recipe) -> bool:
    with contextlib.suppress(Fatal):
        return recipe.with_settings({"uncertainty": True}).uncertainty
    return False

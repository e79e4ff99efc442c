"""Units along a recipe: what can never work is refused before anything runs."""

from __future__ import annotations

import pytest

from pipeline import Recipe
from pipeline.errors import Fatal
from pipeline.recipe import recipes
from tests.toy import RECIPE


def test_a_step_that_can_never_get_its_unit_is_refused_with_the_step_that_is_missing() -> None:
    words = r"missing_blocks takes images in DN/s, and behind prepare they are in DN, .*switch desmear on"
    with pytest.raises(Fatal, match=words):
        recipes()["stereo_hi-l1"].with_settings({"desmear.enabled": False})


def test_steps_in_the_wrong_order_are_refused() -> None:
    head, _, _ = RECIPE.partition("  - {step: shift")
    turned = head + "  - {step: scale, assume: {gain: unity}}\n  - {step: shift}\n"
    with pytest.raises(Fatal, match=r"shift takes images in DN, and behind scale they are in DN/s.*order"):
        Recipe.parse(turned)


def test_a_step_that_takes_several_units_takes_the_one_that_a_parameter_chose() -> None:
    recipe = recipes()["stereo_hi-l1"]
    for units in ("DN/s", "MSB", "S10"):
        recipe.with_settings({"photometric_calibration.units": units})


def test_a_recipe_without_any_step_that_is_switched_on_is_refused() -> None:
    off = {"shift.enabled": False, "scale.enabled": False}
    with pytest.raises(Fatal, match="all its steps are switched off"):
        Recipe.parse(RECIPE).with_settings(off)

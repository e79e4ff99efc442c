"""Products say what a recipe left out of the complete treatment of their level."""

from __future__ import annotations

import pytest

from pipeline import Recipe
from pipeline.completeness import Expectation, left_out
from pipeline.recipe import recipes_of
from pipeline.registry import instruments
from pipeline.running import run_chain
from pipeline.step import steps
from tests.toy import RECIPE, toy_frame

DARK = Expectation(step="dark", otherwise="the dark current is still in the values")
SHIFT = Expectation(step="shift", otherwise="the bias is still in the values")


@pytest.fixture
def recipe() -> Recipe:
    return Recipe.parse(RECIPE)


def test_a_step_that_was_left_out_is_a_caveat_and_a_card(recipe: Recipe) -> None:
    found, outcome = run_chain(toy_frame(), recipe.bind(), {}, level="1", expects=(SHIFT, DARK))
    assert found is not None
    assert "dark was not done: the dark current is still in the values" in outcome.caveats
    assert (found.header["OMIT1"], "OMIT2" in found.header) == ("dark", False)
    assert not any("the bias is still" in caveat for caveat in outcome.caveats)


def test_what_an_earlier_recipe_did_is_not_missed_and_what_it_left_out_stays_named(recipe: Recipe) -> None:
    first, _ = run_chain(toy_frame(), recipe.bind()[:1], {}, level="0.5", expects=(DARK,))
    assert first is not None
    second, outcome = run_chain(first, recipe.bind()[1:], {}, level="1", expects=(SHIFT,))
    assert second is not None
    assert second.header["OMIT1"] == "dark"
    assert not any("shift" in caveat for caveat in outcome.caveats)


def test_a_step_that_changed_nothing_counts_as_not_done(recipe: Recipe) -> None:
    header = toy_frame(PRPROC1="toy_camera.steps.shift").header
    assert not list(left_out((SHIFT,), (), header))
    header["PRMODE1"] = "NO-CHANGE"
    assert list(left_out((SHIFT,), (), header)) == [SHIFT]


@pytest.mark.parametrize(("pattern", "said"), [("CAM1", True), ("CAM", False), ("CAM2", False)])
def test_a_step_that_only_some_files_need_is_missed_only_there(pattern: str, said: bool) -> None:
    entry = DARK.model_copy(update={"where": {"DETECTOR": pattern}})
    assert bool(list(left_out((entry,), (), toy_frame().header))) is said


def test_an_absent_keyword_has_the_empty_value() -> None:
    entry = DARK.model_copy(update={"where": {"SPIKES": "(?!0$).*"}})
    assert list(left_out((entry,), (), toy_frame().header))
    assert not list(left_out((entry,), (), toy_frame(SPIKES=0).header))


@pytest.mark.parametrize("name", sorted(instruments()))
def test_what_a_level_expects_are_steps_the_instrument_has(name: str) -> None:
    known = {entry.name: entry.function.__name__ for entry in steps(name)}
    for expected in instruments()[name].expects.values():
        for entry in expected:
            # `PRPROCn` names the function: it tells whether an earlier recipe did the step.
            assert known[entry.step] == entry.step


def test_what_is_left_out_makes_it_another_piece_of_work() -> None:
    full = recipes_of(instruments()["sdo_aia"])["aia-l15-full"]
    less = full.with_settings({"degradation.enabled": False})
    assert "left_out" not in full.document()
    assert [entry["step"] for entry in less.document()["left_out"]] == ["degradation"]


def test_a_step_says_in_which_way_it_was_done_in_its_own_mode(recipe: Recipe) -> None:
    found, _ = run_chain(toy_frame(), recipe.bind(), {}, level="1")
    assert found is not None
    assert "PRMODE1" not in found.header
    assert found.header["PRMODE2"] == "UNITY-ASSUMED"

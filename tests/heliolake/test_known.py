"""Recipes, steps and instruments as people and scripts see them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliolake.recipes import find_recipe, parse_settings
from lake.errors import Fatal
from pipeline.errors import Fatal as PipelineFatal
from tests.heliolake.conftest import Command

OWN = """
name: my-l1
instrument: stereo_hi
from_level: "0"
to_level: "1"
version: 7
steps:
  - {step: prepare}
"""


def test_recipes_are_listed_with_instrument_and_levels(run: Command) -> None:
    document = run("recipes", "--json").document()
    found = {one["name"]: one for one in document["recipes"]}
    assert {"stereo_hi-l1", "aia-l15"} <= found.keys()
    keys = {"name", "instrument", "from_level", "to_level", "version", "steps"}
    assert all(keys <= one.keys() for one in found.values())
    assert (found["aia-l15"]["from_level"], found["aia-l15"]["to_level"]) == ("1", "1.5")


def test_a_recipe_is_shown_with_all_its_parameters(run: Command) -> None:
    document = run("recipes", "stereo_hi-l1", "--json").document()
    steps = {one["step"]: one for one in document["recipes"][0]["steps"]}
    assert steps["desmear"]["enabled"]
    assert steps["desmear"]["params"]["direction"] == "auto"


def test_a_recipe_that_is_for_some_files_says_for_which(run: Command) -> None:
    said = " ".join(run("recipes", "kis_chrotel-filaments").out.split())
    assert "Takes files with line ha or unknown; others of level 2 stay as they are." in said
    assert "Takes files" not in run("recipes", "kis_chrotel-l2").out


def test_a_recipe_shows_what_each_parameter_means_its_unit_choices_and_default(run: Command) -> None:
    said = run("recipes", "aia-l15-full")
    text = " ".join(said.out.split())
    assert "Plate scale of the result" in text
    assert "≥ 0.1, ≤ 300" in text
    assert "one of refuse, keep" in text
    assert max(map(len, said.out.splitlines())) <= 80
    changed = run("recipes", "stereo_hi-l1", "--json").document()["recipes"][0]["steps"]
    (limit,) = [
        one
        for step in changed
        if step["step"] == "saturated_columns"
        for one in step["parameters"]
        if one["name"] == "limit"
    ]
    assert (limit["unit"], limit["default"], limit["bounds"]) == ("DN", 14000.0, "> 0")


def test_steps_say_which_references_they_need(run: Command) -> None:
    found = {
        one["name"]: one for one in run("steps", "--instrument", "stereo_hi", "--json").document()["steps"]
    }
    assert [need["name"] for need in found["flat_field"]["needs"]] == ["flat"]


def test_instruments_name_their_recipes(run: Command) -> None:
    found = {one["name"]: one for one in run("instruments", "--json").document()["instruments"]}
    assert "stereo_hi-l1" in found["stereo_hi"]["recipes"]


@pytest.mark.parametrize("command", ["recipes", "steps", "instruments"])
def test_tables_fit_a_terminal(run: Command, command: str) -> None:
    assert max(map(len, run(command).out.splitlines())) <= 80


def test_a_misspelt_recipe_is_met_with_the_nearest_name() -> None:
    with pytest.raises(Fatal, match="Did you mean stereo_hi-l1"):
        find_recipe("stereo-hi-l1")


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    assert find_recipe(str(path)).version == 7


def test_a_step_that_stands_twice_is_shown_as_settings_call_it(tmp_path: Path, run: Command) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(OWN + "  - {step: prepare, enabled: false}\n")
    assert "--set prepare#2.enabled=true" in " ".join(run("recipes", str(path)).out.split())
    (shown,) = run("recipes", str(path), "--json").document()["recipes"]
    assert [one["setting"] for one in shown["steps"]] == ["prepare#1", "prepare#2"]


def test_settings_change_single_values() -> None:
    recipe = find_recipe("stereo_hi-l1", ["saturated_columns.limit=12000", "rectify.enabled=false"])
    calls = {call.step: call for call in recipe.steps}
    assert calls["saturated_columns"].params["limit"] == 12000
    assert not calls["rectify"].enabled


@pytest.mark.parametrize(
    ("text", "value"),
    [("a.b=1", 1), ("a.b=2.5", 2.5), ("a.b=true", True), ("a.b=x=y", "x=y"), ("a.b=[1, 2]", [1, 2])],
)
def test_values_of_settings_are_read_as_yaml(text: str, value: object) -> None:
    assert parse_settings([text]) == {"a.b": value}


@pytest.mark.parametrize("text", ["limit=3", "a.b", "", "a.b={"])
def test_other_texts_are_no_settings(text: str) -> None:
    with pytest.raises((Fatal, PipelineFatal)):
        parse_settings([text])


@pytest.mark.parametrize("value", [".inf", ".nan", "9" * 5000, "[" * 20_000, "&a [*a]", "!!timestamp x"])
def test_a_value_that_cannot_be_meant_is_refused_with_its_setting(value: str) -> None:
    with pytest.raises(PipelineFatal, match=r"the value of 'saturated_columns.limit'"):
        find_recipe("stereo_hi-l1", [f"saturated_columns.limit={value}"])


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_setting_is_read_or_refused_in_words(key: str, value: str) -> None:
    recipe = find_recipe("aia-l15")
    for text in (f"{key}={value}", f"register.{key}={value}", f"register.missing={value}"):
        with contextlib.suppress(Fatal, PipelineFatal):
            recipe.with_settings(parse_settings([text]))


def test_a_setting_that_does_not_fit_is_refused_with_the_steps_there_are() -> None:
    with pytest.raises(PipelineFatal, match="desmear"):
        find_recipe("stereo_hi-l1", ["desmere.direction=auto"])


def test_the_uncertainty_is_asked_for_like_any_setting(run: Command) -> None:
    assert parse_settings(["uncertainty=true"]) == {"uncertainty": True}
    with pytest.raises(PipelineFatal, match="either true or false"):
        find_recipe("aia-l15", ["uncertainty=often"])
    said = " ".join(run("recipes", "aia-l15").out.split())
    assert "--set uncertainty=true adds an extension UNCERT" in said
    assert "uncertainty exact: divided by the exposure time, like the image" in said

"""Levels: one grammar for descriptions, recipes and names; what is none is refused where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lake.errors import BadInput
from lake.names import level_token
from pipeline.errors import Fatal
from pipeline.level import Level, is_level
from pipeline.recipe import Recipe
from pipeline.registry import read_description
from tests.toy import INSTRUMENT, RECIPE

LEVEL = TypeAdapter(Level)
LEVELS = ["0", "0.5", "1", "1.2", "1.5", "2.5", "15", "12.5", "2q", "1.5qb", "Q1", "Q0", "Q1.5"]
NONE = ["dark", "", "1.", ".5", "1.5p", "1,5", "100", "-1", "1 ", "1\n", "Q", "Q10", "q1", "Q1b", "\u0661"]
SHAPES = st.from_regex(r"Q?[0-9]{0,3}(\.[0-9]{0,3})?[pPqQb]{0,5}", fullmatch=True)


def described(path: Path, *changes: tuple[str, str]) -> Path:
    """A folder with the toy's description, changed."""
    text = INSTRUMENT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (path / "instrument.yaml").write_text(text)
    return path


@pytest.mark.parametrize("text", LEVELS)
def test_a_level_is_what_it_is_written_as(text: str) -> None:
    assert LEVEL.validate_python(text) == text


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_level_is_none_for_descriptions_and_names_alike(text: str) -> None:
    assert not is_level(text)
    with pytest.raises(ValidationError, match="is not a level"):
        LEVEL.validate_python(text)
    with pytest.raises(BadInput, match="is not a level"):
        level_token(text)


@given(st.sampled_from(LEVELS + NONE) | SHAPES | st.text(max_size=8))
def test_descriptions_and_names_agree_on_what_is_a_level(text: str) -> None:
    """Neither part may import the other, so that each has the grammar; this holds them together."""
    try:
        level_token(text)
    except BadInput:
        assert not is_level(text)
    else:
        assert is_level(text)


def test_a_whole_number_stands_for_itself_and_a_decimal_one_is_not_guessed() -> None:
    assert LEVEL.validate_python(1) == "1"
    for value in (1.5, True, 100, -1, None, ["1"]):
        with pytest.raises(ValidationError):
            LEVEL.validate_python(value)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ('"1.0": "1"', '"1.0": dark', "level.values.1.0: is not a level"),
        ('"1.0": "1"}', '"1.0": "1"}, default: dark', "level.default: is not a level"),
        ('"1.0": "1"}', '"1.0": "1"}, otherwise: {default: dark}', "level.otherwise.default: is not a level"),
        ('"1.0": "1"', '"1.0": 1.5', "level.values.1.0: write levels as text"),
        ("title:", "expects: {dark: []}\ntitle:", "expects.dark"),
        ("title:", "titel:", "title: is missing; titel: no such entry. Did you mean title"),
    ],
)
def test_an_impossible_description_is_refused_when_it_is_loaded(
    tmp_path: Path, before: str, after: str, place: str
) -> None:
    with pytest.raises(Fatal) as refusal:
        read_description(described(tmp_path, (before, after)))
    assert str(tmp_path / "instrument.yaml") in str(refusal.value)
    assert place in str(refusal.value)
    assert "pydantic" not in str(refusal.value)


def test_a_description_may_have_quick_looks(tmp_path: Path) -> None:
    found = read_description(described(tmp_path, ('"1.0": "1"', '"1.0": "1", QL: Q2')))
    assert found.level.levels == {"0", "1", "1.5", "Q1", "Q2"}


def test_a_recipe_leads_to_a_level() -> None:
    assert Recipe.parse(RECIPE.replace('to_level: "1"', "to_level: Q1")).to_level == "Q1"
    with pytest.raises(
        Fatal, match=r"mine\.yaml: to_level: is not a level; write levels like .*found 'dark'"
    ):
        Recipe.parse(RECIPE.replace('to_level: "1"', "to_level: dark"), name="mine.yaml")

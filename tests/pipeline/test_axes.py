"""Axes of an instrument's files: described, and compared with what a file has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.axes import AxesRule, layout_of
from pipeline.dims import Layout, flagged, takes, untouched, written
from pipeline.errors import BadInput, Fatal
from pipeline.instrument import Instrument
from pipeline.registry import instrument, read_description
from pipeline.step import Params, step
from tests.cubes import DIMS, cube_header
from tests.toy import toy_frame


def described(axes: object, **more: object) -> Instrument:
    """The toy camera with other axes."""
    toy = instrument("toy").model_dump()
    return Instrument.model_validate({**toy, "axes": axes, **more})


def test_files_are_images_where_nothing_else_is_said() -> None:
    header, toy = toy_frame().header, instrument("toy")
    assert toy.layout(header, "0", (4, 6)) == Layout(("y", "x"), (4, 6), 2)
    assert toy.layout(header, "0", (1, 1, 4, 6)) == Layout(("y", "x"), (4, 6), 2)
    for shape in ((4,), (2, 4, 6), (), (4, 6, 1)):
        with pytest.raises(BadInput, match=r"other axes than \(y, x\)"):
            toy.layout(header, "0", shape)


def test_a_file_has_the_axes_that_its_instrument_describes() -> None:
    found = instrument("slit").layout(cube_header(), "0", (4, 5, 3, 2))
    assert found == Layout(DIMS, (4, 5, 3, 2), 2)
    assert found.of_quality == Layout(("y", "x"), (3, 2))


def test_axes_of_length_one_stay_where_they_are_described_and_go_where_they_are_not() -> None:
    slit = instrument("slit")
    assert slit.layout(cube_header(), "0", (4, 5, 3, 1)).shape == (4, 5, 3, 1)
    assert slit.layout(cube_header(), "0", (1, 4, 5, 3, 1)).shape == (4, 5, 3, 1)
    with pytest.raises(BadInput, match="other axes") as refusal:
        slit.layout(cube_header(), "0", (2, 4, 5, 3, 1), "x.fits")
    assert (refusal.value.found, refusal.value.file) == ("1 x 3 x 5 x 4 x 2", "x.fits")


def test_an_axis_of_one_place_is_dropped_where_the_description_says_so() -> None:
    one_step = described(["stokes", "wavelength", "y", {"name": "x", "drop": True}])
    found = one_step.layout(cube_header(), "0", (4, 5, 3, 1))
    assert found == Layout(DIMS[:3], (4, 5, 3), 3)
    assert one_step.stored_dims("0", found.dims) == DIMS
    assert instrument("slit").stored_dims("0", DIMS) == DIMS
    with pytest.raises(BadInput, match="the axis x should have NAXIS1 1"):
        one_step.layout(cube_header(), "0", (4, 5, 3, 2))


@pytest.mark.parametrize(
    ("shape", "cards", "keyword", "found"),
    [
        ((3, 5, 3, 2), {}, "NAXIS4", "3"),
        ((4, 5, 3, 2), {"CTYPE4": "TIME"}, "CTYPE4", "TIME"),
        ((4, 5, 3, 2), {"CUNIT3": "m"}, "CUNIT3", "m"),
        ((4, 5, 3, 2), {"CTYPE3": ""}, "CTYPE3", "absent"),
    ],
)
def test_an_axis_that_is_another_is_told_with_its_keyword(
    shape: tuple[int, ...], cards: dict[str, Any], keyword: str, found: str
) -> None:
    with pytest.raises(BadInput, match=r"the axis (stokes|wavelength) should have") as refusal:
        instrument("slit").layout(cube_header(**cards), "0", shape)
    assert (refusal.value.keyword, refusal.value.found) == (keyword, found)
    assert "axes" in refusal.value.advice


def test_an_instrument_may_have_files_of_several_kinds() -> None:
    kinds = described(
        [
            {"dims": ["wavelength", "y", "x"], "where": {"SCAN": "T|True"}},
            {"dims": [{"name": "y", "size": 4}, "x"], "where": {"SCAN": ""}},
            {"dims": [{"name": "y", "size": 8}, "x"], "where": {"SCAN": ""}},
        ]
    )
    assert kinds.layout(toy_frame(SCAN=True).header, "0", (7, 4, 6)).dims == ("wavelength", "y", "x")
    assert kinds.layout(toy_frame().header, "0", (8, 6)).dims == ("y", "x")
    with pytest.raises(BadInput, match=r"other axes than \(wavelength, y, x\)"):
        kinds.layout(toy_frame(SCAN=True).header, "0", (4, 6))
    with pytest.raises(BadInput, match="the axis y should have NAXIS2 4"):
        kinds.layout(toy_frame().header, "0", (5, 6))
    with pytest.raises(BadInput, match="does not tell which") as refusal:
        kinds.layout(toy_frame(SCAN="odd").header, "0", (4, 6))
    assert (refusal.value.keyword, refusal.value.found) == ("SCAN", "SCAN=odd")


def test_a_level_may_have_axes_of_its_own() -> None:
    slit = instrument("slit")
    assert slit.layout(cube_header(), "Q2", (3, 2)).dims == ("y", "x")
    with pytest.raises(BadInput, match=r"no such level|does not tell which"):
        slit.layout(cube_header(), "3", (3, 2))


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([], "at least 1 item"),
        (["y", "y"], "an axis stands there twice"),
        ([{"name": "y", "drop": True}], "no axis is left"),
        (["y", {"name": "x", "drop": True, "size": 3}], "has one place"),
        (["time", "y", "x"], "what every stack calls something else"),
        (["Y", "x"], "should match pattern"),
        ([{"name": "y", "length": 4}], "length"),
        ([{"dims": ["y", "x"], "levels": ["dark"]}], "is not a level"),
        ("yx", "valid tuple"),
    ],
)
def test_axes_that_cannot_be_are_refused_with_the_description(axes: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        described(axes)


def test_a_mistake_in_the_axes_is_named_with_its_place(tmp_path: Path) -> None:
    text = (instrument("slit").folder / "instrument.yaml").read_text()
    (tmp_path / "instrument.yaml").write_text(text.replace("size: 4", "size: four"))
    with pytest.raises(Fatal, match=r"instrument\.yaml is not a valid .*axes\.0\.dims\.0\.size: .*'four'"):
        read_description(tmp_path)


def test_steps_take_just_their_dims_any_before_them_or_any_at_all() -> None:
    assert takes(("y", "x"), ("y", "x"))
    assert not takes(("y", "x"), DIMS)
    assert takes((..., "y", "x"), DIMS)
    assert takes((..., "y", "x"), ("y", "x"))
    assert not takes((..., "y", "x"), ("x",))
    assert not takes((..., "y", "x"), ("wavelength", "x", "y"))
    assert takes((...,), ("wavelength",))
    assert takes(None, ("wavelength",))
    assert untouched((..., "y", "x"), DIMS) == {"stokes", "wavelength"}
    assert untouched(DIMS, DIMS) == set()
    assert untouched(None, DIMS) == set(DIMS)
    assert [written(one) for one in ((..., "y", "x"), ("y",), None)] == ["(…, y, x)", "(y)", "any dims"]


def test_flags_are_kept_for_the_last_dims_that_are_named() -> None:
    assert flagged(DIMS, ("y", "x")) == 2
    assert flagged(DIMS, DIMS) == 4
    assert flagged(("y", "x", "wavelength"), ("y", "x")) == 3  # the last of them is none of these


@pytest.mark.parametrize("dims", [(), ("y", ..., "x"), ("y", "y"), (..., ...)])
def test_a_step_with_dims_that_cannot_be_is_refused_when_it_is_defined(dims: Any) -> None:
    with pytest.raises(Fatal, match="step odd: its dims are names"):

        @step("odd", version=1, prstep="X", instrument="toy", dims=dims)
        def odd(frame: Any, params: Params, references: Any) -> Any:
            return frame


def test_a_step_that_gives_other_dims_says_of_which_shape_too() -> None:
    with pytest.raises(Fatal, match="needs an output_shape"):

        @step("odd", version=1, prstep="X", instrument="toy", output_dims=lambda params, dims: dims[1:])
        def odd(frame: Any, params: Params, references: Any) -> Any:
            return frame


def test_the_first_rule_that_holds_decides() -> None:
    rules = [AxesRule.model_validate({"dims": names}) for names in (["a", "x"], ["b", "x"])]
    assert layout_of(rules, toy_frame().header, (2, 3)).dims == ("a", "x")

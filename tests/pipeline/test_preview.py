"""Pictures of frames follow the rules of the instrument's description."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from pipeline.errors import Fatal
from pipeline.preview import PreviewRule, render, rule_for
from pipeline.quality import Quality
from pipeline.registry import instruments

RAMP = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(3, axis=0)
ALL = (0.0, 100.0)


def picture(image: NDArray[np.float32], rule: PreviewRule, **options: Any) -> NDArray[np.uint8]:
    quality = options.pop("quality", None)
    meta = options.pop("meta", None)
    return np.asarray(Image.open(io.BytesIO(render(image, quality, rule, meta, **options))).convert("RGB"))


@pytest.mark.parametrize(
    ("stretch", "middle"), [("linear", 0.5), ("sqrt", 0.7071), ("log", 0.8998), ("asinh", 0.8308)]
)
def test_the_stretch_says_how_bright_the_middle_is(stretch: Any, middle: float) -> None:
    found = picture(RAMP, PreviewRule(stretch=stretch, percentiles=ALL))
    assert found[0, 0, 0] == 0
    assert found[0, 100, 0] == 255
    assert found[0, 50, 0] == pytest.approx(255 * middle, abs=1.5)


def test_percentiles_say_what_is_black_and_white() -> None:
    found = picture(RAMP, PreviewRule(percentiles=(10, 90)))[0, :, 0]
    assert (found[:11] == 0).all()
    assert (found[90:] == 255).all()
    assert found[50] == pytest.approx(127.5, abs=1.5)


def test_zero_lies_in_the_middle_of_symmetric_colours() -> None:
    image = np.array([[-1.0, 0.0, 0.5, 4.0]], np.float32)
    found = picture(image, PreviewRule(symmetric=True, percentiles=ALL))[0, :, 0]
    np.testing.assert_allclose(found, [96, 128, 143, 255], atol=1)


def test_what_was_not_measured_is_grey_blue_and_decides_on_no_colour() -> None:
    image = RAMP.copy()
    image[0, 0], image[0, 100] = 1e9, np.nan
    quality = np.zeros(image.shape, np.uint16)
    quality[0, 0] = Quality.SATURATED
    found = picture(image, PreviewRule(percentiles=ALL), quality=quality)
    assert tuple(found[2, 0]) == tuple(found[2, 100]) == (58, 64, 80)  # the first row is the lowest
    assert found[0, 100, 0] == 255
    blank = picture(np.full((2, 2), np.nan, np.float32), PreviewRule())
    assert (blank == (58, 64, 80)).all()


def test_the_last_row_is_above_and_large_images_become_small_without_losing_points() -> None:
    image = np.zeros((1000, 500), np.float32)
    image[999, 499] = 1.0
    found = picture(image, PreviewRule(percentiles=ALL), size=100)
    assert found.shape == (100, 50, 3)
    assert found[0, 49, 0] == 255
    assert np.count_nonzero(found) == 3


def test_cubes_show_their_middle_plane() -> None:
    cube = np.stack([np.zeros_like(RAMP), RAMP, np.zeros_like(RAMP)])
    plain = PreviewRule(percentiles=ALL)
    np.testing.assert_array_equal(picture(cube, plain), picture(RAMP, plain))


def test_colours_may_depend_on_the_channel() -> None:
    rule = PreviewRule(colours="sdoaia{wavelength}", percentiles=ALL)
    one, other = (picture(RAMP, rule, meta={"wavelength": value}) for value in (171, 304))
    assert not np.array_equal(one, other)
    grey = picture(RAMP, PreviewRule(percentiles=ALL))
    for meta in ({}, {"wavelength": 1}):  # shown all the same
        np.testing.assert_array_equal(picture(RAMP, rule, meta=meta), grey)
    with pytest.raises(Fatal, match="no colour map"):
        render(RAMP, None, PreviewRule(colours="nonsense"))


def test_the_first_rule_for_a_level_counts() -> None:
    rules = instruments()["stereo_hi"].preview
    assert rule_for(rules, "2").symmetric
    assert rule_for(rules, "1").stretch == "sqrt"
    assert rule_for((), "1") == PreviewRule()


@pytest.mark.parametrize("percentiles", [(99, 1), (5, 5), (-1, 50), (0, 101)])
def test_percentiles_that_cannot_be_are_refused(percentiles: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="the lower one first"):
        PreviewRule(percentiles=percentiles)


def test_of_a_cube_the_named_plane_is_shown_with_the_flags_kept_for_it() -> None:
    cube = np.zeros((4, 5, 3, 101), np.float32)
    cube[0, 1] = RAMP
    quality = np.zeros((5, 3, 101), np.uint16)
    quality[1, 0, 100] = Quality.MISSING
    rule = PreviewRule(percentiles=ALL, plane=(0, 1))
    np.testing.assert_array_equal(picture(cube, rule)[0], picture(RAMP, PreviewRule(percentiles=ALL))[0])
    assert tuple(picture(cube, rule, quality=quality)[2, 100]) == (58, 64, 80)
    assert (picture(cube, PreviewRule(percentiles=ALL)) == 0).all()  # the middle of each axis
    with pytest.raises(ValidationError):
        PreviewRule(plane=(-1,))

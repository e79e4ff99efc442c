"""Values and flags changed together, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.masks import hide, largest_in_blocks, times, whole_blocks, without

SHAPE = (50, 70)


def planes(seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    random = np.random.default_rng(seed)
    image = random.normal(size=SHAPE).astype(np.float32)
    image[random.uniform(size=SHAPE) < 0.05] = np.nan
    return image, random.choice(np.array([0, 0, 1, 2, 64, 65], np.uint16), SHAPE)


@pytest.mark.parametrize("limits", [{}, {"least": 0.0, "most": 1.0}])
def test_what_has_no_factor_has_no_value(limits: dict[str, float]) -> None:
    image, quality = planes()
    factor = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
    factor[3, :4] = 0.0, np.nan, np.inf, -np.inf
    made, flags = times(image, quality, factor, 64, **limits)
    cut = np.clip(factor, limits.get("least", -np.inf), limits.get("most", np.inf))
    blind = ~np.isfinite(cut) | (cut == 0)
    np.testing.assert_array_equal(made, np.where(blind, np.float32(np.nan), image * cut))
    np.testing.assert_array_equal(flags, np.where(blind, 64, quality))


def test_flagged_pixels_are_taken_out() -> None:
    image, quality = planes()
    wanted = np.where(quality & 65, np.float32(np.nan), image)
    np.testing.assert_array_equal(without(image, quality, 65), wanted)


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_what_is_hidden_in_part_is_hidden(value: float) -> None:
    image, quality = planes()
    seen = np.random.default_rng(3).choice(np.array([0, 0.5, 1, np.nan], np.float32), SHAPE)
    made, flags = hide(image, quality, seen, 64, value)
    hidden = ~(seen >= 1)
    np.testing.assert_array_equal(made, np.where(hidden | np.isnan(image), np.float32(value), image))
    np.testing.assert_array_equal(flags, np.where(hidden, 64, quality))


def test_whole_blocks_are_those_flagged_throughout() -> None:
    quality = np.zeros(SHAPE, np.uint16)
    quality[16:32, :40] = 1
    quality[20, 17] = 2  # of another kind
    quality[48:, :] = 1  # no whole block
    wanted = np.zeros((3, 4), bool)
    wanted[1, 0] = True
    np.testing.assert_array_equal(whole_blocks(quality, 1, 16), wanted)


def test_the_largest_of_a_block_is_no_number_where_one_is_none() -> None:
    image, _ = planes()
    found = largest_in_blocks(image, 16)
    np.testing.assert_array_equal(found, image[:48, :64].reshape(3, 16, 4, 16).max(axis=(1, 3)))

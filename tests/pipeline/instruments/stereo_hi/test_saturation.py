"""Saturated columns go; single saturated pixels are flagged."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi.steps.saturation import clipped_before_binning, saturation_level
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import apply_step, as_frame, frame_of, simulated


def with_bright_pixels(number: int) -> Frame:
    frame = frame_of(stars=0)
    data = frame.data.copy()
    data[10 : 10 + number, 33] = 14001.0 * 30 * 4
    return frame.replace(data=data)


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({}, 14000 * 30 * 4),
        ({"detector": "HI2"}, 14000 * 99 * 4),
        ({"kind": "n4"}, 14000),
    ],
)
def test_the_level_counts_exposures_and_ccd_pixels(settings: dict[str, str], level: float) -> None:
    assert saturation_level(frame_of(**settings)) == level


def test_more_than_five_saturated_pixels_cost_the_column() -> None:
    result = apply_step("saturated_columns", with_bright_pixels(6))
    assert np.isnan(result.data[:, 33]).all()
    assert flagged(result.quality, Quality.SATURATED)[:, 33].all()
    assert np.isfinite(np.delete(result.data, 33, axis=1)).all()
    assert result.header["NSATCOL"] == 1
    assert any("1 of 128 columns (0.8 %)" in caveat for caveat in result.caveats)


def test_five_are_flagged_one_by_one_and_their_ends_are_doubtful() -> None:
    frame = with_bright_pixels(5)
    result = apply_step("saturated_columns", frame)
    np.testing.assert_array_equal(result.data, frame.data)
    assert result.caveats == ()
    assert np.count_nonzero(flagged(result.quality, Quality.SATURATED)) == 5
    assert np.argwhere(flagged(result.quality, Quality.LOW_CONFIDENCE)).tolist() == [[9, 33], [15, 33]]


def test_limits_are_parameters() -> None:
    result = apply_step("saturated_columns", with_bright_pixels(5), nsaturated=4)
    assert np.isnan(result.data[:, 33]).all()
    assert not apply_step("saturated_columns", with_bright_pixels(6), limit=15000.0).quality.any()


def test_a_dark_image_passes_unchanged() -> None:
    frame = frame_of(stars=0)
    assert apply_step("saturated_columns", frame) is frame


def test_columns_clipped_before_the_last_binning_stand_in_quarters() -> None:
    sky = np.full((60, 40), 12000.0, dtype=np.float32)
    sky[10:30, 20] = 12000 + (65535 - 12000) / 4
    sky[10:30, 30] = 12000 + 2 * (65535 - 12000) / 4
    sky[10:30, 10] = 12000 + 1.5 * (65535 - 12000) / 4  # bright, but in no such step
    sky[5:9, 5] = 12000 + (65535 - 12000) / 4  # too short to be a column
    found = clipped_before_binning(sky, 6)
    assert set(np.flatnonzero(found.any(axis=0))) == {20, 30}
    assert found[10:30, 20].all()


def test_a_saturated_planet_in_a_beacon_image_costs_its_column() -> None:
    image = simulated(
        kind="s7", detector="HI2", sources=[{"x": 60.0, "y": 60.0, "rate": 4e5}], beacon_loss=4.0
    )
    frame = as_frame(image)
    prepared = apply_step("undo_onboard_processing", apply_step("prepare", frame))
    result = apply_step("saturated_columns", prepared)
    assert np.isnan(result.data[:, 60]).all()

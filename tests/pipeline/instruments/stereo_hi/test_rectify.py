"""Images as read out are turned north-up, with their coordinates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS

from tests.pipeline.instruments.stereo_hi.frames import apply_step, as_frame, frame_of, level_1, simulated

# astropy remarks on CROTA and on dates of every HI header.
pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")

TURNED = [{"spacecraft": "B"}, {"start": datetime(2018, 4, 1, tzinfo=UTC)}]


def test_a_rectified_image_is_left_alone() -> None:
    frame = frame_of(spacecraft="B")
    assert apply_step("rectify", frame) is frame


def test_an_image_of_a_upright_needs_no_turn() -> None:
    frame = frame_of(rectified=False)
    result = apply_step("rectify", frame)
    np.testing.assert_array_equal(result.data, frame.data)
    assert (result.header["RECTIFY"], result.header["RECTROTA"]) == (True, 0)


@pytest.mark.parametrize("settings", TURNED, ids=["B", "rolled A"])
@pytest.mark.parametrize("system", [" ", "A"], ids=["helioprojective", "celestial"])
def test_every_pixel_keeps_its_place_in_the_sky(settings: dict[str, Any], system: str) -> None:
    frame = as_frame(simulated(rectified=False, **settings), CRPIX1=60.0, CRPIX1A=60.0)
    result = apply_step("rectify", frame)
    np.testing.assert_array_equal(result.data, frame.data[::-1, ::-1])
    x, y = np.array([0.0, 17.0, 127.0]), np.array([3.0, 99.0, 127.0])
    before = WCS(frame.header, key=system).all_pix2world(x, y, 0)
    after = WCS(result.header, key=system).all_pix2world(127 - x, 127 - y, 0)
    np.testing.assert_allclose(before, after, atol=1e-9)


@pytest.mark.parametrize("settings", TURNED, ids=["B", "rolled A"])
def test_turning_here_or_on_the_ground_gives_the_same_product(settings: dict[str, Any]) -> None:
    here, _ = level_1(as_frame(simulated(rectified=False, **settings)))
    ground, _ = level_1(as_frame(simulated(rectified=True, **settings)))
    np.testing.assert_allclose(here.data, ground.data, rtol=1e-6)
    np.testing.assert_array_equal(here.quality, ground.quality)
    for name in ("CRVAL1", "CRPIX1", "PC1_1", "RECTROTA", "RECTIFY", "R1COL", "R2ROW", "DSTART1", "DSTOP1"):
        assert here.header[name] == ground.header[name]


def test_the_place_on_the_ccd_turns_along() -> None:
    # secchi_rectify: a whole turned image holds columns 79 to 2126 and rows 129 to 2176.
    window = {"DSTART1": 21, "DSTOP1": 120, "DSTART2": 1, "DSTOP2": 128}
    place = {"P1COL": 51, "P2COL": 2098, "P1ROW": 1, "P2ROW": 2048}
    frame = as_frame(simulated(rectified=False, spacecraft="B"), **window, **place)
    header = apply_step("rectify", frame).header
    assert [header[name] for name in ("R1COL", "R2COL", "R1ROW", "R2ROW")] == [79, 2126, 129, 2176]
    assert [header[name] for name in window] == [9, 108, 1, 128]
    assert [header[name] for name in place] == list(place.values())

"""Lost blocks: named, left without values, and filled where the mission's rules allow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.quality import Quality, flagged
from pipeline.step import ReferenceFile
from pipeline.testing import assert_flags
from tests.pipeline.instruments.soho_lasco.frames import C3, image_file, in_unit, raw, run_step

#: Seconds of the three months' background.
SECONDS = 19.1


def sky(shape: tuple[int, int]) -> NDArray[np.float32]:
    """A background that falls off, in DN/s."""
    y, x = np.indices(shape, dtype=np.float32)
    return (40.0 + 3000.0 / (20.0 + np.hypot(x - 300, y - 200))).astype(np.float32)


def excess(shape: tuple[int, int]) -> NDArray[np.float32]:
    """What is above it: a harmonic function, so that it can come back exactly."""
    y, x = np.indices(shape, dtype=np.float32)
    made: NDArray[np.float32] = (30.0 + 0.05 * x - 0.03 * y + 1e-4 * (x**2 - y**2)).astype(np.float32)
    return made


def frame_with(*lost: tuple[int, int], shape: tuple[int, int] = (512, 512), **cards: Any) -> Frame:
    """A C3 image in DN/s whose blocks (row, column) were lost; it lies in the middle of the CCD."""
    image = sky(shape) + excess(shape)
    quality = np.zeros(shape, np.uint16)
    for row, column in lost:
        part = slice(32 * row, 32 * row + 32), slice(32 * column, 32 * column + 32)
        image[part] = 0
        quality[part] = Quality.MISSING
    frame = in_unit(raw(image, shape, **{**C3, "R1COL": 20 + 256, "R1ROW": 1 + 256, **cards}), "DN/s")
    return run_step("missing_blocks", frame.replace(quality=quality))


@pytest.fixture
def background(tmp_path: Path) -> ReferenceFile:
    """The three months' image: the very sky, so that 0.8 of it is taken off."""
    full = np.zeros((1024, 1024), np.float32)
    full[256:768, 256:768] = SECONDS * sky((512, 512))
    return image_file(tmp_path, "background", full, EXPTIME=SECONDS)


def test_lost_blocks_have_no_value_and_are_named() -> None:
    made = frame_with((5, 6))
    assert np.isnan(made.data[160:192, 192:224]).all()
    assert np.isnan(made.data).sum() == 32 * 32
    assert made.header["NMISSING"] == 1
    assert made.header["N_MISSIN"] == 1.0
    # Column 6 from the left, row 10 from the top of 16: place 6 * 16 + 10.
    assert made.header["MISSLIST"] == "3A3A"
    assert any("1 block of telemetry" in caveat for caveat in made.caveats)


def test_an_image_without_a_loss_says_none() -> None:
    made = frame_with()
    assert (made.header["NMISSING"], made.header["MISSLIST"]) == (0, "None")


def test_blocks_of_c2_are_named_by_their_numbers() -> None:
    made = frame_with((5, 6), DETECTOR="C2", FILTER="Orange")
    assert made.header["MISSLIST"] == str(5 * 16 + 6)


def test_a_filled_block_is_the_background_and_the_smoothest_surface_above_it(
    background: ReferenceFile,
) -> None:
    # What exceeds 0.8 of the background is 0.2 of it and a harmonic function, which comes back as it was.
    made = run_step("fill_blocks", frame_with((5, 6), (5, 7), (8, 3)), background)
    truth = sky((512, 512)) + excess((512, 512))
    filled = flagged(made.quality, Quality.INTERPOLATED)
    assert filled.sum() == 3 * 32 * 32
    assert np.abs(made.data - truth)[filled].max() < 0.4
    assert np.abs(made.data - truth)[filled].mean() < 0.1
    np.testing.assert_array_equal(made.data[~filled], truth[~filled])
    assert_flags(made, Quality.LOW_CONFIDENCE, filled)
    assert_flags(made, Quality.MISSING, False)
    assert any("FUZZY_IMAGE" in str(line) for line in made.header["HISTORY"])


def test_a_zone_at_the_edge_leaves_all_lost_blocks_without_values(background: ReferenceFile) -> None:
    made = run_step("fill_blocks", frame_with((0, 6), (8, 3)), background)
    assert np.isnan(made.data).sum() == 2 * 32 * 32
    assert any("at the edge" in caveat for caveat in made.caveats)


@pytest.mark.parametrize(("blocks", "filled"), [(16, True), (17, False)])
def test_a_zone_of_more_than_16_blocks_leaves_all_lost_blocks_without_values(
    background: ReferenceFile, blocks: int, filled: bool
) -> None:
    lost = [(4 + n // 4, 4 + n % 4) for n in range(blocks)]
    made = run_step("fill_blocks", frame_with(*lost, (12, 12)), background)
    assert np.isfinite(made.data).all() == filled
    if not filled:
        assert any("17 large" in caveat for caveat in made.caveats)
        assert "PRMODE2" in made.header


def test_above_100_blocks_the_history_says_what_the_mission_s_does(background: ReferenceFile) -> None:
    lost = [(row, column) for row in range(2, 13) for column in range(2, 12)]
    made = run_step("fill_blocks", frame_with(*lost), background)
    assert " GT 100 missing blocks in zone--missing blocks not replaced." in map(str, made.header["HISTORY"])


@pytest.mark.parametrize(
    "cards", [{"FILTER": "Orange"}, {"DETECTOR": "C2", "FILTER": "Orange"}], ids=["C3 Orange", "C2"]
)
def test_only_c3_clear_is_filled(background: ReferenceFile, cards: dict[str, Any]) -> None:
    made = run_step("fill_blocks", frame_with((5, 6), **cards), background)
    assert np.isnan(made.data).sum() == 32 * 32
    assert made.header["PRMODE2"] == "NO-CHANGE"


def test_without_a_background_nothing_is_filled_and_the_product_says_so() -> None:
    made = run_step("fill_blocks", frame_with((5, 6)))
    assert np.isnan(made.data).sum() == 32 * 32
    assert any("no background" in caveat for caveat in made.caveats)


def test_never_sent_blocks_beside_a_lost_one_do_not_pull_it_down(background: ReferenceFile) -> None:
    frame = frame_with((5, 6))
    data, quality = frame.data.copy(), frame.quality.copy()
    data[160:192, 224:256] = np.nan
    quality[160:192, 224:256] = Quality.OUTSIDE_FIELD
    made = run_step("fill_blocks", frame.replace(data=data, quality=quality), background)
    truth = sky((512, 512)) + excess((512, 512))
    filled = flagged(made.quality, Quality.INTERPOLATED)
    assert np.abs(made.data / truth - 1)[filled].max() < 0.05
    assert np.isnan(made.data[160:192, 224:256]).all()

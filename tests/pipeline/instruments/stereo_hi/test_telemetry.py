"""Where lost telemetry lies: Rice blocks and ICER segments."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.instruments.stereo_hi import telemetry
from tests.pipeline.instruments.stereo_hi.frames import apply_step, as_frame, frame_of, simulated


def test_block_numbers_are_pairs_in_base_34() -> None:
    frame = as_frame(simulated(), MISSLIST="0A1XX0", NMISSING=3.0)
    assert telemetry.lost_blocks(frame) == [10, 34 + 33, 33 * 34]


def test_a_list_that_lost_its_first_blank_is_read_from_the_right() -> None:
    assert telemetry.lost_blocks(as_frame(simulated(), MISSLIST="A0B", NMISSING=2.0)) == [10, 11]


def test_no_list_means_nothing_is_lost() -> None:
    assert not telemetry.lost_pixels(frame_of())[0].any()


def test_rice_blocks_are_64_pixels_wide_and_counted_row_by_row() -> None:
    mask, _ = telemetry.lost_pixels(as_frame(simulated(size=192), MISSLIST="05", NMISSING=1.0))
    assert mask[64:128, 128:192].all()
    assert np.count_nonzero(mask) == 64 * 64


@pytest.mark.parametrize(
    "settings", [{"spacecraft": "B"}, {"start": datetime(2018, 1, 1, tzinfo=UTC)}], ids=["B", "rolled A"]
)
def test_blocks_of_a_turned_image_are_turned_with_it(settings: dict[str, object]) -> None:
    mask, _ = telemetry.lost_pixels(as_frame(simulated(size=192, **settings), MISSLIST="05", NMISSING=1.0))
    assert mask[64:128, 0:64].all()
    assert np.count_nonzero(mask) == 64 * 64


def test_icer_segments_take_a_border_of_their_neighbours_along() -> None:
    ((x0, y0, x1, y1),) = telemetry.boxes([5], 96, (1024, 1024), summing=2)
    assert (x0, y0, x1, y1) == (256 - 20, 256 - 20, 512 + 20, 512 + 20)


def test_32_segments_cover_the_detector_once() -> None:
    seen = np.zeros((2048, 2048), dtype=np.int64)
    for block in range(32):
        ((x0, y0, x1, y1),) = telemetry.boxes([block], 93, seen.shape, summing=1)
        seen[y0 + 20 : y1 - 20, x0 + 20 : x1 - 20] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize(
    ("block", "summing", "corner"),
    [(0, 1, (0, 0)), (19, 1, (1632, 960)), (20, 1, (0, 1280)), (31, 2, (848, 832))],
)
def test_32_segments_stand_where_the_mission_puts_them(
    block: int, summing: int, corner: tuple[int, int]
) -> None:
    ((x0, y0, _, _),) = telemetry.boxes([block], 90, (2048, 2048), summing=summing)
    assert (x0 + 20, y0 + 20) == corner


@pytest.mark.parametrize(
    ("compression", "listed", "says"), [(100, "01", "known compressions"), (7, "XX", "16 blocks")]
)
def test_a_loss_that_cannot_be_placed_is_refused(compression: int, listed: str, says: str) -> None:
    frame = as_frame(simulated(size=256), COMPRSSN=compression, MISSLIST=listed, NMISSING=1.0)
    with pytest.raises(BadInput, match="where is not known") as refusal:
        telemetry.lost_pixels(frame)
    assert says in refusal.value.found


def test_received_pixels_of_a_column_with_a_loss_are_doubtful() -> None:
    frame = apply_step("prepare", frame_of(size=192, missing_blocks=(4,)))
    assert (apply_step("missing_blocks", frame).quality[0, 64:128] == 256).all()
    assert not apply_step("missing_blocks", frame, doubt_columns=False).quality[0].any()


@pytest.mark.parametrize("spacecraft", ["A", "B"])
def test_zeros_in_the_image_decide_how_the_blocks_lie(spacecraft: str) -> None:
    image = simulated(size=192, spacecraft=spacecraft, missing_blocks=(5,))
    frame = as_frame(image, RECTROTA=0 if spacecraft == "B" else 2)  # a header that is wrong about it
    mask, doubt = telemetry.lost_pixels(frame)
    np.testing.assert_array_equal(mask, image.data == 0)
    assert "turned" in doubt
    assert telemetry.lost_pixels(as_frame(image))[1] == ""


def test_lost_blocks_are_flagged_first_and_made_nan_last() -> None:
    frame = frame_of(size=192, missing_blocks=(4,))
    prepared = apply_step("prepare", frame)
    np.testing.assert_array_equal(prepared.data, frame.data)
    result = apply_step("missing_blocks", prepared)
    np.testing.assert_array_equal(np.isnan(result.data), prepared.quality == 1)

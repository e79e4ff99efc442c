"""What level-0.5 images are put right in before anything is computed with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.instruments.soho_lasco.steps.prepare import unwrapped
from pipeline.quality import Quality
from pipeline.testing import assert_flags
from tests.pipeline.instruments.soho_lasco.frames import C3, raw, run_step, text_file


def test_numbers_that_ran_over_16_bits_come_back() -> None:
    values = np.array([[5.0, -1.0], [-65535.0, -70000.0]], dtype=np.float32)
    np.testing.assert_array_equal(unwrapped(values), [[5.0, 65534.0], [0.0, 61070.0]])


def test_only_summed_images_are_unwrapped() -> None:
    assert run_step("prepare", raw(_with(-1.0), LEBXSUM=2, LEBYSUM=2)).data[0, 0] == 65534.0
    assert run_step("prepare", raw(_with(-1.0))).data[0, 0] == -1.0


def _with(value: float) -> np.ndarray:
    image = np.full((128, 128), 1000.0, np.float32)
    image[0, 0] = value
    return image


def test_a_full_pixel_is_saturated_as_often_as_it_was_added_up_on_board() -> None:
    single = run_step("prepare", raw(_with(16383.0)))
    assert_flags(single, Quality.SATURATED, _with(16383.0) == 16383.0)
    summed = run_step("prepare", raw(_with(65532.0), LEBXSUM=2, LEBYSUM=2))
    assert_flags(summed, Quality.SATURATED, _with(65532.0) == 65532.0)
    assert_flags(run_step("prepare", raw(_with(65531.0), LEBXSUM=2, LEBYSUM=2)), Quality.SATURATED, False)


def test_a_lost_block_is_missing_and_one_never_sent_is_outside() -> None:
    image = np.full((128, 128), 1000.0, np.float32)
    image[:32, :32] = 0  # the corner, never sent
    image[64:96, 32:64] = 0  # lost
    image[100, 100] = 0  # a dark pixel
    made = run_step("prepare", raw(image))
    corner, lost = np.zeros((2, 128, 128), dtype=bool)
    corner[:32, :32] = lost[64:96, 32:64] = True
    assert_flags(made, Quality.OUTSIDE_FIELD, corner)
    assert_flags(made, Quality.MISSING, lost)


def test_a_block_that_is_never_sent_and_came_all_the_same_is_kept() -> None:
    assert_flags(run_step("prepare", raw()), Quality.OUTSIDE_FIELD, False)


def test_the_mission_s_list_says_which_blocks_are_never_sent(tmp_path: Path) -> None:
    image = np.full((128, 128), 1000.0, np.float32)
    image[:32, :32] = 0
    listed = text_file(tmp_path, "null_blocks", "c2nullblocks.txt", "5 6 7\n")
    assert run_step("prepare", raw(image), listed).quality[0, 0] == Quality.MISSING


def test_the_history_of_level_05_stays_but_for_its_bias() -> None:
    frame = raw()
    for line in ("offset_bias.pro\t1.20 08/07/00, 582.143", "V15  18 Jun 1997\tMAKE_FITS_HDR"):
        frame.header.add_history(line.replace("\t", " "))
    made = run_step("prepare", frame)
    assert list(map(str, made.header["HISTORY"])) == [" V15 18 Jun 1997 MAKE_FITS_HDR"]


@pytest.mark.parametrize(
    ("cards", "what"),
    [({"DETECTOR": "C1"}, "no level 1"), ({"R1COL": 1000}, "light-sensitive part"), ({}, "zero throughout")],
)
def test_what_cannot_be_calibrated_is_refused(cards: dict[str, object], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        run_step("prepare", raw(1000.0 if cards else 0.0, **cards))


def test_c3_has_blocks_of_its_own_that_are_never_sent() -> None:
    image = np.full((128, 128), 1000.0, np.float32)
    image[:32] = 0
    made = run_step("prepare", raw(image, **C3))
    assert_flags(made, Quality.OUTSIDE_FIELD, image == 0)

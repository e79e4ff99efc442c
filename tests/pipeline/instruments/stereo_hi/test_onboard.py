"""On-board arithmetic is taken back: divisions, roots, conditional halving, bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi.steps.onboard import bias, division_factor, halving_factor
from tests.pipeline.instruments.stereo_hi.frames import apply_step, as_frame, simulated


def coded(*codes: int, **cards: Any) -> Frame:
    text = "".join(f"{code:3d}" for code in codes)
    return as_frame(simulated(), IP_00_19=text, **cards)


@pytest.mark.parametrize(
    ("codes", "factor"),
    [
        ([41, 128, 31, 34, 37, 113, 121, 7], 1),
        ([1, 1], 4),
        ([16], 64),
        ([17], 64),
        ([50, 53], 16),
        ([82, 83, 84], 64),
        ([85], 16),
        ([86], 32),
        ([87], 64),
        ([88], 128),
        ([118, 118], 9),
        ([1, 82, 118], 12),
    ],
)
def test_every_code_has_the_factor_of_the_table(codes: list[int], factor: float) -> None:
    assert halving_factor(codes, undone=False) * division_factor(codes, summed=True) == factor


def test_a_halving_undone_before_counts_one_less_but_never_below_none() -> None:
    assert halving_factor([1, 1], undone=True) == 2
    assert halving_factor([7], undone=True) == 1


def test_code_53_divides_only_summed_images() -> None:
    assert division_factor([53], summed=False) == 1


def test_the_image_is_multiplied_and_stays_floating() -> None:
    frame = coded(41, 83, 118)
    result = apply_step("undo_onboard_processing", frame)
    np.testing.assert_array_equal(result.data, frame.data * 12)
    assert result.header["SEBFACT"] == 12
    assert list(result.header["HISTORY"])[-1] == "on-board processing undone: x 12"


@pytest.mark.parametrize(
    ("codes", "value"),
    [((2,), 9.0), ((2, 82), 18.0), ((2, 1), 36.0), ((83, 2, 1), 144.0), ((2, 2), 81.0), ((2, 2, 2), 6561.0)],
)
def test_a_root_is_squared_between_the_halvings_and_the_divisions(
    codes: tuple[int, ...], value: float
) -> None:
    # The mission's scc_sebip: code 1 first, then the squares, then all other factors.
    frame = coded(*codes)
    small = frame.replace(data=np.full_like(frame.data, 3.0))
    np.testing.assert_array_equal(apply_step("undo_onboard_processing", small).data, value)


def test_nothing_to_undo_changes_nothing() -> None:
    frame = coded(41, 128, 31, 34, 37, 113, 121, 7)
    result = apply_step("undo_onboard_processing", frame)
    assert result.data is frame.data
    assert "SEBFACT" not in result.header


@pytest.mark.parametrize(
    ("codes", "percentile", "factor"),
    [
        ((41, 94), 342.0, 2),  # half of the bias: the telltale of a halving before ICER
        ((41, 94), 684.0, 1),
        ((108, 94), 342.0, 1),  # a filter stands before
        ((103, 41, 94), 342.0, 1),  # bias subtracted, so the percentile tells nothing
        ((41, 7), 342.0, 1),  # not ICER
    ],
)
def test_the_conditional_halving_before_icer_is_recognised(
    codes: tuple[int, ...], percentile: float, factor: float
) -> None:
    frame = coded(*codes, DATAP01=percentile, BIASMEAN=684.0)
    result = apply_step("undo_onboard_processing", frame)
    np.testing.assert_array_equal(result.data, frame.data * factor)
    assert (result.header["DIV2CORR"] is True) == (factor == 2)
    assert ("icerdiv2: image x 2" in str(result.header.get("HISTORY", ""))) == (factor == 2)


@pytest.mark.parametrize("said", [True, "T "])
def test_a_halving_the_ground_has_undone_is_not_undone_again(said: bool | str) -> None:
    frame = coded(1, 94, DATAP01=342.0, BIASMEAN=684.0, DIV2CORR=said)
    np.testing.assert_array_equal(apply_step("undo_onboard_processing", frame).data, frame.data)


@pytest.mark.parametrize(("gain", "factor"), [({}, 256), ({"beacon_gain": 1.0}, 64)])
def test_a_beacon_image_is_multiplied_by_64_and_what_its_binning_divided(
    gain: dict[str, Any], factor: float
) -> None:
    frame = as_frame(simulated(kind="s7"))
    result = apply_step("undo_onboard_processing", frame, **gain)
    np.testing.assert_array_equal(result.data, frame.data * factor)
    assert result.header["BCNGAIN"] == factor / 64
    assert "BEACON" in result.modes
    assert any("rests on one HI-2 image" in caveat for caveat in result.caveats)


@pytest.mark.parametrize(
    ("codes", "cards", "level"),
    [
        *(
            ((41, 34, code, 7), {"OFFSETCR": 0.0, "BIASMEAN": 30.0 / 29, "IPSUM": 1.0}, left)
            for code, left in ((36, 1.0), (37, 0.0), (38, 0.0), (39, 1.0), (102, 1.0), (103, 0.0), (104, 1.0))
        ),
        ((41, 7), {"OFFSETCR": 684.0}, 0.0),
        ((41, 7), {"OFFSETCR": 0.5}, 0.0),
        ((41, 7), {"OFFSETCR": 0.0, "BIASMEAN": 690.0, "IPSUM": 2.0}, (690.0 - 690.0 / 30) * 4),
        ((41, 7), {"OFFSETCR": 0.0, "BIASMEAN": 690.0, "IPSUM": 1.0}, 690.0 - 690.0 / 30),
        ((41, 7), {"OFFSETCR": 0.0, "N_IMAGES": 1}, 0.0),
        ((41, 7), {"OFFSETCR": None, "BIASMEAN": 690.0, "IPSUM": 1.0}, 690.0 - 690.0 / 30),
        ((41, 7), {"OFFSETCR": 0.0, "BIASMEAN": 30.0 / 29, "IPSUM": 1.0}, 1.0),
    ],
)
def test_the_bias_left_in_a_sum(codes: tuple[int, ...], cards: dict[str, float], level: float) -> None:
    frame = coded(*codes, **cards)
    assert bias(frame) == pytest.approx(level)
    result = apply_step("subtract_bias", frame)
    np.testing.assert_allclose(result.data, frame.data - np.float32(level))
    kept = frame.header.get("OFFSETCR", None)
    assert result.header.get("OFFSETCR") == (pytest.approx(level) if level else kept)


def test_a_fiftieth_itself_is_too_far_from_half_of_the_bias() -> None:
    for percentile, factor in ((51.0, 1), (50.9375, 2), (49.0, 1), (49.0625, 2)):
        frame = coded(41, 94, DATAP01=percentile, BIASMEAN=100.0)
        result = apply_step("undo_onboard_processing", frame)
        np.testing.assert_array_equal(result.data, frame.data * factor)


@pytest.mark.parametrize(
    ("percentile", "factor"), [(342.0 - 6.8, 2), (342.0 + 6.8, 2), (342.0 - 6.9, 1), (342.0 + 6.9, 1)]
)
def test_half_of_the_bias_is_met_to_a_fiftieth(percentile: float, factor: float) -> None:
    frame = coded(41, 94, DATAP01=percentile, BIASMEAN=684.0)
    np.testing.assert_array_equal(apply_step("undo_onboard_processing", frame).data, frame.data * factor)


@pytest.mark.parametrize(
    ("codes", "factor"),
    [
        ((41, 89), 1),  # the codes of ICER begin at 90
        ((41, 90), 2),
        ((41, 102), 2),
        ((106, 94), 1),  # its filters are 106 to 112
        ((112, 94), 1),
        ((105, 94), 2),
        ((113, 94), 2),
        ((94,), 1),  # nothing stands before it
        ((41, 34, 94), 2),  # it stands last,
        ((41, 94, 34), 1),
        ((41, 108, 94), 1),  # and its filter right before it
        ((108, 41, 94), 2),
    ],
)
def test_icer_and_its_filters_are_known_by_their_codes(codes: tuple[int, ...], factor: float) -> None:
    frame = coded(*codes, DATAP01=342.0, BIASMEAN=684.0)
    np.testing.assert_array_equal(apply_step("undo_onboard_processing", frame).data, frame.data * factor)


@pytest.mark.parametrize(("ipsum", "factor"), [(0.0, 1), (1.0, 4), (2.0, 4), (None, 4)])
def test_code_53_asks_whether_anything_was_summed(ipsum: float | None, factor: float) -> None:
    frame = coded(41, 53, IPSUM=ipsum)
    np.testing.assert_array_equal(apply_step("undo_onboard_processing", frame).data, frame.data * factor)


@pytest.mark.parametrize("codes", [(41, 83), (2, 1), (41, 94)])
def test_the_header_that_came_is_left_as_it_was(codes: tuple[int, ...]) -> None:
    frame = coded(*codes, DATAP01=342.0, BIASMEAN=684.0)
    before = frame.header.tostring()
    apply_step("undo_onboard_processing", frame)
    apply_step("subtract_bias", frame)
    assert frame.header.tostring() == before

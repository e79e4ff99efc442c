"""Level 1 of all four telescopes: calibrated to the noise, and abnormal pixels marked."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig
from pipeline.quality import Quality, flagged
from pipeline.step import find_step
from pipeline.testing import run_recipe
from tests.pipeline.instruments.aso_s_lst import simulated as lst

FOUR = [lst.SDI, lst.WST, lst.SCIUV, lst.SCIWL]


@pytest.mark.parametrize("config", FOUR, ids=lambda one: one.telescope)
def test_level_1_is_the_light_behind_the_optics_to_the_noise(config: SimulationConfig) -> None:
    made, truth = lst.level_1(config).made, lst.image(config)
    told = (made.quality == 0) & (truth.flags == 0)
    away = ((made.data - truth.blurred) / truth.noise)[told]
    # Stray light is not in the noise that the simulator tells, nor is that of the dividing by the flat.
    most = 1.7 if config.telescope == "SCIWL" else 1.1
    assert 0.9 < away.std() < most
    assert abs(away.mean()) < 0.05
    assert made.header["LEVEL"] == "1"


@pytest.mark.parametrize("config", FOUR, ids=lambda one: one.telescope)
def test_what_is_wrong_with_a_pixel_is_marked_and_hardly_anything_else(config: SimulationConfig) -> None:
    made, truth = lst.level_1(config).made, lst.image(config)
    inside = ~flagged(made.quality, Quality.OUTSIDE_FIELD)
    for bit in (Quality.HOT, Quality.DEAD):
        assert flagged(made.quality, bit)[inside & flagged(truth.flags, bit)].all()
    hit = flagged(truth.flags, Quality.COSMIC_RAY) & inside
    found = flagged(made.quality, Quality.COSMIC_RAY)
    assert found[hit].mean() > 0.6
    assert (found & ~hit).sum() < 1e-4 * found.size


def test_saturated_pixels_of_the_high_gain_are_those_of_the_low_one_and_carry_no_flag() -> None:
    low, high = lst.frames(lst.SDI)
    made = lst.level_1(lst.SDI).made
    full = (high.data >= 4095) & (low.data < 4000) & (lst.image(lst.SDI).flags == 0)
    assert full.mean() > 0.3
    assert not flagged(made.quality, Quality.SATURATED)[full].any()
    assert abs(made.header["HDRGAIN"] / 16.0 - 1.0) < 2e-3
    assert flagged(made.quality, Quality.SATURATED)[(low.data >= 4095)].all()


def test_rows_that_one_channel_lost_come_from_the_other_and_those_both_lost_from_none() -> None:
    config = lst.SDI.model_copy(update={"lost_rows": (100, 104), "number": 3})
    low, high = lst.frames(config)
    whole = lst.frames(config.model_copy(update={"lost_rows": None}))[0]
    given = lst.references(lst.SDI)
    (one,) = run_recipe("aso_s_lst-l1-hdr", [whole, high], references=given)
    (none,) = run_recipe("aso_s_lst-l1-hdr", [low, high], references=given)
    lost = slice(100, 104)
    assert np.isfinite(one.made.data[lost, 200:300]).mean() > 0.99
    assert flagged(one.made.quality, Quality.LOW_CONFIDENCE)[lost, 200:300].all()
    assert np.isnan(none.made.data[lost]).all()
    assert flagged(none.made.quality, Quality.MISSING)[lost].all()
    assert "4096 pixels never arrived" not in " ".join(one.outcome.caveats)


def test_where_no_channel_tells_how_bright_it_was_the_value_is_the_least_and_flagged() -> None:
    low, high = lst.frames(lst.SDI)
    dark, bright = low.data.copy(), high.data.copy()
    flare, lost_low, lost_high = np.s_[200:204, 200:204], np.s_[240:244, 200:204], np.s_[280:284, 200:204]
    dark[flare] = bright[flare] = dark[lost_high] = bright[lost_low] = 4095
    dark[lost_low] = bright[lost_high] = 0
    given = [low.replace(data=dark), high.replace(data=bright)]
    (ran,) = run_recipe("aso_s_lst-l1-hdr", given, references=lst.references(lst.SDI))
    made = ran.made
    # 4095 numbers of the low gain are sixteen times as many of the high one, less the bias.
    assert (made.data[flare] > 55_000).all()
    assert (made.data[lost_high] > 55_000).all()
    assert (made.data[lost_low] > 3_000).all()
    for part in (flare, lost_low, lost_high):
        assert flagged(made.quality, Quality.SATURATED)[part].all()
    for part in (lost_low, lost_high):
        assert flagged(made.quality, Quality.LOW_CONFIDENCE)[part].all()
    assert not (np.isnan(made.data) & (made.quality == 0)).any()


def test_a_saturated_flare_is_not_filled_from_the_quiet_sun_around_it() -> None:
    low, high = lst.frames(lst.SDI)
    y, x = np.indices(low.data.shape)
    light = 9000.0 * np.exp(-((x - 220) ** 2 + (y - 260) ** 2) / (2 * 6.0**2))
    given = [
        one.replace(data=np.clip(one.data + light * gain, 1, 4095)) for one, gain in ((low, 1), (high, 16))
    ]
    (half,) = run_recipe("aso_s_lst-l1-hdr", given, references=lst.references(lst.SDI))
    (ran,) = run_recipe("aso_s_lst-l12", [half.made], references=lst.references(lst.SDI))
    core = np.hypot(x - 220, y - 260) < 5
    assert flagged(ran.made.quality, Quality.SATURATED | Quality.LOW_CONFIDENCE)[core].all()
    assert np.min(ran.made.data[core]) > 40_000


def test_numbers_below_zero_never_arrived() -> None:
    (low,) = lst.frames(lst.WST)
    data = low.data.copy()
    data[200:204, 200:204] = -3000.0
    given = low.replace(data=data)
    (ran,) = run_recipe("aso_s_lst-l1", [given], references=lst.references(lst.WST))
    assert flagged(ran.made.quality, Quality.MISSING)[200:204, 200:204].all()
    assert np.isnan(ran.made.data[200:204, 200:204]).all()


def test_two_low_gains_are_no_pair() -> None:
    low, high = lst.frames(lst.SDI)
    merge = find_step("aso_s_lst", "merge_gains")
    given = {one.name: one for one in lst.references(lst.SDI)}
    with pytest.raises(BadInput, match="one low and one high gain"):
        merge.function([low, low], merge.params_model(), given)
    other = high.replace(header=high.header.copy())
    other.header["SEQNUM"] = 99
    with pytest.raises(BadInput, match="not of one exposure") as caught:
        merge.function([low, other], merge.params_model(), given)
    assert caught.value.keyword == "SEQNUM"


def test_without_enough_light_in_both_ranges_the_ratio_is_the_camera_files() -> None:
    merge = find_step("aso_s_lst", "merge_gains")
    low, high = (frame.replace(data=np.full_like(frame.data, 3.0)) for frame in lst.frames(lst.SDI))
    given = {one.name: one for one in lst.references(lst.SDI)}
    made = merge.function([low, high], merge.params_model(), given)
    assert made.header["HDRGAIN"] == pytest.approx(16.16)
    assert made.header["HDRNPIX"] == 0
    assert any("camera file" in one for one in made.caveats)


def test_calibration_that_was_simulated_is_named_in_the_product() -> None:
    header = lst.level_1(lst.SCIWL).made.header
    assert header["SIMCAL"] is True
    assert {"dark", "flat", "camera", "stray_light"} <= set(header["SIMCALS"].split(", "))
    assert header["DARKFILE"].startswith("sim_lst_sciwl_dark_")


def test_without_a_dark_a_product_says_so() -> None:
    kept = [one for one in lst.references(lst.WST) if one.name not in ("dark", "bad_pixels")]
    (ran,) = run_recipe("aso_s_lst-l1", lst.frames(lst.WST), references=kept)
    assert {"no dark was at hand: it is still in the values"} < set(ran.outcome.caveats)
    assert any("none is marked" in one for one in ran.outcome.caveats)

"""Simulated images of both cameras through the whole chain, against their truth."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.instruments.soho_lasco.simulate import SimulationConfig
from pipeline.quality import Quality, flagged
from pipeline.testing import assert_provenance, run_recipe
from tests.pipeline.instruments.soho_lasco import simulated

C2 = SimulationConfig(front=4.0, lost_blocks=((5, 20),))
C3 = SimulationConfig(detector="C3", front=12.0, lost_blocks=((8, 20), (8, 21), (22, 9)), number=2)
TURNED = SimulationConfig(detector="C3", roll=179.77, number=3)
SUMMED = SimulationConfig(summing=2, number=1)


@lru_cache(maxsize=4)
def level_1(config: SimulationConfig) -> Frame:
    (ran,) = run_recipe("soho_lasco-l1", [simulated.frame(config)], references=simulated.references(config))
    return ran.made


def residual(config: SimulationConfig) -> NDArray[np.float64]:
    """Level 1 less truth, in units of the camera's noise before resampling, of unflagged pixels."""
    made, truth = level_1(config), simulated.image(config)
    # Pixels of which much is cut off have their vignetting averaged, which no chain can undo.
    usable = (made.quality == 0) & np.isfinite(truth.noise) & (truth.noise < 3 * np.nanmedian(truth.noise))
    away = made.data[usable].astype(float) - truth.truth[usable]
    return np.asarray(away / truth.noise[usable])


@pytest.mark.parametrize("config", [C2, C3, TURNED], ids=["C2", "C3", "C3 upside down"])
def test_nothing_but_the_camera_s_noise_is_left(config: SimulationConfig) -> None:
    found = residual(config)
    assert found.size > 0.5 * 1024**2
    # Interpolation averages neighbours, so that less than the noise of single pixels is left.
    core = found[np.abs(found) < 6]
    assert 0.5 < core.std() < 0.85
    assert abs(np.median(found)) < 0.05
    # Stars are sharper than an interpolation between pixels can follow.
    assert np.mean(np.abs(found) > 6) < 1e-3


def test_a_summed_image_comes_back_as_well() -> None:
    found = residual(SUMMED)
    assert abs(np.median(found)) < 0.1
    assert np.percentile(np.abs(found), 90) < 2.0


@pytest.mark.parametrize("config", [C2, C3], ids=["C2", "C3"])
def test_no_pixel_that_was_lost_passes_for_a_measured_one(config: SimulationConfig) -> None:
    made, truth = level_1(config), simulated.image(config)
    measured = np.isfinite(made.data) & (made.quality == 0) & np.isfinite(truth.noise)
    # A raw zero less the bias would be far below the corona, which is nowhere negative.
    assert (made.data[measured] > -6 * truth.noise[measured]).all()
    assert not np.isfinite(made.data[flagged(made.quality, Quality.MISSING)]).any()
    lost = len(config.lost_blocks) * 32 * 32
    doubted = flagged(made.quality, Quality.MISSING | Quality.INTERPOLATED).sum()
    assert lost <= doubted < 1.3 * lost


def test_lost_blocks_of_c3_are_filled_within_a_few_percent() -> None:
    made, truth = level_1(C3), simulated.image(C3).truth
    filled = flagged(made.quality, Quality.INTERPOLATED) & np.isfinite(made.data)
    assert 3 * 1000 < filled.sum() < 3 * 1300
    error = np.abs(made.data[filled] / truth[filled] - 1)
    assert np.median(error) < 0.02
    assert np.percentile(error, 95) < 0.1


def test_without_the_distortion_step_the_truth_is_missed_by_far() -> None:
    (ran,) = run_recipe(
        "soho_lasco-l1",
        [simulated.frame(C3)],
        references=simulated.references(C3),
        settings={"distortion.enabled": False},
    )
    truth = simulated.image(C3)
    usable = (ran.made.quality == 0) & (truth.noise < 3 * np.nanmedian(truth.noise))
    away = (ran.made.data - truth.truth)[usable] / truth.noise[usable]
    assert np.sqrt(np.mean(away**2)) > 3 * np.sqrt(np.mean(residual(C3) ** 2))


def test_the_header_knows_time_centre_and_roll_from_the_tables() -> None:
    header = level_1(C2).header
    # The very times of the mission's own level 1 of this exposure.
    assert header["DATE-OBS"] == "2009-02-28T00:05:33.380"
    assert (header["CRPIX1"], header["CRPIX2"]) == pytest.approx((511.2, 507.5))
    assert header["CROTA"] == pytest.approx(0.475)
    turned = level_1(TURNED).header
    assert turned["CROTA"] == pytest.approx(-0.23)
    assert turned["CRPIX1"] == pytest.approx(1023 - 518.2 + 1)


def test_the_product_says_which_calibration_was_simulated() -> None:
    made = level_1(C3)
    for name in ("expfactor", "background", "vignetting", "ramp", "optical_centre", "mask", "sun_table"):
        assert name in made.header["SIMCALS"]
    assert_provenance(
        made,
        *("TELEMETRY-PARSING", "BIAS-CORRECTION", "CALIBRATION", "PIXEL-FILLING", "PIXEL-FILLING"),
        *("RADIOMETRIC-CALIBRATION", "FLATFIELDING", "SUBTRACTION", "SPATIAL-DISTORTION-CORRECTION"),
        *("THRESHOLDING", "SPATIAL-COORDINATE-CORRECTION", "DEROTATION", "CALIBRATION"),
    )


def test_the_same_configuration_gives_the_same_bytes_and_says_that_it_is_simulated() -> None:
    from pipeline.instruments.soho_lasco.simulate import simulate

    again = simulate(SUMMED)
    np.testing.assert_array_equal(again.data, simulated.image(SUMMED).data)
    assert again.header["SIMULATD"] is True
    assert again.filename.startswith("sim_")

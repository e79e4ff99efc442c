"""Level 1 of simulated images, against what they were made from."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.instruments.kis_chrotel import facts
from pipeline.instruments.kis_chrotel.simulate import SimulationConfig
from pipeline.instruments.kis_chrotel.simulate.series import scan
from pipeline.stack import stack_of
from pipeline.testing import assert_provenance, run_recipe, run_step
from tests.pipeline.instruments.kis_chrotel import simulated
from tests.pipeline.instruments.kis_chrotel.simulated import CALCIUM, HALPHA, HELIUM, SIZE

CLOUDY = SimulationConfig(size=SIZE, cloud=0.6, gradient=0.3, seed=2)
CUT = SimulationConfig(size=SIZE, offset=(560.0, 420.0), seed=3)


@pytest.mark.parametrize("config", [HALPHA, CALCIUM, CLOUDY, CUT], ids=["Ha", "Ca", "clouds", "cut"])
def test_the_sun_s_centre_is_found_within_a_twentieth_of_a_pixel(config: SimulationConfig) -> None:
    header, truth = simulated.level_1(config).header, simulated.image(config)
    miss = np.hypot(header["CRPIX1"] - 1 - truth.centre[0], header["CRPIX2"] - 1 - truth.centre[1])
    assert miss < 0.05
    assert header["R_SUN"] - truth.radius == pytest.approx(-0.35, abs=0.12)
    assert header["CDELT1"] == pytest.approx(config.scale, rel=3e-3)


def test_dark_and_flat_leave_the_light_of_sky_and_filter() -> None:
    made, truth = simulated.level_1(HALPHA), simulated.image(HALPHA)
    # In the very centre: 30000 DN times what filter and Sun make of it.
    quiet = np.abs(truth.contrast - 1) < 0.02
    i, j = np.indices(quiet.shape)
    near = quiet & (np.hypot(j - truth.centre[0], i - truth.centre[1]) < 30)
    assert np.median(made.data[near] / truth.field[near]) == pytest.approx(30000, rel=0.02)


def test_the_header_has_the_telescope_s_words_and_says_what_was_simulated() -> None:
    made = simulated.level_1(HALPHA)
    assert made.header["DISKMIN"] < made.header["DISKMEAN"] < made.header["DISKMAX"]
    assert made.header["DARKFILE"].startswith("sim_chrotel_ha_dark")
    assert made.header["FLATFILE"].startswith("sim_chrotel_ha_flat")
    assert made.header["SIMCAL"] is True
    assert made.header["SIMULATD"] is True
    assert_provenance(
        made,
        *("DARK-SUBTRACTION", "FLATFIELDING", "SPATIAL-COORDINATE-CORRECTION"),
        *("SPATIAL-COORDINATE-CORRECTION", "CALIBRATION"),
    )


def test_without_a_dark_the_product_says_so_and_without_a_flat_there_is_none() -> None:
    flat = [one for one in simulated.references(HALPHA) if one.name == "flat"]
    (ran,) = run_recipe("kis_chrotel-l1", [simulated.frame(HALPHA)], references=flat)
    assert any("no dark" in one for one in ran.made.caveats)
    (ran,) = run_recipe("kis_chrotel-l1", [simulated.frame(HALPHA)])
    assert "flat" in ran.outcome.reason


def test_a_matrix_of_the_file_s_own_stays() -> None:
    frame = simulated.level_1(HALPHA)
    header = frame.header.copy()
    header["PC1_2"] = 0.125
    made = run_step("pointing", frame.replace(header=header), instrument="kis_chrotel")
    assert made.header["PC1_2"] == 0.125


def test_a_scan_becomes_one_cube_with_its_planes_on_one_another() -> None:
    made, truths = simulated.cube(HELIUM), [simulated.image(one) for one in scan(HELIUM)]
    assert made.dims == ("wavelength", "y", "x")
    assert made.data.shape == (7, SIZE, SIZE)
    for number, truth in enumerate(truths, start=1):
        moved = np.subtract(truth.centre, truths[3].centre)
        found = (made.header[f"SHIFTX{number}"], made.header[f"SHIFTY{number}"])
        assert found == pytest.approx(tuple(moved), abs=0.05)
    assert [made.header[f"WAVE{n}"] for n in (1, 4, 7)] == pytest.approx([10833.15, 10830.3, 10827.45])
    assert not any("by the limb alone" in one for one in made.caveats)
    # Not evenly spaced, and yet the coordinate of the stack.
    along = stack_of([made]).coords["wavelength"]
    np.testing.assert_allclose(along, facts.POSITIONS)
    assert along.attrs["units"] == "Angstrom"


def test_a_scan_with_a_position_twice_is_put_aside() -> None:
    frames = [simulated.frame(one) for one in scan(HELIUM)]
    frames[2] = frames[1]
    (ran,) = run_recipe("kis_chrotel-he-l1", frames, references=simulated.references(HELIUM))
    assert "seven positions" in ran.outcome.reason


def test_the_same_configuration_gives_the_same_bytes_and_says_that_it_is_simulated() -> None:
    from pipeline.instruments.kis_chrotel.simulate import simulate

    again = simulate(HALPHA)
    np.testing.assert_array_equal(again.data, simulated.image(HALPHA).data)
    assert again.filename.startswith("sim_chrotel_ha")
    assert any("SIMULATED" in str(card) for card in again.header["COMMENT"])


def test_an_image_without_a_limb_is_put_aside() -> None:
    frame = simulated.frame(HALPHA)
    blank = frame.replace(data=np.full_like(frame.data, 700.0))
    with pytest.raises(BadInput, match="limb"):
        run_step("limb_fit", blank, instrument="kis_chrotel")

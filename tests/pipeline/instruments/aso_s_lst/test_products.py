"""Levels 1.2, 2, Q1 and 3, and what images are recognised as."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.judging import light_of, stripes_of
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.instruments.aso_s_lst.simulate.scene import corona, places
from pipeline.instruments.aso_s_lst.steps.radiometry import read_response
from pipeline.kernels.triplet import stokes
from pipeline.quality import Quality, flagged
from pipeline.step import find_step
from pipeline.testing import run_recipe, run_step
from tests.pipeline.instruments.aso_s_lst import simulated as lst


@lru_cache(maxsize=4)
def level_25(config: SimulationConfig) -> Frame:
    (half,) = run_recipe("aso_s_lst-l15", [lst.level_1(config).made], references=lst.references(config))
    recipe = "aso_s_lst-l25-msb" if config.telescope == "SCIWL" else "aso_s_lst-l25"
    (ran,) = run_recipe(recipe, [half.made], references=lst.references(config))
    return ran.made


def test_level_2_of_the_quiet_disk_is_its_radiance() -> None:
    (ran,) = run_recipe("aso_s_lst-l2", [lst.level_1(lst.SDI).made], references=lst.references(lst.SDI))
    truth = lst.image(lst.SDI)
    inside = truth.blurred > 0.3 * np.median(truth.blurred[200:300, 200:300])
    ratio = ran.made.data[inside] / truth.blurred[inside]
    # 80 000 erg s-1 cm-2 sr-1 is what the simulator takes for a scene's 1.
    assert np.nanmedian(ratio) == pytest.approx(8.0e4 / (2e3 * 2.0 / 0.5), rel=2e-3)
    assert ran.made.header["BUNIT"] == "erg s-1 cm-2 sr-1"


def test_a_recipe_of_radiance_refuses_the_coronagraph_that_is_in_solar_brightness() -> None:
    step = find_step("aso_s_lst", "radiometric_calibration")
    given = {one.name: one for one in lst.references(lst.SCIWL)}
    with pytest.raises(BadInput, match="cannot be calibrated in this unit"):
        step.function(lst.level_1(lst.SCIWL).made, step.params_model(), given)


def test_level_1_2_is_sharper_and_has_its_abnormal_pixels_corrected() -> None:
    given = lst.level_1(lst.WST).made
    (ran,) = run_recipe("aso_s_lst-l12", [given], references=lst.references(lst.WST))
    truth = lst.image(lst.WST)
    inside = np.s_[120:390, 120:390]
    wrong = flagged(given.quality, Quality.HOT | Quality.DEAD | Quality.COSMIC_RAY)[inside]
    before = (given.data - truth.truth)[inside][~wrong]
    after = (ran.made.data - truth.truth)[inside]
    assert np.std(after[~wrong]) < 0.95 * np.std(before)
    assert flagged(ran.made.quality, Quality.INTERPOLATED)[inside][wrong].all()
    assert np.abs(after[wrong]).max() < 0.5 * np.median(truth.truth[inside])
    assert ran.made.uncertainty is not None
    assert ran.made.header["PSFFILE"].startswith("sim_lst_wst_psf_")
    assert (ran.made.header["PSFCORE"], ran.made.header["PSFWING"]) == ("laboratory", "laboratory")


@pytest.mark.parametrize(("eclipse", "recognised"), [(0.0, False), (0.85, True), (1.0, True)])
def test_lyman_alpha_that_looks_like_visible_light_is_recognised(eclipse: float, recognised: bool) -> None:
    made = observed(lst.SDI.model_copy(update={"eclipse": eclipse}))
    frame = run_step("judge_disk", Frame.of(made.data, made.header, made.filename), instrument="aso_s_lst")
    assert frame.header["EARTHECL"] is recognised
    assert flagged(frame.quality, Quality.LOW_CONFIDENCE).all() == recognised
    assert any("Earth's eclipse" in one for one in frame.caveats) == recognised


@pytest.mark.parametrize("config", [lst.SDI, lst.WST], ids=["SDI", "WST"])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_image_without_a_disk_is_not_judged_and_that_is_said(
    config: SimulationConfig, value: float
) -> None:
    made = observed(config)
    frame = Frame.of(np.full_like(made.data, value), made.header, made.filename)
    frame.data[:2] = 1.0
    judged = run_step("judge_disk", frame, instrument="aso_s_lst")
    assert "STRIPED" not in judged.header
    assert any("no disk is seen where the header has it" in one for one in judged.caveats)


def test_stripes_are_found_where_they_are_and_only_there() -> None:
    clean = observed(lst.WST)
    striped = observed(lst.WST.model_copy(update={"stripes": 0.01}))
    weak = observed(lst.SDI.model_copy(update={"stripes": 0.04}))
    assert stripes_of(clean.data, clean.disk).clearness < 3.0
    assert stripes_of(observed(lst.SDI).data, clean.disk).clearness < 3.0
    found = stripes_of(striped.data, striped.disk)
    assert found.clearness > 20
    assert found.amplitude == pytest.approx(0.01, rel=0.1)
    assert found.period == pytest.approx(9.25, rel=0.05)
    assert stripes_of(weak.data, weak.disk).clearness > 3.2
    assert light_of(clean.data, clean.disk).limb < 0.6


def test_quick_looks_show_the_whole_field_and_the_composite_both_telescopes() -> None:
    both = []
    for config in (lst.SDI, lst.SCIUV):
        whole = level_25(config)
        (ran,) = run_recipe("aso_s_lst-q1", [whole], settings={"quick_look.size": 200})
        small = ran.made
        assert small.data.shape == (200, 200)
        span = whole.header["CDELT1"] * 512
        assert small.header["CDELT1"] * 200 == pytest.approx(span)
        assert small.header["CRPIX1"] == pytest.approx(100.5)
        both.append(small)
    (composite,) = run_recipe("aso_s_lst-composite", both)
    picture = composite.made.data
    assert 0 <= np.nanmin(picture) < np.nanmax(picture) <= 1
    assert np.nanstd(picture[90:110, 90:110]) > 0.02
    assert np.isfinite(picture[100, 30:60]).all()


def test_outside_the_field_nothing_is_lost_full_or_hit_once_an_image_is_registered() -> None:
    for config in (lst.SCIUV, lst.SCIWL):
        quality = level_25(config).quality
        outside = flagged(quality, Quality.OUTSIDE_FIELD)
        assert outside.mean() > 0.2
        assert not flagged(quality, Quality.MISSING | Quality.SATURATED | Quality.COSMIC_RAY)[outside].any()


def test_a_triplet_gives_brightness_and_degree_of_polarisation() -> None:
    images = []
    for number, angle in enumerate((-60.0, 0.0, 60.0)):
        config = lst.SCIWL.model_copy(
            update={"polariser": angle, "number": number, "roll": 0.0, "offset": (0.0, 0.0), "noise": False}
        )
        made = observed(config, psf=physical_psf(Pupil(blur=0.0)))
        frame = Frame.of(made.data, made.header, made.filename)
        (ran,) = run_recipe("aso_s_lst-l2-msb", [frame], references=lst.references(lst.SCIWL))
        images.append(ran.made)
    (ran,) = run_recipe("aso_s_lst-pb", images)
    light = corona(*places(config), front=config.front)
    distance = np.hypot(*places(config))
    ring = (distance > 1.25) & (distance < 2.3)
    total, degree = ran.outputs["total"].data, ran.outputs["degree"].data
    wanted = np.hypot(light.q, light.u) / light.total
    assert np.median(np.abs(total / light.total - 1.0)[ring]) < 0.03
    assert np.median(np.abs(degree - wanted)[ring]) < 0.01
    assert np.median(np.abs(ran.made.data / np.hypot(light.q, light.u) - 1.0)[ring]) < 0.05


def test_noise_does_not_make_faint_corona_polarised() -> None:
    images = []
    for number, angle in enumerate((-60.0, 0.0, 60.0)):
        config = lst.SCIWL.model_copy(
            update={"polariser": angle, "number": number, "offset": (0.0, 0.0), "front": None}
        )
        made = observed(config, psf=physical_psf(Pupil(blur=0.0)))
        header = made.header.copy()
        header["XPOSURE"] = made.header["EXPTIME"]
        frame = Frame.of(made.data, header, made.filename)
        upright = run_step("register_disk", frame, instrument="aso_s_lst")
        (ran,) = run_recipe("aso_s_lst-l2-msb", [upright], references=lst.references(lst.SCIWL))
        images.append(ran.made)
    (ran,) = run_recipe("aso_s_lst-pb", images)
    config = config.model_copy(update={"roll": 0.0})
    light, distance = corona(*places(config)), np.hypot(*places(config))
    faint = (distance > 1.9) & (distance < 2.3)
    truth = np.hypot(light.q, light.u)[faint].mean()
    assert ran.made.data[faint].mean() == pytest.approx(truth, rel=0.05)
    assert np.hypot(light.q, light.u)[faint].mean() / light.total[faint].mean() == pytest.approx(
        np.nanmean(ran.made.data[faint]) / np.nanmean(ran.outputs["total"].data[faint]), rel=0.05
    )
    # What is taken otherwise.
    three = [one.data[faint] for one in images]
    assert stokes(*three).polarised.mean() > 1.5 * truth
    assert ran.made.header["POLALONG"] is True
    assert abs((ran.made.header["POLZERO"] - lst.SCIWL.roll + 90.0) % 180.0 - 90.0) < 0.5
    assert (ran.made.header["EXPTIME"], ran.made.header.get("XPOSURE", 15.0)) == (15.0, 15.0)
    assert ran.outputs["degree"].header["BTYPE"] == "phys.polarization.linear;em.opt.R"


def test_a_sequence_without_one_of_its_angles_is_none() -> None:
    made = observed(lst.SCIWL.model_copy(update={"polariser": 0.0}))
    made.header["BUNIT"] = "MSB"
    frame = Frame.of(made.data, made.header, made.filename)
    step = find_step("aso_s_lst", "polarised_brightness")
    with pytest.raises(BadInput, match="one image each at -60, 0 and 60"):
        step.function([frame] * 3, step.params_model(), {})


@pytest.mark.parametrize(
    ("dates", "factors"),
    [([], []), ([2.0, 1.0], [1.0, 1.0]), ([1.0, 2.0], [1.0, np.nan]), ([1.0, 2.0], [1.0, np.inf])],
)
def test_a_response_that_is_none_is_refused(tmp_path: Path, dates: list[float], factors: list[float]) -> None:
    columns = [fits.Column("MJD", "D", array=dates), fits.Column("FACTOR", "D", array=factors)]
    table = fits.BinTableHDU.from_columns(columns, name="RESPONSE")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "response.fits")
    with pytest.raises(BadInput, match="dates have to rise"):
        read_response(str(tmp_path / "response.fits"))

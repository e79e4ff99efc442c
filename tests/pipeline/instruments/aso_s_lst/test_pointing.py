"""Level 1.5: the Sun in the middle and north up, whatever the header said."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import Pupil, SimulationConfig, observed, physical_psf
from pipeline.testing import run_recipe, run_step
from tests.pipeline.instruments.aso_s_lst import simulated as lst

F32 = NDArray[np.float32]


def moved(base: SimulationConfig, number: int, roll: float, hours: float = 0.0) -> SimulationConfig:
    return base.model_copy(
        update={
            "roll": roll,
            "header_roll": roll + 1.3,
            "jitter": 1.5,
            "number": number,
            "start": base.start + timedelta(hours=hours),
        }
    )


def aligned(config: SimulationConfig, base: SimulationConfig, psf: F32 | None = None) -> Frame:
    made = observed(config, psf=psf)
    frame = Frame.of(made.data, made.header, made.filename)
    found = run_step("sun_centre", frame, instrument="aso_s_lst")
    return run_step(
        "align_to_reference",
        found,
        instrument="aso_s_lst",
        references=[one for one in lst.references(base) if one.name == "alignment"],
    )


@pytest.mark.parametrize("base", [lst.SDI, lst.WST], ids=["SDI", "WST"])
@pytest.mark.parametrize(("number", "roll", "hours"), [(1, -17.2, 0.0), (2, 181.2, 6.0)])
def test_centre_and_roll_are_found_whatever_the_header_says(
    base: SimulationConfig, number: int, roll: float, hours: float
) -> None:
    config = moved(base, number, roll, hours)
    header = aligned(config, base).header
    away = np.hypot(header["CRPIX1"] - 1 - config.disk.x, header["CRPIX2"] - 1 - config.disk.y)
    assert away < 0.07
    # A tenth of a pixel at the limb.
    assert abs(np.remainder(header["CROTA2"] - roll + 180, 360) - 180) < 0.03
    assert abs(np.remainder(header["CROTAOLD"] - roll - 1.3 + 180, 360) - 180) < 1e-3


def test_motion_between_frames_is_followed_to_a_twentieth_of_a_pixel() -> None:
    found = []
    for number in (4, 5, 6):
        config = moved(lst.SDI, number, 3.7)
        made = observed(config)
        frame = Frame.of(made.data, made.header, made.filename)
        header = run_step("sun_centre", frame, instrument="aso_s_lst").header
        found.append((header["CRPIX1"] - 1 - config.disk.x, header["CRPIX2"] - 1 - config.disk.y))
    assert np.std(found, axis=0).max() < 0.05


def test_a_corona_gets_centre_and_roll_from_its_reference() -> None:
    quiet = lst.SCIWL.model_copy(update={"front": None})
    config = moved(quiet, 1, -17.2)
    made = aligned(config, quiet, psf=physical_psf(Pupil(aberration=0.0)))
    away = np.hypot(made.header["CRPIX1"] - 1 - config.disk.x, made.header["CRPIX2"] - 1 - config.disk.y)
    assert away < 0.25
    assert abs(made.header["CROTA2"] + 17.2) < 0.2
    assert any("CROTA2 of the header was off" in one for one in made.caveats)


@pytest.mark.parametrize("angle", [-60.0, 0.0, 60.0])
def test_a_polariser_does_not_turn_the_corona(angle: float) -> None:
    quiet = lst.SCIWL.model_copy(update={"front": None})
    config = moved(quiet, 2, 3.7).model_copy(update={"polariser": angle})
    made = aligned(config, quiet, psf=physical_psf(Pupil(aberration=0.0)))
    assert abs(made.header["CROTA2"] - 3.7) < 0.2


def test_level_1_5_has_the_sun_in_the_middle_and_what_was_where_on_it() -> None:
    given = lst.level_1(lst.WST).made
    (ran,) = run_recipe("aso_s_lst-l15", [given], references=lst.references(lst.WST))
    upright = observed(
        lst.WST.model_copy(update={"roll": 0.0, "offset": (0.0, 0.0), "noise": False}),
        psf=lst.image(lst.WST).psf,
    )
    inside = np.s_[100:412, 100:412]
    wrong = ran.made.data[inside] / upright.blurred[inside] - 1.0
    assert ran.made.header["CRPIX1"] == pytest.approx(256.5)
    assert 1.4826 * np.nanmedian(np.abs(wrong)) < 0.02


def test_without_a_reference_frame_the_roll_is_the_headers_and_that_is_said() -> None:
    given = lst.level_1(lst.WST).made
    (ran,) = run_recipe("aso_s_lst-l15", [given])
    assert ran.made.header["CRPIX1"] == pytest.approx(256.5)
    assert any("CROTA2 is inherited and was not checked" in one for one in ran.outcome.caveats)


def test_a_roll_that_no_header_tells_is_called_a_guess() -> None:
    given = lst.level_1(lst.WST).made
    header = given.header.copy()
    del header["CROTA2"]
    (ran,) = run_recipe("aso_s_lst-l15", [given.replace(header=header)])
    assert any("has no CROTA2: north is taken to be up" in one for one in ran.outcome.caveats)
    assert not any("inherited" in one for one in ran.outcome.caveats)


def test_a_reference_of_another_week_is_refused() -> None:
    with pytest.raises(BadInput, match="of another time") as caught:
        aligned(moved(lst.WST, 7, 3.0, hours=24 * 8), lst.WST)
    assert caught.value.keyword == "DATE-OBS"
    assert caught.value.found == "8.000 days apart, at most 2 are taken"


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_corona_without_structure_is_put_aside_in_words(value: float) -> None:
    made = observed(lst.SCIUV)
    frame = Frame.of(np.full_like(made.data, value), made.header, made.filename)
    references = [one for one in lst.references(lst.SCIUV) if one.name == "alignment"]
    with pytest.raises(BadInput, match="does not match its reference"):
        run_step(
            "align_to_reference",
            frame,
            instrument="aso_s_lst",
            references=references,
        )

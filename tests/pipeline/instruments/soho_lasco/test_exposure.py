"""Bias and exposure: from the day's file, else from the formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.instruments.soho_lasco import expfactor, tables
from pipeline.instruments.soho_lasco.expfactor import Correction
from pipeline.step import ReferenceFile
from pipeline.testing import assert_provenance
from tests.pipeline.instruments.soho_lasco.frames import in_unit, raw, run_step, text_file

#: The line of 22299383.fts, whose level 1 prints these numbers (factor, Nreg, Sig, Bias).
LINE = Correction("22299383.fts", 1.00108, 618.5, 54890, 376.02, 10, 0.00114)


def day_file(folder: Path, *lines: Correction, note: str = "") -> ReferenceFile:
    text = expfactor.written([(line, "Orange", "Clear") for line in lines], note)
    return text_file(folder, "expfactor", "c2_expfactor_090228.dat", text)


def test_the_published_exposure_and_bias_come_back(tmp_path: Path) -> None:
    given = day_file(tmp_path, LINE)
    dark = run_step("subtract_bias", in_unit(raw(718.5), "DN"), given)
    np.testing.assert_allclose(dark.data, 100.0)
    rate = run_step("correct_exposure", dark, given)
    # EXPTIME of the mission's level-1 file.
    assert rate.header["EXPTIME"] == pytest.approx(25.1262079357, rel=1e-6)
    np.testing.assert_allclose(rate.data, 100.0 / 25.1262079357, rtol=1e-6)
    assert rate.header["BUNIT"] == "DN/s"
    history = list(map(str, rate.header["HISTORY"]))
    assert " subtract_bias: 618.500 from c2_expfactor_090228.dat" in history
    assert " correct_exposure: 1.00108, Nreg=10, Sig=0.00114000" in history
    assert_provenance(rate, "BIAS-CORRECTION", "CALIBRATION")


def test_columns_may_lie_as_the_documented_format_or_as_copies_have_them(tmp_path: Path) -> None:
    documented = expfactor.written([(LINE, "Orange", "+60 Deg")]).rstrip()
    assert documented[:12] == "22299383.fts"
    assert documented[12:22] == "  1.001080"
    assert documented[22:32] == "     618.5"
    assert documented[34:40] == "090228"
    shifted = documented[:42] + "  " + documented[42:]
    for text in (documented, shifted):
        path = tmp_path / "a.dat"
        path.write_text(text)
        assert expfactor.read_corrections(str(path)).lines == (LINE,)


def test_an_exposure_is_known_by_its_middle_to_a_tenth_of_a_second(tmp_path: Path) -> None:
    path = day_file(tmp_path, LINE).path
    found = expfactor.read_corrections(path)
    assert found.of(54890, 376.024) == LINE
    assert found.of(54890, 376.13) is None
    assert found.of(54891, 376.024) is None


def test_of_two_lines_for_one_time_the_later_counts(tmp_path: Path) -> None:
    later = Correction("22299384.fts", 1.5, 600.0, 54890, 376.02, 10, 0.1)
    found = expfactor.read_corrections(day_file(tmp_path, LINE, later).path)
    assert found.lines == (later,)


@pytest.mark.parametrize("regions", [0, 97])
def test_a_line_may_say_that_no_factor_was_found(tmp_path: Path, regions: int) -> None:
    line = Correction("22299383.fts", 1.0, 618.5, 54890, 376.02, regions, 0.0)
    made = run_step("correct_exposure", in_unit(raw(), "DN"), day_file(tmp_path, line))
    assert made.header["EXPTIME"] == 25.0991
    assert " WARNING: No exposure correction found." in map(str, made.header["HISTORY"])
    assert any("says that none was found" in caveat for caveat in made.caveats)


def test_without_a_file_the_formula_gives_the_bias_and_the_exposure_stays() -> None:
    value = tables.bias("C2", "C", 54890)
    assert value is not None
    dark = run_step("subtract_bias", in_unit(raw(1000.0), "DN"))
    np.testing.assert_allclose(dark.data, 1000.0 - value, rtol=1e-6)
    rate = run_step("correct_exposure", dark)
    assert rate.header["EXPTIME"] == 25.0991
    assert "NO-EXPOSURE-CORRECTION" in rate.header["PRMODE2"]


def test_the_bias_of_numbers_added_on_board_is_there_as_often_and_of_charge_added_on_the_chip_once() -> None:
    value = tables.bias("C2", "C", 54890)
    assert value is not None
    added = run_step("subtract_bias", in_unit(raw(5000.0, LEBXSUM=2, LEBYSUM=2), "DN"))
    np.testing.assert_allclose(added.data, 5000.0 - 4 * value, rtol=1e-6)
    together = run_step("subtract_bias", in_unit(raw(5000.0, SUMCOL=2, SUMROW=2), "DN"))
    np.testing.assert_allclose(together.data, 5000.0 - value, rtol=1e-6)


def test_the_real_summed_images_of_2000_have_the_published_bias() -> None:
    cards: dict[str, str] = {"DATE-OBS": "2000/09/03"}
    frame = raw(5000.0, MID_DATE=51790, LEBXSUM=2, LEBYSUM=2, **cards)
    dark = run_step("subtract_bias", in_unit(frame, "DN"))
    assert 5000.0 - dark.data[0, 0] == pytest.approx(2315.58, abs=0.01)


def test_the_other_ports_have_their_own_bias_and_no_other_has_any() -> None:
    made = run_step("subtract_bias", in_unit(raw(1000.0, READPORT="A"), "DN"))
    np.testing.assert_allclose(made.data, 1000.0 - 364.0)
    with pytest.raises(BadInput, match="read-out port") as refusal:
        run_step("subtract_bias", in_unit(raw(READPORT="E"), "DN"))
    assert refusal.value.keyword == "READPORT"


def test_what_was_computed_of_polarised_images_holds_no_bias() -> None:
    frame = in_unit(raw(1000.0, POLAR="PB"), "DN")
    np.testing.assert_array_equal(run_step("subtract_bias", frame).data, 1000.0)


def test_an_image_of_no_exposure_is_refused() -> None:
    with pytest.raises(BadInput, match="not positive"):
        run_step("correct_exposure", in_unit(raw(EXPTIME=0.0), "DN"))


def test_a_page_in_place_of_the_day_s_file_is_refused(tmp_path: Path) -> None:
    page = text_file(tmp_path, "expfactor", "c2_expfactor_090228.dat", "<!DOCTYPE HTML>\n<html></html>\n")
    with pytest.raises(BadInput, match="no line of an exposure correction"):
        run_step("subtract_bias", in_unit(raw(), "DN"), page)


def test_a_simulated_file_is_said_in_the_product(tmp_path: Path) -> None:
    given = day_file(tmp_path, LINE, note="SIMULATED by Heliolake")
    made = run_step("correct_exposure", in_unit(raw(), "DN"), given)
    assert made.header["SIMCAL"] is True
    assert made.header["SIMCALS"] == "expfactor"
    assert any("expfactor was simulated" in caveat for caveat in made.caveats)


@pytest.mark.parametrize(
    ("day", "seconds"), [(99999999, 376.024), (54895, 376.024), (54890, 1e308), (54890, -5.0)]
)
@pytest.mark.parametrize("step", ["subtract_bias", "sun_centre"])
def test_a_middle_that_is_not_of_the_exposures_day_calibrates_nothing(
    step: str, day: int, seconds: float
) -> None:
    # The formula's polynomial would run away: 7e11 DN at that day.
    frame = in_unit(raw(718.5, MID_DATE=day, MID_TIME=seconds), "DN")
    with pytest.raises(BadInput, match="not on the day of its beginning") as caught:
        run_step(step, frame)
    assert caught.value.keyword == "MID_DATE, MID_TIME"


def test_without_a_middle_the_beginning_stands_for_it() -> None:
    frame = in_unit(raw(718.5, MID_DATE=0), "DN")
    bias = tables.bias("C2", "C", 54890)
    assert bias is not None
    np.testing.assert_allclose(run_step("subtract_bias", frame).data, 718.5 - bias, rtol=1e-5)


@pytest.mark.parametrize("summing", [(0, -5), (1, 1), (4, 4), (2, 1)])
def test_summing_that_the_window_contradicts_is_refused(summing: tuple[int, int]) -> None:
    # 128 pixels of a window of 256: each is of 2 by 2, and its bias four times one's.
    right = raw(3000.0, LEBXSUM=2, LEBYSUM=2)
    assert run_step("subtract_bias", in_unit(right, "DN")).data.max() < 3000.0 - 4 * 600.0
    for name, wrong in zip(("LEBXSUM", "LEBYSUM"), summing, strict=True):
        right.header[name] = wrong
    with pytest.raises(BadInput, match="does not lie on") as caught:
        run_step("subtract_bias", in_unit(right, "DN"))
    assert "R2COL" in str(caught.value.keyword)
    assert "256 × 256" in str(caught.value.found)

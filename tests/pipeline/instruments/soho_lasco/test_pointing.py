"""Clock, Sun's centre, roll, and the turn that puts north up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import centres
from pipeline.instruments.soho_lasco.simulate.saved import write_saved
from pipeline.step import ReferenceFile
from pipeline.testing import reference
from tests.pipeline.instruments.soho_lasco.frames import C3, in_unit, raw, run_step, text_file

pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")

BEGIN = datetime(2009, 2, 28, 0, 6, 3, 474000, tzinfo=UTC)


def sun_table(folder: Path, *rows: tuple[float, float, float, float]) -> ReferenceFile:
    """A table of (seconds from the exposure's beginning, x, y, roll)."""
    tai, x, y, roll = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    path = folder / "c2_post_recovery_adj_xyr_medv2.sav"
    columns = {"c_tai": tai + centres.tai_of(BEGIN), "c_xmed": x, "c_ymed": y, "c_rmed": roll}
    write_saved(path, columns)
    return reference("sun_table", path)


def last_day(folder: Path, text: str) -> ReferenceFile:
    path = folder / "c2_c3_last_post_recovery_day.sav"
    write_saved(path, {"last_day": text})
    return reference("last_day", path)


def placed(frame: Frame, *references: ReferenceFile, **params: Any) -> Frame:
    """A frame through both steps."""
    return run_step("rectify", run_step("sun_centre", in_unit(frame, "MSB"), *references), **params)


def test_times_of_the_tables_are_ahead_of_tai_and_come_back() -> None:
    # TAI - UTC was 34 s in 2009 and 32 s in 2005; 51 years with 13 leap days since 1958.
    assert centres.tai_of(datetime(2009, 1, 1, tzinfo=UTC)) == 18628 * 86400 + 34 + 32.184
    assert centres.tai_of(datetime(2005, 12, 31, tzinfo=UTC)) == 17531 * 86400 + 32 + 32.184
    assert abs((centres.moment_of(centres.tai_of(BEGIN)) - BEGIN).total_seconds()) < 1e-5


def test_centre_and_roll_lie_on_the_line_between_the_table_s_times(tmp_path: Path) -> None:
    table = sun_table(tmp_path, (-100, 510.0, 500.0, 0.4), (300, 514.0, 508.0, 0.8))
    made = placed(raw(), table, last_day(tmp_path, "2012/10/07"))
    # A quarter of the way; pixels of FITS count from 1.
    assert (made.header["CRPIX1"], made.header["CRPIX2"]) == pytest.approx((512.0, 503.0), abs=1e-6)
    assert made.header["CROTA"] == made.header["CROTA1"] == made.header["CROTA2"] == pytest.approx(0.5)
    assert "Final" in made.header.comments["CRPIX1"]
    assert made.header["XCEN"] == pytest.approx(11.9 * (64.5 - 512.0), abs=1e-3)
    history = " ".join(map(str, made.header["HISTORY"]))
    assert "last_day=2012-10-07" in history
    assert " No roll correction applied." in map(str, made.header["HISTORY"])


@pytest.mark.parametrize(("seconds", "x"), [((50, 100), 510.0), ((-100, -50), 514.0)])
def test_beyond_its_ends_the_table_is_clamped(tmp_path: Path, seconds: tuple[int, int], x: float) -> None:
    table = sun_table(tmp_path, (seconds[0], 510.0, 500.0, 0.4), (seconds[1], 514.0, 508.0, 0.8))
    made = placed(raw(), table, last_day(tmp_path, "2012/10/07"))
    assert made.header["CRPIX1"] == pytest.approx(x + 1)


def test_behind_the_last_day_the_medians_are_taken_with_the_mission_s_warning(tmp_path: Path) -> None:
    table = sun_table(
        tmp_path, (-300, 510.0, 500.0, 0.4), (-200, 511.0, 501.0, 0.5), (-100, 519.0, 509.0, 179.0)
    )
    made = placed(raw(), table, last_day(tmp_path, "2009/02/27"))
    assert (made.header["CRPIX1"], made.header["CRPIX2"]) == (512.0, 502.0)
    assert made.header["CROTA"] == pytest.approx(0.45)
    assert made.header.comments["CROTA"] == "WARNING: Interim value"
    assert "WARNING: Interim value" in made.header.comments["CRPIX1"]
    assert any("interim values" in caveat for caveat in made.caveats)


@pytest.mark.parametrize(
    ("cards", "wanted"), [({}, (511.2, 507.5, 0.5)), (C3, (519.2, 533.5, -0.23))], ids=["C2", "C3"]
)
def test_without_a_table_the_mission_s_medians_are_taken(
    cards: dict[str, Any], wanted: tuple[float, float, float]
) -> None:
    header = placed(raw(**cards)).header
    assert (header["CRPIX1"], header["CRPIX2"], header["CROTA"]) == pytest.approx(wanted)
    assert header.comments["CROTA"] == "WARNING: Interim value"


def test_the_clock_s_error_is_taken_off_all_times(tmp_path: Path) -> None:
    errors = text_file(
        tmp_path,
        "clock_errors",
        "c2_time_offsets.dat",
        "time offsets\nmjd time xpos moved offset\n54889 0 0 0 20.0\n54891 0 0 0 40.0\n",
    )
    header = placed(raw(), errors, last_day(tmp_path, "2012/10/07")).header
    # 1.0042 of two days: 30.042 s.
    assert header["DATE-OBS"] == "2009-02-28T00:05:33.432"
    assert header["DATE_OBS"] == header["DATE-OBS"]
    assert header["TIME-OBS"] == ""
    assert (header["MID_DATE"], header["MID_TIME"]) == (54890, pytest.approx(376.024 - 30.042, abs=2e-3))
    assert "2009/02/28 00:06:03.474" in " ".join(map(str, header["HISTORY"]))


def test_a_time_that_falls_back_over_midnight_changes_the_day_of_the_middle(tmp_path: Path) -> None:
    errors = text_file(tmp_path, "clock_errors", "c2_time_offsets.dat", "54889 0 0 0 400\n54891 0 0 0 400\n")
    header = placed(raw(), errors, last_day(tmp_path, "2012/10/07")).header
    assert header["DATE-OBS"].startswith("2009-02-27T23:59:23")
    assert (header["MID_DATE"], header["MID_TIME"]) == (54889, pytest.approx(86400 - 23.976, abs=2e-3))


def test_behind_the_last_day_times_stay_and_say_so(tmp_path: Path) -> None:
    errors = text_file(tmp_path, "clock_errors", "c2_time_offsets.dat", "54889 0 0 0 20\n54891 0 0 0 20\n")
    made = placed(raw(), errors, last_day(tmp_path, "2009/02/01"))
    assert made.header["DATE-OBS"] == "2009-02-28T00:06:03.474"
    assert "uncorrected" in made.header.comments["DATE-OBS"]
    assert any("not corrected" in caveat for caveat in made.caveats)


@pytest.mark.parametrize(
    ("summing", "window", "wanted"),
    [
        ({}, {"R1COL": 120, "R1ROW": 201}, (510.2 - 100 + 1, 506.5 - 200 + 1)),
        ({"LEBXSUM": 2, "LEBYSUM": 2}, {}, (510.2 / 2 + 1, 506.5 / 2 + 1)),
        ({"SUMCOL": 2, "SUMROW": 2}, {"R1COL": 120}, ((510.2 - 100) / 2 + 1, 506.5 / 2 + 1)),
    ],
)
def test_coordinates_of_parts_and_of_summed_images(
    summing: dict[str, int], window: dict[str, int], wanted: tuple[float, float]
) -> None:
    header = placed(raw(**summing, **window)).header
    assert (header["CRPIX1"], header["CRPIX2"]) == pytest.approx(wanted)
    assert header["CDELT1"] == 11.9 * (2 if summing else 1)
    assert (header["CTYPE1"], header["CTYPE2"]) == ("HPLN-TAN", "HPLT-TAN")


def spot(shape: tuple[int, int], x: int, y: int) -> np.ndarray:
    image = np.full(shape, 1.0, np.float32)
    image[y - 1 : y + 2, x - 1 : x + 2] = 100.0
    return image


@pytest.mark.parametrize("roll", [179.9, -173.55, 180.5])
def test_a_star_stays_where_it_is_on_the_sky_when_the_image_is_turned_upside_down(roll: float) -> None:
    image = spot((1024, 1024), 300, 700)
    made = placed(raw(image, (1024, 1024), CROTA1=roll), least_roll=1.0)
    assert made.header["RECTIFY"] == 180.0
    y, x = np.unravel_index(int(np.argmax(made.data)), made.data.shape)
    assert abs(x - (1023 - 300)) <= 1
    assert abs(y - (1023 - 700)) <= 1
    # Without a table the Sun is where it always is on the CCD, and upside down in the image as taken.
    assert made.header["CRPIX1"] == pytest.approx(1023 - 510.2 + 1)
    assert " Image rotated 180 degrees." in map(str, made.header["HISTORY"])


def test_a_part_of_the_ccd_that_is_turned_lies_at_the_other_end(tmp_path: Path) -> None:
    frame = raw(spot((128, 128), 30, 70), R1COL=120, R1ROW=201, CROTA1=180.0)
    header = placed(frame).header
    assert (header["R1COL"], header["R2COL"]) == (20 + 1024 - 100 - 128, 20 + 1024 - 100 - 1)
    assert header["CRPIX1"] == pytest.approx(1023 - 510.2 - (1024 - 100 - 128) + 1)


@pytest.mark.parametrize("roll", [10.0, -25.0, 3.0])
def test_a_roll_is_turned_away_about_the_sun(tmp_path: Path, roll: float) -> None:
    table = sun_table(tmp_path, (-10, 520.0, 490.0, roll), (10, 520.0, 490.0, roll))
    frame = raw(spot((1024, 1024), 620, 560), (1024, 1024))
    given = table, last_day(tmp_path, "2012/10/07")
    left = placed(frame, *given, least_roll=90.0)
    turned = placed(frame, *given)
    assert left.header["CROTA"] == pytest.approx(roll)
    assert turned.header["CROTA"] == turned.header["CROTA2"] == 0.0
    assert turned.header["RECTIFY"] == pytest.approx(roll)
    before, behind = (np.unravel_index(int(np.nanargmax(one.data)), one.data.shape) for one in (left, turned))
    # The same star has the same coordinates, by WCS's own sign of CROTA.
    there = WCS(left.header).all_pix2world([[before[1], before[0]]], 0)
    here = WCS(turned.header).all_pix2world([[behind[1], behind[0]]], 0)
    apart = (there - here + 180.0) % 360.0 - 180.0
    assert np.abs(apart).max() * 3600 < 1.5 * 11.9
    assert np.hypot(behind[0] - before[0], behind[1] - before[1]) > 4


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    write_saved(tmp_path / "a.sav", {"c_tai": np.zeros(3)})
    with pytest.raises(BadInput, match="c_xmed"):
        run_step("sun_centre", in_unit(raw(), "MSB"), reference("sun_table", tmp_path / "a.sav"))
    (tmp_path / "b.sav").write_bytes(b"no session at all")
    with pytest.raises(BadInput, match="no saved IDL session"):
        run_step("sun_centre", in_unit(raw(), "MSB"), reference("sun_table", tmp_path / "b.sav"))

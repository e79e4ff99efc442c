"""Constants against the numbers that the mission's own products and programs print."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from astropy.io import fits

from pipeline.instruments.soho_lasco import ephemeris, tables


def test_the_bias_is_that_of_the_published_anchors() -> None:
    assert tables.bias("C2", "C", 54890) == pytest.approx(618.656, abs=5e-4)
    assert tables.bias("C2", "C", 51790) == pytest.approx(578.895, abs=5e-4)
    assert tables.bias("C3", "C", 56425) == pytest.approx(406.310, abs=5e-4)


def test_the_calibration_factors_are_those_of_the_published_anchors() -> None:
    assert f"{tables.calibration_factor('C2', 'ORANGE', 'CLEAR', 54890):.5e}" == "6.26831e-12"
    assert f"{tables.calibration_factor('C3', 'CLEAR', 'CLEAR', 56425):.5e}" == "6.43738e-13"


def test_a_real_level_1_header_says_the_same_bias_factor_and_radius(real_data: Path) -> None:
    header = fits.getheader(real_data / "lasco" / "lasco_c2_25299383_s.fts")
    history = " ".join(str(line) for line in header["HISTORY"]).replace("\n", "")
    said = re.search(r"Bias \(([\d.]+)\)", history)
    factor = re.search(r"c2_calfactor\.pro [\d.]+, \S+: (\S+)", history)
    assert said is not None
    assert factor is not None
    # The day's file measures the bias, the formula follows its trend.
    assert tables.bias("C2", "C", header["MID_DATE"]) == pytest.approx(float(said[1]), abs=0.3)
    assert tables.calibration_factor("C2", "ORANGE", "CLEAR", 54890) == pytest.approx(
        float(factor[1]), rel=1e-6
    )
    assert ephemeris.sun(header["MID_DATE"]).radius == pytest.approx(header["RSUN"], rel=2e-8)


#: Where the mission's table itself jumps: the camera was off or set anew.
JUMPS = {"C2": (51058, 58571), "C3": (50072, 51058, 56170)}


@pytest.mark.parametrize("detector", ["C2", "C3"])
def test_the_pieces_of_the_bias_follow_each_other_without_further_jumps(detector: tables.Detector) -> None:
    pieces = tables.BIAS[detector]
    assert [one.until for one in pieces] == sorted(one.until for one in pieces)
    for piece in pieces[:-1]:
        before = tables.bias(detector, "C", int(piece.until) - 1)
        behind = tables.bias(detector, "C", int(piece.until))
        assert before is not None
        assert behind is not None
        assert (abs(before - behind) > 1.0) == (piece.until in JUMPS[detector]), piece.until


def test_the_distortion_is_that_of_the_published_table() -> None:
    wanted = {"C2": (0.460, 0.136, -3.51, -11.3), "C3": (-1.44, -2.58, 1.54, 14.4)}
    for detector, moved in wanted.items():
        found = [tables.displacement(detector, r) for r in (100, 300, 500, 700)]  # type: ignore[arg-type]
        assert found == pytest.approx(moved, abs=0.05)


@pytest.mark.parametrize(
    ("detector", "colour", "polariser", "times"),
    [
        ("C2", "ORANGE", "+60DEG", 1 / 0.25256),
        ("C2", "ORANGE", "0DEG", 1 / 0.25256),
        ("C3", "ORANGE", "0DEG", 0.9648 / 0.25256),
        ("C3", "BLUE", "-60DEG", 1.0613 / 0.25256),
        ("C3", "DEEPRD", "+60DEG", 1 / 0.25256),
        ("C2", "BLUE", "ND", 1.0),
    ],
)
def test_a_polariser_changes_the_factor_of_the_clear_position(
    detector: tables.Detector, colour: str, polariser: str, times: float
) -> None:
    clear = tables.calibration_factor(detector, colour, "CLEAR", 55000)
    found = tables.calibration_factor(detector, colour, polariser, 55000)
    assert clear is not None
    assert found == pytest.approx(clear * times)


def test_what_the_mission_gives_no_factor_has_none() -> None:
    assert tables.calibration_factor("C3", "CLEAR", "ND", 55000) is None
    assert tables.calibration_factor("C2", "CLEAR", "CLEAR", 55000) is None
    assert tables.calibration_factor("C2", "DEEPRD", "ND", 55000) is None
    assert tables.calibration_factor("C3", "CLEAR", "H_ALPHA", 55000) == pytest.approx(1.541e-10)


def test_the_disk_s_centre_is_seen_from_7_degrees_north_in_september_and_south_in_march() -> None:
    # The Astronomical Almanac: B0 is largest on September 8, smallest on March 6, and 0 on June 6.
    assert ephemeris.sun(51795).latitude == pytest.approx(7.25, abs=0.02)
    assert ephemeris.sun(51609).latitude == pytest.approx(-7.25, abs=0.02)
    assert ephemeris.sun(51701).latitude == pytest.approx(0.0, abs=0.15)
    assert math.isclose(ephemeris.sun(51546).distance / 1.495978707e11, 0.9833 * 0.99, rel_tol=2e-4)

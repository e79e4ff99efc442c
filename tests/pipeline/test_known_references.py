"""Calibration files that are known by name and content."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import BadInput
from pipeline.known_references import recognise_reference


def written(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_response_table_is_known_by_name_and_first_line(tmp_path: Path) -> None:
    header = "DATE T_START T_STOP VER_NUM WAVE_STR EFF_AREA EFFA_P1\n"
    known = recognise_reference(written(tmp_path, "aia_V10_20201119_190000_response_table.txt", header))
    assert known is not None
    assert (known.instrument, known.need, known.order) == ("sdo_aia", "degradation_table", 10)
    assert known.valid_from is None


def test_a_known_name_with_another_content_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "aia_V10_20201119_190000_response_table.txt", "<html>404</html>\n")
    with pytest.raises(BadInput) as caught:
        recognise_reference(path)
    assert caught.value.found == "<html>404</html>"
    assert "fetch it again" in caught.value.advice


def test_a_file_nobody_knows_is_none(tmp_path: Path) -> None:
    assert recognise_reference(written(tmp_path, "notes.txt")) is None


def test_a_star_fit_is_for_its_camera_and_its_day(tmp_path: Path) -> None:
    known = recognise_reference(written(tmp_path, "pnt_HI2B_2009-04-01_fix_mu_fov.fts"))
    assert known is not None
    assert known.selectors == {"detector": "2", "spacecraft": "b"}
    day = datetime(2009, 4, 1, tzinfo=UTC)
    assert (known.valid_from, known.valid_until) == (day, day.replace(day=2))


@pytest.mark.parametrize(("kind", "types"), [("raw", "n4"), ("sum", ["s4", "s7"])])
def test_flats_are_for_images_of_their_summing(tmp_path: Path, kind: str, types: object) -> None:
    known = recognise_reference(written(tmp_path, f"20061129_flatfld_{kind}_h1a.fts"))
    assert known is not None
    assert known.selectors == {"detector": "1", "spacecraft": "a", "type": types}


@pytest.mark.parametrize(
    ("name", "need", "selectors"),
    [
        ("c2_expfactor_090228.dat", "expfactor", {"detector": "c2"}),
        ("c3_expfactor_970818.dat", "expfactor", {"detector": "c3"}),
        ("c2vig_final.fts", "vignetting", {"detector": "c2"}),
        ("C3ramp.fts", "ramp", {"detector": "c3"}),
        ("3m_clcl_all.fts", "background", {"detector": "c3"}),
        ("c3_cl_mask_lvl1.fts", "mask", {"detector": "c3"}),
        ("c2nullblocks.txt", "null_blocks", {"detector": "c2"}),
        ("c2_post_recovery_adj_xyr_medv2.sav", "sun_table", {"detector": "c2"}),
        ("c2_c3_last_post_recovery_day.sav", "last_day", {}),
        ("c2_time_offsets.dat", "clock_errors", {}),
        ("occulter_center.dat", "optical_centre", {"detector": "c2"}),
        ("c3_occltr_cntr.dat", "optical_centre", {"detector": "c3"}),
    ],
)
def test_files_of_lasco_are_known_and_those_of_the_simulator_are_called_simulated(
    tmp_path: Path, name: str, need: str, selectors: object
) -> None:
    for given, simulated in ((name, False), (f"sim_{name}", True)):
        known = recognise_reference(written(tmp_path, given))
        assert known is not None
        assert (known.need, known.selectors, known.simulated) == (need, selectors, simulated)


def test_tables_of_lasco_are_for_the_time_before_or_behind_the_lost_months(tmp_path: Path) -> None:
    loss = datetime(1998, 7, 1, tzinfo=UTC)
    before = recognise_reference(written(tmp_path, "c2_pre_recovery_adj_xyr_medv2.sav"))
    behind = recognise_reference(written(tmp_path, "c2_post_recovery_adj_xyr_medv2.sav"))
    old = recognise_reference(written(tmp_path, "c3vig_preint_final.fts"))
    new = recognise_reference(written(tmp_path, "c3vig_postint_final.fts"))
    assert before is not None
    assert before.valid_until == loss
    assert behind is not None
    assert (behind.valid_from, behind.valid_until) == (loss, None)
    # MJD 51000, as c3_calibrate.pro has it.
    assert old is not None
    assert new is not None
    assert old.valid_until == new.valid_from == datetime(1998, 7, 6, tzinfo=UTC)
    day = recognise_reference(written(tmp_path, "c2_expfactor_090228.dat"))
    assert day is not None
    assert day.valid_from == datetime(2009, 2, 28, tzinfo=UTC)


def test_a_spikes_file_is_for_the_image_it_was_taken_out_of(tmp_path: Path) -> None:
    name = "aia.lev1_euv_12s.2019-01-01T000011Z.171"
    known = recognise_reference(written(tmp_path, f"{name}.spikes.fits"))
    assert known is not None
    assert f"{name}.image_lev1.fits" in known.selectors["FILENAME"]


def test_the_real_aia_tables_are_known(real_data: Path) -> None:
    found = [recognise_reference(path) for path in sorted((real_data / "calibration" / "aia").iterdir())]
    assert [one.need for one in found if one] == ["degradation_table", "error_table", "degradation_table"]

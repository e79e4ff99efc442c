"""The pointing update: all of it or nothing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import aiapy.calibrate
import numpy as np
import pytest
import sunpy.map
from astropy import units as u
from astropy.io import ascii as astropy_ascii
from astropy.io import fits
from astropy.table import QTable
from astropy.time import Time

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.steps.pointing import UpdatePointingParams, update_pointing
from tests.pipeline.instruments.sdo_aia.frames import frame, level1_header, real_cutout, small
from tests.pipeline.instruments.sdo_aia.references import pointing_table, reference

WCS_CARDS = ("CRPIX1", "CRPIX2", "CDELT1", "CDELT2", "CROTA2", "X0_MP", "Y0_MP")


def full(**cards: Any) -> Frame:
    """A frame of the full detector without the memory of one."""
    return frame(np.broadcast_to(np.float32(0), (4096, 4096)), level1_header((4096, 4096), **cards))


def updated(image: Frame, table: Any, on_gap: str = "refuse") -> Frame:
    return update_pointing(image, UpdatePointingParams.model_validate({"on_gap": on_gap}), table)


def aiapy_updated(image: Frame, path: str) -> Any:
    table = QTable(astropy_ascii.read(path))
    for name in ("T_START", "T_STOP"):
        table[name] = Time([text.rstrip("Z") for text in table[name]], scale="utc")
    for name in table.colnames:
        unit = {"X0": "pix", "Y0": "pix", "IMSCALE": "arcsec / pix", "INSTROT": "deg"}.get(
            name.split("_")[-1]
        )
        if unit and name.startswith("A_"):
            table[name].unit = u.Unit(unit)
    header = image.header.copy()
    header.update({"PC1_1": 1.0, "PC1_2": 0.0, "PC2_1": 0.0, "PC2_2": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smap = sunpy.map.Map(np.zeros((4096, 4096), np.uint8), header)
        return aiapy.calibrate.update_pointing(smap, pointing_table=table).meta


def test_agrees_with_aiapy(tmp_path: Path) -> None:
    table = pointing_table(tmp_path)
    image = full()
    found = updated(image, table).header
    wanted = aiapy_updated(image, table["pointing_table"].path)
    for name in WCS_CARDS:
        assert found[name] == pytest.approx(wanted[name.lower()], rel=1e-12), name
    assert "PC1_1" not in found


def test_the_row_is_the_one_that_begins_before_and_ends_after_the_exposure(tmp_path: Path) -> None:
    table = pointing_table(tmp_path)
    at_start = updated(full(T_OBS="2011-02-15T00:00:00.00Z"), table)
    at_end = updated(full(T_OBS="2011-02-15T03:00:00.00Z"), table)
    assert at_start.header["CRPIX1"] == pytest.approx(2055.93)
    assert at_end.header["CRPIX1"] == pytest.approx(3.0)
    assert "2011-02-15T00:00:00" in at_start.header["MPO_REC"]


def test_a_matrix_that_would_contradict_the_new_roll_goes(tmp_path: Path) -> None:
    image = full(CROTA2=None, PC1_1=1.0, PC1_2=-0.0003, PC2_1=0.0003, PC2_2=1.0, XCEN=-4.5, YCEN=2.8)
    found = updated(image, pointing_table(tmp_path)).header
    assert not {"PC1_1", "PC1_2", "PC2_1", "PC2_2", "XCEN", "YCEN"} & set(found)
    assert found["CROTA2"] == pytest.approx(0.019512 + 8.6e-05)


def test_pixels_are_not_touched(tmp_path: Path) -> None:
    image = full()
    assert updated(image, pointing_table(tmp_path)).data is image.data


def test_a_cutout_from_anywhere_on_the_detector_gets_the_centre_in_its_own_pixels(tmp_path: Path) -> None:
    table = pointing_table(tmp_path)
    whole = updated(full(), table).header
    before = full().header
    left, bottom = 1700, 900
    cards = {"CRPIX1": before["CRPIX1"] - left, "CRPIX2": before["CRPIX2"] - bottom}
    cutout = frame(np.zeros((300, 400), np.float32), level1_header((4096, 4096), **cards))
    found = updated(cutout, table).header
    assert found["CRPIX1"] == pytest.approx(whole["CRPIX1"] - left, abs=1e-9)
    assert found["CRPIX2"] == pytest.approx(whole["CRPIX2"] - bottom, abs=1e-9)
    assert (found["X0_MP"], found["Y0_MP"]) == (whole["X0_MP"], whole["Y0_MP"])


def test_a_cutout_moves_with_the_detector(real_data: Path, tmp_path: Path) -> None:
    image = real_cutout(real_data)
    table = pointing_table(
        tmp_path, T_START="2013-03-10T12:00:00Z", T_STOP="2013-03-10T15:00:00Z", A_171_X0="2053.3501"
    )
    found = updated(image, table).header
    # X0_MP is 2052.8501 in the file: half a pixel less than in the table.
    assert found["CRPIX1"] == pytest.approx(image.header["CRPIX1"] + 0.5, abs=1e-5)
    assert found["CRPIX2"] == pytest.approx(image.header["CRPIX2"] + 2042.55 - 2046.56995, abs=1e-5)
    assert found["CDELT1"] == 0.599496


GAPS = [
    ({}, {"A_171_X0": "MISSING"}, "no usable X0"),
    ({}, {"A_171_Y0": ""}, "no usable Y0"),
    ({}, {"A_171_IMSCALE": "nan"}, "no usable IMSCALE"),
    ({}, {"A_171_IMSCALE": "0.5"}, "no usable IMSCALE"),
    ({}, {"A_171_INSTROT": "MISSING"}, "no usable INSTROT"),
    ({"T_OBS": "2013-02-04T12:00:07.84Z"}, {}, "no row for the time"),
    ({"WAVELNTH": 304}, {}, "no columns for the channel 304"),
    ({"SAT_ROT": None}, {}, "no SAT_ROT"),
    ({"SAT_ROT": "nan"}, {}, "SAT_ROT should be a finite number"),
]


@pytest.mark.parametrize(("cards", "cells", "says"), GAPS)
def test_a_gap_refuses_the_frame_in_a_sentence(
    cards: dict[str, Any], cells: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        updated(full(**cards), pointing_table(tmp_path, **cells))
    assert caught.value.file
    assert caught.value.keyword
    assert "on_gap" in caught.value.advice or "context" in caught.value.advice


@pytest.mark.parametrize(("cards", "cells", "says"), GAPS)
def test_with_keep_the_whole_old_pointing_stays_and_a_caveat_says_why(
    cards: dict[str, Any], cells: dict[str, str], says: str, tmp_path: Path
) -> None:
    image = full(**cards)
    found = updated(image, pointing_table(tmp_path, **cells), on_gap="keep")
    assert found.header == image.header
    assert says in found.caveats[0]


def test_a_satellite_roll_without_a_value_counts_as_a_gap(tmp_path: Path) -> None:
    image = full()
    image.header["SAT_ROT"] = fits.card.Undefined()
    with pytest.raises(BadInput, match="no SAT_ROT"):
        updated(image, pointing_table(tmp_path))


@pytest.mark.parametrize(
    ("image", "keyword"),
    [
        (small, "CDELT1, CDELT2"),
        (lambda: full(LVL_NUM=1.5), "LVL_NUM"),
        (lambda: full(T_OBS=None), "T_OBS"),
        (lambda: full(T_OBS="yesterday"), "T_OBS"),
        (lambda: full(WAVELNTH=172), "WAVELNTH"),
    ],
)
def test_frames_the_table_is_not_for_are_refused(image: Any, keyword: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        updated(image(), pointing_table(tmp_path), on_gap="keep")
    assert caught.value.keyword == keyword


def test_a_frame_that_was_turned_already_is_told_which_step_comes_too_late(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"already, .*; update_pointing works on level 1"):
        updated(full(LVL_NUM=1.5), pointing_table(tmp_path))


@pytest.mark.parametrize("cards", [{"X0_MP": None}, {"X0_MP": 2052.5}, {"CRPIX1": 4000.0}])
def test_a_cutout_whose_place_on_the_detector_is_not_known_is_refused(
    cards: dict[str, Any], real_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"X0_MP|where on the detector"):
        updated(real_cutout(real_data, **cards), pointing_table(tmp_path))


@pytest.mark.parametrize("text", ["", "not,a,table\n1,2,3\n"])
def test_a_file_that_is_no_pointing_table_says_so(text: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match="no pointing table"):
        updated(full(), {"pointing_table": reference("pointing_table", path)})


@pytest.mark.parametrize(
    "old",
    [
        {"PC1_1": 1.0, "PC1_2": 0.0, "PC2_1": 0.0, "PC2_2": 1.0},
        {"CD1_1": 0.6, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.6},
        {"CROTA1": 3.0, "XCEN": 1.0, "YCEN": 2.0},
    ],
)
def test_what_was_said_of_the_old_pointing_is_gone_however_often_it_was_said(
    old: dict[str, float], tmp_path: Path
) -> None:
    frame = full(**old, CROTA2=0.0)
    frame.header.extend(old.items(), unique=False)
    assert not set(old) & set(updated(frame, pointing_table(tmp_path)).header)


def test_every_card_of_the_pointing_is_of_the_new_one_or_gone(tmp_path: Path) -> None:
    old = {"CRVAL1": 12.0, "CRVAL2": -7.0, "R_SUN": 1.0, "INST_ROT": 9.0, "IMSCL_MP": 9.0, "X0_MP": 1.0}
    turned = {"CROTA1": 3.0, "CD1_1": 0.6, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.6, "RSUN_OBS": 970.0}
    found = updated(full(**old, **turned), pointing_table(tmp_path)).header
    assert not {"CROTA1", "CD1_1", "CD1_2", "CD2_1", "CD2_2"} & set(found)
    assert (found["CRVAL1"], found["CRVAL2"]) == (0.0, 0.0)
    assert (found["CRPIX1"], found["CRPIX2"]) == (found["X0_MP"] + 1, found["Y0_MP"] + 1)
    assert found["CDELT1"] == found["CDELT2"] == found["IMSCL_MP"]
    assert found["R_SUN"] == pytest.approx(970.0 / found["CDELT1"])
    assert 1600 < found["R_SUN"] < 1650  # pixels, not arcseconds nor their product
    assert found["CROTA2"] == pytest.approx(found["INST_ROT"] + 8.6e-05)
    assert found["INST_ROT"] == pytest.approx(0.019512)


def test_a_radius_that_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    assert "R_SUN" not in updated(full(RSUN_OBS=None, R_SUN=None), pointing_table(tmp_path)).header

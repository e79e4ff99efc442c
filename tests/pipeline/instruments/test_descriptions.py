"""Every instrument's description against headers as they really are."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.registry import instruments, recognise

REAL = [
    ("aia/aia_171_cutout_20130310.fits", "sdo_aia", "1", "aia171_20130310"),
    ("aia/aia_171_level1_128.fits", "sdo_aia", "1", "aia171_20110215"),
    ("aia/AIA20110319_105400_0171.fits", "sdo_aia", "1.5", "aia171_20110319"),
    ("full_disk/eit_l1_20020625_100011.fits", "soho_eit", "1", "eit195_20020625"),
    ("full_disk/mdi.fd_Ic.20101015_230100_TAI.data.fits", "soho_mdi", "1", "mdi_20101015"),
    ("full_disk/mdi_fd_Ic_6h_01d.5871.0000_s.fits", "soho_mdi", "1", "mdi_20090128"),
    ("full_disk/resampled_hmi_20140301.fits", "sdo_hmi", "1.5", "hmi_20140301"),
    ("full_disk/swap_lv1_20120101_001607.fits", "proba2_swap", "1", "swap174_20120101"),
    ("full_disk/trace_19980519_222143_171_1024.fits", "trace", "0", "trace171_19980519"),
    ("lasco/lasco_c2_0_20000903.fts", "soho_lasco", "0.5", "lascoc2_20000903"),
    ("lasco/lasco_c2_25299383_s.fts", "soho_lasco", "1", "lascoc2_20090228"),
    ("stereo_cor2/cor2_pol0_20100403_n4c2A.fts", "stereo_cor", "0", "cor2a_20100403"),
    ("stereo_hi/hi_20110910_114721_s7h2A.fts", "stereo_hi", "0", ""),
    ("wispr/psp_L2_wispr_20181101T004548_V3_1221.fits", "psp_wispr", "2", "wispr1_20181101"),
    ("wispr/psp_L3_wispr_20190405T013357_V3_1221.fits", "psp_wispr", "3", "wispr1_20190405"),
    ("xrt/L1_XRT20120605_215839.9.fits", "hinode_xrt", "1", "xrt_20120605"),
]


def image_header(path: Path) -> fits.Header:
    with fits.open(path) as units:
        return next(unit.header for unit in units if unit.header.get("NAXIS", 0) >= 2).copy()


@pytest.mark.parametrize(("name", "wanted", "level", "observation"), REAL)
@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_a_real_file_is_recognised_dated_and_kept_at_its_level(
    name: str, wanted: str, level: str, observation: str, real_data: Path
) -> None:
    header = image_header(real_data / name)
    found = recognise(header, name)
    described = found.describe(header, name)
    assert found.name == wanted
    assert described.level == level
    assert described.observation == observation or not observation
    assert described.date_beg <= described.date_end
    assert f"{described.date_beg:%Y}" in described.observation


def test_a_slashed_date_with_its_time_elsewhere_is_read_to_the_millisecond(real_data: Path) -> None:
    header = image_header(real_data / "lasco/lasco_c2_0_20000903.fts")
    found = recognise(header).describe(header)
    assert found.date_beg.isoformat() == "2000-09-03T03:00:31.681000+00:00"


@pytest.mark.parametrize("name", sorted(instruments()))
def test_a_description_is_short_and_names_what_it_searches_by(name: str) -> None:
    entry = instruments()[name]
    assert entry.title
    assert entry.credit
    assert entry.meta
    assert "{date" in entry.observation


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("20110910_114721_s7h2A.fts", "0"),
        ("20110910_000901_s4h1B.fts", "0"),
        ("20110910_000901_n4h1A.fts", "0"),
        ("20110910_000901_14h1A.fts", "1"),
        ("20110910_000901_24h1A_br01.fts", "2"),
        ("20110910_000901_2bh2B_br11.fts", "2"),
    ],
)
def test_calibrated_hi_files_of_other_archives_do_not_pass_for_raw_ones(name: str, level: str) -> None:
    header = fits.Header(
        {"INSTRUME": "SECCHI", "DETECTOR": f"HI{name.split('h')[1][0]}", "OBSRVTRY": "STEREO_A"}
    )
    header.update({"FILENAME": name, "DATE-OBS": "2011-09-10T11:47:21.005"})
    assert recognise(header).describe(header).level == level


STEREO = {"INSTRUME": "SECCHI", "OBSRVTRY": "STEREO_A", "DATE-OBS": "2011-09-10T11:47:21.005"}
HI = STEREO | {"DETECTOR": "HI2"}
COR = STEREO | {"DETECTOR": "COR2"}
LASCO = {"TELESCOP": "SOHO", "INSTRUME": "LASCO", "DETECTOR": "C2", "DATE-OBS": "2000-09-03T03:00:31.681"}
EIT = {"TELESCOP": "SOHO", "INSTRUME": "EIT", "WAVELNTH": 195, "DATE-OBS": "2002-06-25T10:00:10.514"}
TRACE = {"TELESCOP": "TRACE", "INSTRUME": "TRACE", "WAVE_LEN": "171", "DATE_OBS": "1998-05-19T22:21:43.000"}
CHROTEL = {"TELESCOP": "Chromospheric Telescope", "DATE-OBS": "2014-06-25T10:00:10"}


@pytest.mark.parametrize(
    ("cards", "level"),
    [
        (COR | {"FILENAME": "20100403_100815_n4c2A.fts", "BUNIT": "DN"}, "0"),
        (COR | {"FILENAME": "20100403_100815_14c2A.fts", "BUNIT": "MSB"}, "1"),
        (COR | {"FILENAME": "20100403_100815_1P4c1A.fts", "BUNIT": "MSB"}, "1"),
        (LASCO | {"FILENAME": "22075761.fts"}, "0.5"),
        (LASCO | {"FILENAME": "25299383.fts"}, "1"),
        (LASCO | {"FILENAME": "25299383.fts", "LEVEL": "0.5"}, "0.5"),
        (EIT | {"FILENAME": "efz20020625.100010"}, "0"),
        (EIT | {"FILENAME": "efz20020625.100010", "HISTORY": "Flat fielded image with EIT_FLAT"}, "1"),
        (TRACE, "0"),
        (TRACE | {"HISTORY": "TRACE_PREP  VERSION:   2.0"}, "1"),
        (CHROTEL | {"FILENAME": "chrotel_ha_20140625_100010.fts"}, "0"),
        (CHROTEL | {"FILENAME": "chrotel_he_20140625_100010.fts", "LEVEL": "0"}, "0f"),
        (CHROTEL | {"FILENAME": "chrotel_ha_lev1.0_20140625_100010.fits"}, "1"),
        (CHROTEL | {"FILENAME": "chrotel_ha_20140625_100010.fits", "LEVEL": "L1.0"}, "1"),
        (CHROTEL | {"FILENAME": "chrotel_he_lev1.0_20140625_100010.fits", "LEVEL": "1.0"}, "1f"),
    ],
)
def test_a_file_whose_level_stands_in_its_name_or_its_history_has_that_level(
    cards: dict[str, str | int], level: str
) -> None:
    header = fits.Header(cards)
    assert recognise(header).describe(header).level == level


@pytest.mark.parametrize(
    ("cards", "keyword"),
    [
        (HI | {"BUNIT": "DN/s"}, "BUNIT"),
        (HI | {"BUNIT": "MSB", "FILENAME": "my_hi2.fts"}, "BUNIT"),
        (COR | {"BUNIT": "MSB"}, "BUNIT"),
        (LASCO | {"BUNIT": "MSB"}, "BUNIT"),
        (LASCO | {"FILENAME": "3m_clcl_960131.fts"}, "FILENAME"),
        (LASCO | {"FILENAME": "C2-PB-20000903_0300.fts"}, "FILENAME"),
        (EIT | {"BUNIT": "DN/s"}, "BUNIT"),
        (CHROTEL | {"LEVEL": "calibrated"}, "LEVEL"),
        (CHROTEL | {"FLATFILE": "chrotel_ha_flat_20140601.fits"}, "FLATFILE"),
    ],
)
def test_what_was_worked_on_elsewhere_and_names_no_level_never_passes_for_raw(
    cards: dict[str, str | int], keyword: str
) -> None:
    header = fits.Header(cards)
    with pytest.raises(BadInput, match="worked on elsewhere") as caught:
        recognise(header).describe(header, "x.fts")
    assert (caught.value.keyword, caught.value.found) == (keyword, str(cards[keyword]))
    assert "archive" in caught.value.advice

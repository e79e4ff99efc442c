"""Single keywords: each rule has a header that keeps it and one that breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from astropy.io import fits

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.header import Hdu
from pipeline.solarnet_check.report import check_headers
from tests.pipeline.solarnet_check.headers import ABSENT, IMAGE, SERIES, SPECTRA, findings, hdu, header, told


@pytest.mark.parametrize("base", [IMAGE, SPECTRA, SERIES], ids=["image", "spectra", "series"])
def test_nothing_is_found_in_what_conforms(base: dict[str, Any]) -> None:
    assert told(findings(base)) == []


@pytest.mark.parametrize(
    ("keyword", "rule"),
    [
        ("EXTNAME", "SOLARNET 12"),
        ("OBS_HDU", "SOLARNET 13"),
        ("DATE-BEG", "SOLARNET 13"),
        *((name, "SOLARNET 15.1") for name in ("FILENAME", "DATASUM", "CHECKSUM", "DATE", "ORIGIN")),
        *((name, "SOLARNET 15.4") for name in ("BTYPE", "BUNIT", "XPOSURE")),
        *((name, "SOLARNET 15.6") for name in ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX")),
        ("POINT_ID", "SOLARNET 15.9"),
    ],
)
@pytest.mark.parametrize("value", [ABSENT, None])
def test_what_is_mandatory_is_asked_of_who_claims_to_conform(keyword: str, rule: str, value: object) -> None:
    assert ("error", keyword, rule) in told(findings(**{keyword: value}))


@pytest.mark.parametrize("keyword", ["FILENAME", "BTYPE", "POINT_ID", "WAVEREF"])
def test_of_who_claims_to_conform_in_part_it_is_only_missed(keyword: str) -> None:
    assert [one[:2] for one in told(findings(SOLARNET=0.5, **{keyword: ABSENT}))] == [("warning", keyword)]


@pytest.mark.parametrize("keyword", ["LEVEL", "VERSION", "PARENTXT", "CREATOR", "VERS_SW"])
def test_what_should_be_said_of_processing_is_missed(keyword: str) -> None:
    assert [one[:2] for one in told(findings(**{keyword: ABSENT}))] == [("warning", keyword)]


def test_a_file_without_the_claim_is_told_what_it_lacks() -> None:
    found = told(findings(SOLARNET=ABSENT, OBS_HDU=ABSENT))
    assert {("error", "SOLARNET", "SOLARNET 13"), ("error", "OBS_HDU", "SOLARNET 13")} <= set(found)


@pytest.mark.parametrize(
    ("base", "keyword", "rule"),
    [
        (SPECTRA, "OBS_VR", "SOLARNET 15.6"),
        (SPECTRA, "SPECSYS", "SOLARNET 15.6"),
        (SPECTRA, "VELOSYS", "SOLARNET 15.6"),
        (SPECTRA, "SLIT_WID", "SOLARNET 15.7"),
        (SPECTRA, "POLCCONV", "SOLARNET 15.8"),
        (SERIES, "DATEREF", "SOLARNET 14"),
    ],
)
def test_what_only_some_need_is_asked_of_them(base: dict[str, Any], keyword: str, rule: str) -> None:
    assert ("error", keyword, rule) in told(findings(base, **{keyword: ABSENT}))
    assert told(findings(**{keyword: ABSENT})) == []


@pytest.mark.parametrize("given", ["NSUMEXP", "TEXPOSUR"])
def test_of_summed_exposures_number_and_length_are_asked(given: str) -> None:
    other = {"NSUMEXP": "TEXPOSUR", "TEXPOSUR": "NSUMEXP"}[given]
    assert ("error", other, "SOLARNET 15.4") in told(findings(**{given: 2}))


def test_of_binned_data_the_whole_factor_is_asked() -> None:
    assert told(findings(NBIN1=2)) == [("error", "NBIN", "SOLARNET 15.4")]
    assert told(findings(NBIN1=1)) == []
    assert told(findings(NBIN1=2, NBIN2=4, NBIN=8)) == []


def test_without_filter_or_spectrum_no_wavelength_is_asked() -> None:
    none = dict.fromkeys(("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX", "WAVELNTH"), ABSENT)
    assert told(findings(**none)) == []
    assert told(findings(**none | {"WAVELNTH": 0})) == []
    assert {name for _, name, _ in told(findings(**none | {"FILTER": "open"}))} == {
        *("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX")
    }


@pytest.mark.parametrize(
    ("keyword", "value", "fine"),
    [
        ("SOLARNET", 0.7, 0.5),
        ("SOLARNET", "1", 1),
        ("OBS_HDU", 3, 1),
        ("OBS_HDU", True, 2),
        ("EXTNAME", 3, "IMAGE"),
        ("DATE", "03/02/26", "2026-02-03"),
        ("DATE-BEG", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
        ("DATE-END", "2026-01-02 03:04:07", "2026-01-02T03:04:60"),
        ("DATEREF", "2026-02-30T00:00:00", "2026-01-02T00:00:00"),
        ("TIMESYS", "local time", "TAI"),
        ("CRPIX1", "32.5", 32.5),
        ("CDELT2", True, 2.4),
        ("XPOSURE", "2 s", 2),
        ("XPOSURE", -1.0, 0.0),
        ("VERSION", "4", 4),
        ("VERSION", 1.5, 2),
        ("LEVEL", 1, "L1"),
        ("WAVEUNIT", "nm", -9),
        ("WAVEREF", "glass", "Vacuum"),
        ("HGLT_OBS", 91.0, 7.2),
        ("DSUN_OBS", 0.0, 1.5e11),
        ("CAMERA", 3, "CAM 3"),
        ("AO_LOCK", 1.5, 0.5),
        ("COMPQUAL", -0.1, 1.0),
        ("NLOSTPIX", 1.0, 1),
        ("NSATPIX", -1, 0),
        ("PCT_LOST", 101.0, 1.0),
        ("PCT_MASK", -1.0, 250.0),
        ("RELEASE", "next year", "2027-01-01"),
        ("NBIN1", 0, 1),
        ("ROT_COMP", 3, 2),
        ("PRSTEP1", 1, "CALIBRATION"),
        ("CUNIT1", 2, "arcsec"),
        ("BUNIT", 7, "adu"),
    ],
)
def test_values_are_of_their_type_and_within_their_bounds(keyword: str, value: object, fine: object) -> None:
    more = {"SOLARNET": 1.0} if keyword != "SOLARNET" else {}
    broken = [one for one in findings(**{keyword: value}) if one.keyword == keyword]
    assert [one.grade.value for one in broken[:1]] == ["error"]
    kept = [one for one in findings(**more | {keyword: fine}) if one.keyword == keyword]
    assert [one for one in kept if one.grade.value == "error"] == []


def test_a_definition_of_another_kind_is_excused_where_it_is_named() -> None:
    assert told(findings(CAMERA=3)) == [("error", "CAMERA", "SOLARNET 6")]
    assert told(findings(CAMERA=3, SOLNETEX="CAMERA")) == []


@pytest.mark.parametrize("name", ["XPOSURE", "CRPIX1", "OBS_HDU"])
def test_what_is_mandatory_or_of_the_standard_cannot_be_excused(name: str) -> None:
    assert ("error", "SOLNETEX", "SOLARNET 16") in told(findings(SOLNETEX=name))


@pytest.mark.parametrize("name", ["A,B", "A;B"])
def test_names_of_hdus_do_not_divide_lists(name: str) -> None:
    assert told(findings(EXTNAME=name)) == [("error", "EXTNAME", "SOLARNET 2.1")]


def test_names_of_hdus_do_not_begin_with_a_blank() -> None:
    assert told(findings(EXTNAME=" IMAGE")) == [("error", "EXTNAME", "SOLARNET 2.1")]


def test_no_two_hdus_have_the_same_name() -> None:
    other = hdu(
        {"XTENSION": "IMAGE", "BITPIX": 8, "NAXIS": 0, "EXTNAME": "IMAGE", "DATASUM": "0", "CHECKSUM": "0"},
        index=1,
    )
    both = told(check_headers(FitsFile((hdu(), other))))
    assert both == [("error", "EXTNAME", "SOLARNET 2.1")] * 2
    assert "IMAGE" in check_headers(FitsFile((hdu(), other)))[0].found
    second = hdu(
        {"XTENSION": "IMAGE", "BITPIX": 8, "NAXIS": 0, "EXTNAME": "MORE", "DATASUM": "0", "CHECKSUM": "0"},
        index=1,
    )
    assert told(check_headers(FitsFile((hdu(), second)))) == []


@pytest.mark.parametrize(("claim", "said"), [(-1, 1), (0, 1)])
def test_an_hdu_of_observations_claims_something(claim: float, said: int) -> None:
    assert ("error", "SOLARNET", "SOLARNET 2.2") in told(findings(SOLARNET=claim, OBS_HDU=said))


def test_who_claims_to_conform_observes() -> None:
    assert ("error", "OBS_HDU", "SOLARNET 2.2") in told(findings(OBS_HDU=0))


def test_blank_stands_on_whole_numbers_alone() -> None:
    assert told(findings(BLANK=-32768)) == [("error", "BLANK", "FITS 4.4.2.5")]
    assert told(findings(BLANK=-32768, BITPIX=16)) == []
    assert told(findings(BLANK=-32769, BITPIX=16)) == [("warning", "BLANK", "FITS 4.4.2.5")]


def test_a_wrong_sum_is_an_error() -> None:
    wrong = Hdu.of(header(), shape=(48, 64), sums={"DATASUM": "wrong", "CHECKSUM": "valid"})
    assert told(check_headers(FitsFile((wrong,)))) == [("error", "DATASUM", "FITS 4.4.2.7")]


@pytest.mark.parametrize(
    "names",
    [
        ("OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"),
        ("GEOX_OBS", "GEOY_OBS", "GEOZ_OBS"),
        ("HGLN_OBS", "HGLT_OBS", "DSUN_OBS"),
    ],
)
def test_any_whole_set_tells_where_the_observer_was(names: tuple[str, ...]) -> None:
    none = dict.fromkeys(("HGLN_OBS", "HGLT_OBS", "DSUN_OBS"), ABSENT)
    values = dict(
        zip(names, (6.371e6, 0.0, 0.0) if "DSUN_OBS" not in names else (0.0, 1.0, 1.5e11), strict=True)
    )
    assert told(findings(**none | values)) == []
    (found,) = findings(**none | values | {names[1]: ABSENT})
    assert (found.grade.value, found.keyword, found.rule) == ("error", names[1], "SOLARNET 15.3")


def test_something_tells_what_made_the_observation() -> None:
    none = dict.fromkeys(("OBSRVTRY", "TELESCOP", "INSTRUME"), ABSENT)
    assert told(findings(**none)) == [("error", "TELESCOP", "SOLARNET 15.5")]
    assert told(findings(**none, MISSION="one")) == []


def test_a_name_that_is_not_the_files_is_noted() -> None:
    def named(name: str) -> list[tuple[str, str, str]]:
        return told(check_headers(FitsFile((hdu(),), name=name)))

    assert named(IMAGE["FILENAME"]) == named(f"{IMAGE['FILENAME']}.gz") == []
    assert named("other.fits") == [("note", "FILENAME", "SOLARNET appendix V-a")]


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("EXPTIME", 2.0, "XPOSURE"),
        ("XCEN", 0.0, "CRPIX1"),
        ("DATE-OBS", "2026-01-02", "DATE-BEG"),
        ("CROTA2", 0.0, "PC1_1"),
    ],
)
def test_old_keywords_are_noted_where_the_new_ones_are_absent(old: str, value: object, new: str) -> None:
    assert ("note", old) in [one[:2] for one in told(findings(**{old: value, new: ABSENT}))]


def test_units_are_those_of_the_standard() -> None:
    assert (
        told(findings(BUNIT=""))
        == told(findings(BUNIT="erg/(cm2 s sr)"))
        == told(findings(BUNIT="ct/s"))
        == []
    )
    assert told(findings(BUNIT="DN/s")) == [("note", "BUNIT", "FITS 4.3")]
    assert told(findings(BUNIT="MSB")) == [("warning", "BUNIT", "FITS 4.3")]


def test_reserved_keywords_are_not_continued() -> None:
    assert told(findings(ORIGIN="x" * 80)) == [("error", "ORIGIN", "SOLARNET 2")]
    assert told(findings(OBS_DESC="x" * 80)) == []


def test_cards_that_stand_twice_are_doubtful() -> None:
    made = header()
    made.append(("XPOSURE", 3.0), end=True)
    assert told(check_headers(FitsFile((Hdu.of(made, shape=(48, 64)),)))) == [
        ("warning", "XPOSURE", "FITS 4.1.2")
    ]


def test_cards_that_are_not_fits_are_named() -> None:
    made = header()
    made.append(fits.Card.fromstring("OSCNMEAN=                  nan"), end=True)
    assert told(check_headers(FitsFile((Hdu.of(made, shape=(48, 64)),)))) == [
        ("error", "OSCNMEAN", "FITS 4.2")
    ]


def test_a_file_without_observations_is_told() -> None:
    only = hdu({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTNAME": "X", "DATASUM": "0", "CHECKSUM": "0"})
    assert told(check_headers(FitsFile((only,)))) == [("warning", "OBS_HDU", "SOLARNET 2.2")]

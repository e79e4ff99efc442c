"""Headers are completed from what is known, and graded by what they say."""

from __future__ import annotations

from typing import Any

import pytest
from astropy.io import fits

from pipeline import solarnet
from pipeline.instrument import SolarnetRule
from pipeline.registry import instrument
from tests.pipeline.instruments.sdo_aia.frames import level1_header

#: What the pipeline and the lake write besides.
WRITTEN: dict[str, Any] = {
    "EXTNAME": "IMAGE",
    "FILENAME": "a.l15.v0001.fits",
    "DATE": "2026-01-02T03:04:05.678",
    "ORIGIN": "here",
    "BUNIT": "DN/s",
    "LEVEL": "1.5",
    "VERSION": 1,
    "CREATOR": "Heliolake",
    "VERS_SW": "0.1.0",
    "PARENTXT": "sdo_aia:a.fits",
}


def completed(**changes: Any) -> fits.Header:
    header = level1_header((64, 64), **changes)
    header.update(WRITTEN)
    aia = instrument("sdo_aia")
    return solarnet.complete(header, aia, aia.describe(header))


def test_a_complete_header_is_graded_one() -> None:
    header = completed()
    assert solarnet.check(header) == []
    assert solarnet.grade(header) == 1.0


def test_the_span_of_the_observation_is_that_of_the_exposure() -> None:
    header = completed()
    assert header["DATE-BEG"] == header["DATEREF"] == "2011-02-15T00:00:00.340"
    assert header["DATE-END"] == "2011-02-15T00:00:02.340"
    assert header["XPOSURE"] == header["EXPTIME"]


def test_what_the_header_says_already_is_kept() -> None:
    header = completed(BTYPE="phot.radiance", XPOSURE=1.5)
    assert (header["BTYPE"], header["XPOSURE"]) == ("phot.radiance", 1.5)


@pytest.mark.parametrize(("written", "exponent"), [("angstrom", -10), ("nm", -9), (-9, -9)])
def test_the_unit_of_wavelengths_is_a_power_of_ten(written: str | int, exponent: int) -> None:
    header = completed(WAVEUNIT=written)
    assert header["WAVEUNIT"] == exponent
    assert isinstance(header["WAVEUNIT"], int)


def test_a_unit_of_wavelengths_that_is_no_length_is_left_and_found() -> None:
    header = completed(WAVEUNIT="unknown")
    assert header["WAVEUNIT"] == "unknown"
    assert solarnet.check(header) == ["WAVEUNIT should be a whole number: 'unknown'"]


@pytest.mark.parametrize("written", ["inch", "AU", "s", "", "2 nm"])
def test_a_unit_of_wavelengths_that_is_no_power_of_ten_is_left(written: str) -> None:
    assert completed(WAVEUNIT=written)["WAVEUNIT"] == written


def test_nothing_is_guessed() -> None:
    header = completed(EXPTIME=None)
    assert "XPOSURE" not in header
    assert solarnet.check(header) == ["XPOSURE is missing"]
    assert solarnet.grade(header) == 0.5


@pytest.mark.parametrize(
    ("cards", "finding"),
    [
        ({"DSUN_OBS": None}, "observer's position"),
        ({"CRPIX2": None}, "CRPIX2 is missing"),
        ({"DATE": "yesterday"}, "DATE is no FITS date"),
        ({"BLANK": -32768, "BITPIX": -32}, "BLANK stands on floating-point data"),
        ({"VERSION": "4"}, "VERSION should be a whole number"),
        ({"VERSION": True}, "VERSION should be a whole number"),
        ({"WAVEUNIT": "angstrom"}, "WAVEUNIT should be a whole number"),
        ({"WAVEUNIT": None}, "WAVEUNIT is missing"),
        ({"WAVEREF": None}, "WAVEREF is missing"),
        ({"WAVEREF": "vac"}, "WAVEREF should be 'air' or 'vacuum'"),
        ({"WAVEMIN": None}, "WAVEMIN is missing"),
        ({"WAVEMIN": 200.0, "WAVEMAX": 171.0}, "are no range"),
        ({"NBIN1": None}, "NBIN1 is missing"),
        ({"NBIN": None}, "NBIN is missing"),
        ({"NBIN": 4}, "NBIN is not the product"),
        ({"NBIN2": 1.0}, "NBIN2 should be a whole number"),
        ({"XPOSURE": "long"}, "XPOSURE should be a number"),
        ({"NSUMEXP": 30}, "TEXPOSUR is missing"),
        ({"NSUMEXP": 30, "TEXPOSUR": 2.000191}, "NSUMEXP times TEXPOSUR is not XPOSURE"),
        ({"CRVAL1": "0"}, "CRVAL1 should be a number"),
        ({"BUNIT": "MSB"}, "BUNIT is no unit"),
        ({"BUNIT": None}, "BUNIT is missing"),
    ],
)
def test_every_flaw_is_found(cards: dict[str, Any], finding: str) -> None:
    header = completed()
    for name, value in cards.items():
        if value is None:
            del header[name]
        else:
            header[name] = value
    assert any(finding in sentence for sentence in solarnet.check(header))
    assert solarnet.grade(header) == 0.5


@pytest.mark.parametrize("unit", ["", "deg-2", "DN/s", "DN", "erg/(cm2 s sr)"])
def test_units_that_readers_know_pass(unit: str) -> None:
    header = completed()
    header["BUNIT"] = unit
    assert solarnet.check(header) == []


def test_without_a_wavelength_or_filter_nothing_is_asked_of_them() -> None:
    header = completed()
    for name in ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX"):
        del header[name]
    header["WAVELNTH"] = 0
    assert solarnet.check(header) == []


def test_without_what_is_mandatory_a_header_is_no_solarnet_header() -> None:
    header = completed()
    del header["DATE-BEG"]
    assert solarnet.grade(header) == -1.0


EVERY_KEYWORD = (
    *("OBS_HDU", "EXTNAME", "DATE-BEG", "FILENAME", "DATE", "ORIGIN", "BTYPE", "BUNIT", "DATEREF", "XPOSURE"),
    *("NBIN1", "NBIN2", "NBIN", "OBSRVTRY", "TELESCOP", "INSTRUME"),
    *("LEVEL", "VERSION", "CREATOR", "VERS_SW", "PARENTXT"),
    *("CTYPE1", "CUNIT1", "CRPIX1", "CRVAL1", "CDELT1", "CNAME1"),
    *("CTYPE2", "CUNIT2", "CRPIX2", "CRVAL2", "CDELT2", "CNAME2"),
    *("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX"),
)


@pytest.mark.parametrize("keyword", EVERY_KEYWORD)
@pytest.mark.parametrize("empty", [True, False])
def test_each_keyword_is_asked_for_by_name(keyword: str, empty: bool) -> None:
    """SOLARNET recommendations, sections 3 to 6; a card without a value says nothing either."""
    header = completed()
    if empty:
        header[keyword] = None
    else:
        del header[keyword]
    assert solarnet.check(header) == [f"{keyword} is missing"]
    mandatory = keyword in ("OBS_HDU", "EXTNAME", "DATE-BEG")
    assert solarnet.grade(header) == (-1.0 if mandatory else 0.5)


@pytest.mark.parametrize("keyword", ["VERSION", "NBIN", "NBIN1", "NBIN2", "NSUMEXP", "WAVEUNIT"])
@pytest.mark.parametrize("value", [1.5, True, "1"])
def test_what_counts_is_a_whole_number(keyword: str, value: object) -> None:
    header = completed()
    header["NSUMEXP"], header["TEXPOSUR"] = 1, header["XPOSURE"]
    header[keyword] = value
    found = [one for one in solarnet.check(header) if "whole" in one]
    assert found == [f"{keyword} should be a whole number: {value!r}"]


@pytest.mark.parametrize(
    "keyword",
    [
        *("XPOSURE", "TEXPOSUR", "WAVEMIN", "WAVEMAX", "DSUN_OBS", "HGLN_OBS", "HGLT_OBS"),
        *("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2"),
    ],
)
@pytest.mark.parametrize("value", [True, "1"])
def test_what_is_measured_is_a_number(keyword: str, value: object) -> None:
    header = completed()
    header["NSUMEXP"], header["TEXPOSUR"] = 1, header["XPOSURE"]
    header[keyword] = value
    assert solarnet.check(header) == [f"{keyword} should be a number: {value!r}"]


@pytest.mark.parametrize("keyword", ["DATE-BEG", "DATE-END", "DATEREF", "DATE"])
def test_each_date_is_one_of_the_standard(keyword: str) -> None:
    header = completed()
    header[keyword] = "yesterday"
    assert solarnet.check(header) == [f"{keyword} is no FITS date: 'yesterday'"]


POSITIONS = (
    ("OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z"),
    ("GEOX_OBS", "GEOY_OBS", "GEOZ_OBS"),
    ("HGLN_OBS", "HGLT_OBS", "DSUN_OBS"),
)


@pytest.mark.parametrize("names", POSITIONS)
def test_any_whole_set_of_coordinates_tells_where_the_observer_was(names: tuple[str, ...]) -> None:
    header = completed()
    for name in sum(POSITIONS, ()):
        header.remove(name, ignore_missing=True)
    for name in names:
        header[name] = 1.0
    assert solarnet.check(header) == []
    for name in names:
        without = header.copy()
        del without[name]
        (found,) = solarnet.check(without)
        assert found.startswith("the observer's position is missing: OBSGEO-X/OBSGEO-Y/OBSGEO-Z or GEOX_OBS/")
        assert found.endswith("/GEOY_OBS/GEOZ_OBS or HGLN_OBS/HGLT_OBS/DSUN_OBS")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("HPLN-TAN", "Helioprojective longitude"),
        ("HPLT-AZP", "Helioprojective latitude"),
        ("solarx", "Helioprojective coordinate"),
        ("RA---TAN", "Right ascension"),
        ("DEC--TAN", "Declination"),
        ("WAVE", "Wavelength"),
        ("AWAV", "Wavelength in air"),
        ("STOKES", "Stokes parameter"),
        ("TIME", None),
    ],
)
@pytest.mark.parametrize("axis", [1, 2])
def test_an_axis_is_called_what_its_type_says(axis: int, kind: str, name: str | None) -> None:
    header = completed(**{f"CTYPE{axis}": kind})
    assert header.get(f"CNAME{axis}") == name
    assert completed(**{f"CTYPE{axis}": kind, f"CNAME{axis}": "mine"})[f"CNAME{axis}"] == "mine"


@pytest.mark.parametrize("medium", ["air", "vacuum"])
def test_wavelengths_hold_in_air_or_in_vacuum(medium: str) -> None:
    header = completed()
    header["WAVEREF"] = medium
    assert solarnet.check(header) == []


@pytest.mark.parametrize(
    ("shortest", "longest", "fine"),
    [
        (17.0, 17.2, True),
        (17.1, 17.1, True),
        (0.5, 1, True),
        (0, 17.1, False),
        (-1.0, 17.1, False),
        (2, 1, False),
    ],
)
def test_a_range_of_wavelengths_begins_above_nothing_and_does_not_end_before(
    shortest: float, longest: float, fine: bool
) -> None:
    header = completed()
    header["WAVEMIN"], header["WAVEMAX"] = shortest, longest
    ranges = f"WAVEMIN and WAVEMAX are no range: {shortest!r} to {longest!r}"
    assert solarnet.check(header) == ([] if fine else [ranges])


@pytest.mark.parametrize("keyword", ["WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX", "FILTER", "WAVELNTH"])
def test_whoever_says_one_thing_of_a_wavelength_or_filter_says_all(keyword: str) -> None:
    header = completed()
    for name in ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX", "FILTER", "WAVELNTH"):
        header.remove(name, ignore_missing=True)
    assert solarnet.check(header) == []
    header[keyword] = {"WAVEUNIT": -10, "WAVEREF": "air", "FILTER": "open"}.get(keyword, 0.5)
    wanted = [name for name in ("WAVEUNIT", "WAVEREF", "WAVEMIN", "WAVEMAX") if name != keyword]
    assert solarnet.check(header) == [f"{name} is missing" for name in wanted]


@pytest.mark.parametrize(
    ("number", "one", "whole", "fine"),
    [
        (1, 20.0, 20.0, True),
        (30, 2.0, 60.0, True),
        (30, 2.0, 60.005, True),  # rounded when it was written
        (30, 2.0, 59.995, True),
        (30, 2.0, 60.01, False),
        (30, 2.0, 59.99, False),
        (0, 2.0, 0.0, True),
    ],
)
def test_summed_exposures_make_up_the_whole(number: int, one: float, whole: float, fine: bool) -> None:
    header = completed()
    header["NSUMEXP"], header["TEXPOSUR"], header["XPOSURE"] = number, one, whole
    said = f"NSUMEXP times TEXPOSUR is not XPOSURE: {number} times {one} is not {whole}"
    assert solarnet.check(header) == ([] if fine else [said])


@pytest.mark.parametrize(("known", "wanted"), [("NSUMEXP", "TEXPOSUR"), ("TEXPOSUR", "NSUMEXP")])
def test_the_number_of_summed_exposures_and_the_time_of_one_belong_together(known: str, wanted: str) -> None:
    header = completed()
    header[known] = 2
    assert solarnet.check(header) == [f"{wanted} is missing"]


def test_the_number_of_summed_pixels_is_that_of_both_sides() -> None:
    header = completed(NBIN1=2, NBIN2=4)
    assert header["NBIN"] == 8
    assert solarnet.check(header) == []
    header["NBIN"] = 6
    assert solarnet.check(header) == ["NBIN is not the product of NBIN1 and NBIN2: 6 is not 2 times 4"]


@pytest.mark.parametrize(("bits", "flaws"), [(-32, 1), (-64, 1), (16, 0), (32, 0), (8, 0)], ids=str)
def test_only_whole_numbers_have_a_value_that_is_none(bits: int, flaws: int) -> None:
    header = completed(BITPIX=bits)
    header["BITPIX"], header["BLANK"] = bits, -32768
    assert solarnet.check(header) == ["BLANK stands on floating-point data"] * flaws


RULES = {
    "FIXED": SolarnetRule(value="yes", comment="as it always is"),
    "ZERO": SolarnetRule(value=0),
    "COPIED": SolarnetRule(keyword="SOURCE"),
    "SCALED": SolarnetRule(keyword="SOURCE", factor=1e3),
    "MAPPED": SolarnetRule(keyword="NAMED", map={"a": "first", "b": "second"}),
    "SCALETXT": SolarnetRule(keyword="NAMED", factor=1e3),
    "NOWHERE": SolarnetRule(keyword="ABSENT"),
}


def ruled(**cards: Any) -> fits.Header:
    """A header completed by these rules alone."""
    aia = instrument("sdo_aia")
    header = level1_header((64, 64), **cards)
    return solarnet.complete(header, aia.model_copy(update={"solarnet": RULES}), aia.describe(header))


def test_rules_give_copy_scale_and_translate_values() -> None:
    header = ruled(SOURCE=2.5, NAMED=" b ")
    assert [header.get(name) for name in RULES] == ["yes", 0, 2.5, 2500.0, "second", " b", None]
    assert header.comments["FIXED"] == "as it always is"


def test_a_rule_whose_source_says_nothing_gives_nothing() -> None:
    header = ruled(SOURCE=None, NAMED="c")
    assert [name for name in RULES if name in header] == ["FIXED", "ZERO", "SCALETXT"]
    header = ruled(FIXED="no")
    assert header["FIXED"] == "no"

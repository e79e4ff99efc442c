"""Dates of headers, in the forms and the time scales of the archives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.time import Time

from pipeline.dates import has_time, in_utc, parse_date, scale_of, unknown_scale
from pipeline.errors import BadInput
from pipeline.instrument import DateRule, Instrument
from pipeline.registry import instrument, recognise
from tests.toy import toy_frame

NIGHT = datetime(2010, 10, 15, 23, 1, 30, tzinfo=UTC)
DAY = {"DATE-OBS": "2024-05-06"}


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2010.10.15_23:01:30_UTC", ""),
        ("2010.10.15_23:02:04_TAI", ""),
        ("2010-10-15T23:02:04 TAI", ""),
        ("2010-10-15T23:02:36.184 TT", ""),
        ("2010-10-15T23:01:45 GPS", ""),
        ("2010-10-15 23:01:30 UT", ""),
        ("2010-10-15T23:01:30z", ""),
        ("15-OCT-2010 23:01:30", ""),
        ("15-Oct-2010", "23:01:30"),
        ("2010/10/15", "23:01:30 UT"),
        ("20101015_230130", ""),
    ],
)
def test_forms_of_archives_are_one_moment(text: str, time: str) -> None:
    assert parse_date(text, time) == NIGHT


def test_hours_of_one_digit_are_hours() -> None:
    assert parse_date("2010-10-15", "9:01:30") == NIGHT.replace(hour=9)
    assert parse_date("2010-10-15T9:01:30") == NIGHT.replace(hour=9)


@pytest.mark.parametrize(
    "text", ["2010.13.15_23:01:30_TAI", "15-OKT-2010", "10.15.2010", "TAI", "2010-10-15_TAI_"]
)
def test_what_only_looks_like_them_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_a_leap_second_in_tai_is_the_second_behind_it() -> None:
    assert parse_date("2017-01-01T00:00:36 TAI") == datetime(2017, 1, 1, tzinfo=UTC)
    assert parse_date("2017-01-01T00:00:37 TAI") == datetime(2017, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("2010-10-15T23:01", True),
        ("2010.10.15_23:01:30_TAI", True),
        ("15-OCT-2010 3:01", True),
        ("20101015_230130", True),
        ("2010-10-15", False),
        ("20101015", False),
        ("25/06/99", False),
        ("15-OCT-2010", False),
    ],
)
def test_a_day_is_not_taken_for_a_moment(text: str, whole: bool) -> None:
    assert has_time(text) is whole


@pytest.mark.parametrize("scale", ["TAI", "TT", "TDT", "ET", "TDB", "TCG", "tai"])
def test_dates_in_another_scale_are_turned_into_utc_as_astropy_does_it(scale: str) -> None:
    cards = {
        "DATE-OBS": "2014-03-01T00:00:27.900",
        "MJD-OBS": 56717.0003229,
        "T_OBS": "2014.03.01_00:01:25_TAI",
    }
    header = fits.Header({"TIMESYS": scale, **cards, "DATE": "2014-03-05T17:58:38", "DATE-END": "2014-03-01"})
    same = {"TDT": "tt", "ET": "tt"}.get(scale, scale.lower())
    found = in_utc(header)
    expected = Time(header["DATE-OBS"], scale=same).utc
    assert abs((Time(found["DATE-OBS"]) - expected).sec) < 1e-3
    assert abs(found["MJD-OBS"] - expected.mjd) < 1e-7
    assert found["TIMESYS"] == "UTC"
    assert [found[name] for name in ("T_OBS", "DATE", "DATE-END")] == [
        header[name] for name in ("T_OBS", "DATE", "DATE-END")
    ]
    assert header["TIMESYS"] == scale
    assert in_utc(found) is found


@pytest.mark.parametrize("said", ["UTC", "UTC (TBR)", "UT", "", "UTC(NIST)"])
def test_what_is_in_utc_stays_as_it_is(said: str) -> None:
    header = fits.Header({"TIMESYS": said, "DATE-OBS": "2014-03-01T00:00:27.900"})
    assert in_utc(header) is header
    assert not scale_of(header)
    assert unknown_scale(header) == ()


def test_a_scale_that_nobody_can_turn_into_utc_is_told() -> None:
    header = toy_frame(TIMESYS="LOCAL").header
    described = instrument("toy").describe(header)
    assert described.date_beg == datetime(2024, 5, 6, 7, 8, 9, 500000, tzinfo=UTC)
    assert any("LOCAL" in caveat for caveat in instrument("toy").check(header, described))


def test_a_description_is_in_utc_and_says_what_the_header_was_in() -> None:
    header = toy_frame(TIMESYS="TAI", **{"DATE-END": "2024-05-06T07:08:20.5"}).header
    described = instrument("toy").describe(header)
    assert described.date_beg == datetime(2024, 5, 6, 7, 7, 32, 500000, tzinfo=UTC)
    assert described.date_end - described.date_beg == timedelta(seconds=11)
    (caveat,) = instrument("toy").check(header, described)
    assert "TAI" in caveat


def toy(**rule: object) -> Instrument:
    return instrument("toy").model_copy(update={"date": DateRule.model_validate(rule)})


@pytest.mark.parametrize("name", ["TIME-OBS", "TIME_OBS", "UT", "UTIME"])
def test_the_time_of_day_is_found_under_the_names_in_use(name: str) -> None:
    found = toy().describe(toy_frame(**DAY, **{name: "07:08:09"}).header)
    assert (found.date_beg.isoformat(), found.caveats) == ("2024-05-06T07:08:09+00:00", ())


def test_a_keyword_with_a_time_comes_before_one_with_a_day() -> None:
    found = toy().describe(toy_frame(**DAY, DATE_OBS="2024-05-06T07:08:09").header)
    assert (found.date_beg.isoformat(), found.caveats) == ("2024-05-06T07:08:09+00:00", ())


def test_a_day_without_a_time_is_midnight_and_says_so() -> None:
    found = toy().describe(toy_frame(**DAY).header)
    assert found.date_beg == datetime(2024, 5, 6, tzinfo=UTC)
    assert found.caveats == ("DATE-OBS holds a day and nothing the time of day: midnight was taken",)


def test_a_date_before_there_was_an_instrument_is_none() -> None:
    two_digits = {"DATE-OBS": "25/06/02", "TIME-OBS": "10:00:10"}
    whole = {"DATE_OBS": "2002-06-25T10:00:11"}
    found = toy(since="1995-12-02").describe(toy_frame(**two_digits, **whole).header)
    assert found.date_beg == datetime(2002, 6, 25, 10, 0, 11, tzinfo=UTC)
    assert "25/06/02" in found.caveats[0]
    with pytest.raises(BadInput, match="no date that can be") as caught:
        toy(since="1995-12-02").describe(toy_frame(**two_digits).header)
    assert "none before 1995-12-02" in caught.value.advice


def test_a_begin_is_computed_from_the_middle_and_says_so() -> None:
    header = toy_frame(**{"DATE-OBS": ""}, T_OBS="2024-05-06T07:08:09Z", EXPTIME=2.0).header
    found = toy(middle=["T_OBS"]).describe(header)
    assert (found.date_beg, found.date_end) == tuple(
        datetime(2024, 5, 6, 7, 8, second, tzinfo=UTC) for second in (8, 10)
    )
    assert "T_OBS" in found.caveats[0]
    header.remove("EXPTIME")
    found = toy(middle=["T_OBS"]).describe(header)
    assert found.date_beg == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert "without the exposure time" in found.caveats[0]


def test_exposures_of_gris_are_milliseconds() -> None:
    header = fits.Header(
        {"INSTRUME": "GRIS", "LEVEL": "0", "DATE-OBS": "2017-09-29T08:00:00", "EXPTIME": 100.0}
    )
    found = recognise(header).describe(header)
    assert found.date_end - found.date_beg == timedelta(milliseconds=100)


@pytest.mark.parametrize(
    "name",
    [
        "aia/aia_171_cutout_20130310.fits",
        "full_disk/resampled_hmi_20140301.fits",
        "stereo_cor2/cor2_pol0_20100403_n4c2A.fts",
        "xrt/L1_XRT20120605_215839.9.fits",
        "wispr/psp_L2_wispr_20181101T004548_V3_1221.fits",
    ],
)
@pytest.mark.parametrize("scale", ["UTC", "TAI"])
@pytest.mark.filterwarnings("ignore")
def test_real_files_have_the_time_that_sunpy_reads_whatever_their_scale(
    name: str, scale: str, real_data: Path
) -> None:
    sunpy_map = pytest.importorskip("sunpy.map")
    with fits.open(real_data / name) as hdus:
        image = next(hdu for hdu in hdus if hdu.header.get("NAXIS") == 2)
        data, header = image.data, image.header.copy()
    header["TIMESYS"] = scale
    found = recognise(header).describe(header)
    other = sunpy_map.Map(data, header)
    assert abs((Time(found.date_beg.replace(tzinfo=None)) - other.date).sec) < 2e-3

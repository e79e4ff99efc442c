"""Instruments: recognised by what a header says, never by a file's name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.instrument import DateRule, LevelRule, MetaRule, parse_date
from pipeline.registry import instrument, recognise
from tests.toy import toy_frame

VALUES = {"0": "0", "1.0": "1"}


def test_a_plugged_in_instrument_is_recognised_by_its_header() -> None:
    assert recognise(toy_frame().header).name == "toy"


def test_what_nobody_recognises_is_refused_with_what_the_header_says() -> None:
    with pytest.raises(BadInput, match="no instrument recognises") as caught:
        recognise(toy_frame(DETECTOR="CAM9").header, source="x.fits")
    assert "CAM9" in caught.value.found
    assert "heliolake new instrument" in caught.value.advice
    with pytest.raises(BadInput, match="no instrument recognises") as caught:
        recognise(fits.Header({"NAXIS": 2}), source="x.fits")
    assert "as-is" in caught.value.advice


def test_a_header_gives_level_observation_dates_and_meta() -> None:
    description = instrument("toy").describe(toy_frame(EXPTIME=30.0).header)
    assert (description.level, description.observation) == ("0", "cam1_20240506")
    assert description.date_beg == datetime(2024, 5, 6, 7, 8, 9, 500000, tzinfo=UTC)
    assert (description.date_end - description.date_beg).total_seconds() == 30.0
    assert description.meta == {"camera": "1"}


@pytest.mark.parametrize(("card", "value"), [("LVL", "7"), ("DATE-OBS", "yesterday"), ("DATE-OBS", "")])
def test_a_header_that_does_not_say_enough_is_bad_input(card: str, value: str) -> None:
    with pytest.raises(BadInput) as caught:
        instrument("toy").describe(toy_frame(**{card: value}).header, source="x.fits")
    assert card in caught.value.keyword
    assert caught.value.file == "x.fits"


@pytest.mark.parametrize(
    ("text", "time", "expected"),
    [
        ("2011-02-15T00:00:00.34", "", datetime(2011, 2, 15, 0, 0, 0, 340000, tzinfo=UTC)),
        ("2011-02-15T00:00:01.34Z", "", datetime(2011, 2, 15, 0, 0, 1, 340000, tzinfo=UTC)),
        ("2000/09/03", "03:00:31.681", datetime(2000, 9, 3, 3, 0, 31, 681000, tzinfo=UTC)),
        ("2000-09-03 03:00:31", "", datetime(2000, 9, 3, 3, 0, 31, tzinfo=UTC)),
        ("06/01/96", "08:56:00", datetime(1996, 1, 6, 8, 56, tzinfo=UTC)),
        ("2016-12-31T23:59:60.5", "", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2012-07-01", "", datetime(2012, 7, 1, tzinfo=UTC)),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_dates_are_read_in_every_form_real_headers_use(
    text: str, time: str, expected: datetime | None
) -> None:
    assert parse_date(text, time) == expected


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "1599-12-31"])
def test_a_date_that_only_fills_its_place_is_no_date(date: str) -> None:
    with pytest.raises(BadInput, match="no date"):
        instrument("toy").describe(toy_frame(**{"DATE-OBS": date}).header)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:60", "9999-12-31T23:00:00-05:00"]
)
def test_a_date_beyond_all_calendars_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_a_date_that_is_taken_from_where_it_stands_second_is_said_to_be() -> None:
    described = instrument("toy").model_copy(update={"date": DateRule(keywords=("DATE-OBS", "T_OBS"))})
    second = {"T_OBS": "2024-05-06T07:08:10Z"}
    found = described.describe(toy_frame(**{"DATE-OBS": "MISSING"}, **second).header)
    assert found.date_beg == datetime(2024, 5, 6, 7, 8, 10, tzinfo=UTC)
    assert found.caveats == ("the date was taken from T_OBS, for it cannot be read from DATE-OBS=MISSING",)
    assert described.describe(toy_frame(**second).header).caveats == ()
    assert described.describe(toy_frame(**{"DATE-OBS": ""}, **second).header).caveats == ()


@pytest.mark.parametrize("written", ["1", 1, 1.0, "1.0", "1.", "1.00 "])
def test_a_level_is_the_same_number_however_it_is_written(written: str | float) -> None:
    assert instrument("toy").describe(toy_frame(LVL=written).header).level == "1"


def test_a_level_that_is_not_known_is_never_taken_for_the_default() -> None:
    described = instrument("toy").model_copy(
        update={"level": LevelRule(keyword="LVL", values=VALUES, default="0")}
    )
    assert described.describe(toy_frame(LVL="").header).level == "0"
    with pytest.raises(BadInput, match="level"):
        described.describe(toy_frame(LVL="L2").header)


def test_a_level_may_stand_in_a_name_where_its_keyword_is_absent() -> None:
    name = LevelRule(keyword="FILENAME", pattern="_lev([0-9])", values={"2": "2"}, default="0")
    rule = LevelRule(keyword="LVL", values=VALUES, otherwise=name)
    described = instrument("toy").model_copy(update={"level": rule})
    for cards, level in (
        ({"LVL": "", "FILENAME": "a_lev2.fits"}, "2"),
        ({"LVL": "", "FILENAME": "a_raw.fits"}, "0"),
        ({"LVL": "1.0", "FILENAME": "a_lev2.fits"}, "1"),
    ):
        assert described.describe(toy_frame(**cards).header).level == level
    assert rule.levels == {"0", "1", "2"}


@pytest.mark.parametrize("camera", ["1/2", "1 2", "\u00fc", "1" * 300])
def test_an_observation_whose_name_could_not_be_kept_is_bad_input(camera: str) -> None:
    described = instrument("toy").model_copy(update={"meta": {"camera": MetaRule(value=camera)}})
    with pytest.raises(BadInput, match="which observation") as caught:
        described.describe(toy_frame().header)
    assert camera in caught.value.found


@pytest.mark.parametrize(("value", "meta"), [(171.0, 171), (0.5, 0.5), ("  ", "none"), (" 171 ", "171")])
def test_a_searchable_value_does_not_depend_on_how_its_number_is_written(
    value: float | str, meta: object
) -> None:
    rule = {"wave": MetaRule(keyword="WAVELNTH", default="none"), "camera": MetaRule(value=1)}
    described = instrument("toy").model_copy(update={"meta": rule})
    found = described.describe(toy_frame(WAVELNTH=value).header).meta["wave"]
    assert (found, type(found)) == (meta, type(meta))


@pytest.mark.parametrize("number", ["1e400", "(171.0, 0.0)"])
def test_a_number_that_cannot_be_compared_is_no_searchable_value(number: str) -> None:
    header = toy_frame().header
    header.append(fits.Card.fromstring(f"WAVELNTH= {number:>20}"))
    described = instrument("toy").model_copy(
        update={"meta": {"wave": MetaRule(keyword="WAVELNTH"), "camera": MetaRule(value=1)}}
    )
    assert described.describe(header).meta == {"camera": 1}

"""Instruments: recognised by what a header says, never by a file's name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.errors import BadInput
from pipeline.instrument import instrument, parse_date, recognise
from tests.toy import toy_frame


def test_a_plugged_in_instrument_is_recognised_by_its_header() -> None:
    assert recognise(toy_frame().header).name == "toy"


def test_what_nobody_recognises_is_refused_with_what_the_header_says() -> None:
    with pytest.raises(BadInput, match="no instrument recognises") as caught:
        recognise(toy_frame(DETECTOR="CAM9").header, source="x.fits")
    assert "CAM9" in caught.value.found
    assert "instrument.yaml" in caught.value.advice


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

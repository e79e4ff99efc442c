"""Headers that say what cannot be are told from those that do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.keywords import KeywordRule, check_dates, check_twice, check_values
from pipeline.registry import instrument, instruments

AIA = {
    "TELESCOP": "SDO/AIA",
    "INSTRUME": "AIA_3",
    "WAVELNTH": 171,
    "LVL_NUM": 1.0,
    "DATE-OBS": "2011-02-15T00:00:00.34",
    "T_OBS": "2011-02-15T00:00:01.34Z",
    "DATE": "2012-10-12T23:56:57",
    "EXPTIME": 2.0,
}


def header(**cards: Any) -> fits.Header:
    """An ordinary header of AIA with some cards changed; None takes one away."""
    result = fits.Header(list(AIA.items()))
    for keyword, value in cards.items():
        name = keyword.replace("__", "-")
        if value is None:
            del result[name]
        else:
            result[name] = value
    return result


def caveats(**cards: Any) -> str:
    """What is said of such a header."""
    return "; ".join(checked(header(**cards)))


def checked(of: fits.Header, name: str = "sdo_aia") -> tuple[str, ...]:
    entry = instrument(name)
    described = entry.describe(of, "a.fits")
    return (*described.caveats, *entry.check(of, described, "a.fits"))


def test_nothing_is_said_of_an_ordinary_header() -> None:
    assert caveats() == ""


@pytest.mark.parametrize(
    ("keyword", "value", "shown"),
    [
        ("EXPTIME", -50.0, "-50.0"),
        ("EXPTIME", 1e9, "1000000000.0"),
        ("EXPTIME", "long", "long"),
        ("EXPTIME", True, "True"),
        ("WAVELNTH", 999, "999"),
        ("WAVELNTH", "green", "green"),
    ],
)
def test_a_required_keyword_out_of_its_range_puts_the_file_aside(
    keyword: str, value: object, shown: str
) -> None:
    with pytest.raises(BadInput, match="cannot be right") as refusal:
        caveats(**{keyword: value})
    assert (refusal.value.keyword, refusal.value.found, refusal.value.file) == (keyword, shown, "a.fits")
    assert refusal.value.advice


def test_a_required_keyword_that_is_absent_puts_the_file_aside() -> None:
    with pytest.raises(BadInput, match="the header has no EXPTIME"):
        caveats(EXPTIME=None)


@pytest.mark.parametrize("value", [171, 171.0, "171", " 171 "])
def test_a_value_counts_however_it_is_written(value: object) -> None:
    assert KeywordRule(values=(171, "WL")).allows(value)


def test_a_keyword_that_is_not_required_costs_a_caveat_where_it_stands() -> None:
    rules = {"N_IMAGES": KeywordRule(min=1, max=150)}
    assert check_values(rules, fits.Header()) == ()
    assert check_values(rules, fits.Header([("N_IMAGES", 99)])) == ()
    (told,) = check_values(rules, fits.Header([("N_IMAGES", 0)]))
    assert told == "N_IMAGES is 0 where a number from 1 to 150 is expected"


def test_instruments_without_rules_are_told_of_exposures_that_cannot_be() -> None:
    xrt = {"TELESCOP": "HINODE", "INSTRUME": "XRT", "DATA_LEV": 1, "DATE_OBS": "2021-01-20T01:02:03"}
    assert checked(fits.Header([*xrt.items(), ("EXPTIME", 25.0)]), "hinode_xrt") == ()
    for exposure in (-1.0, 1e6, "text"):
        (told,) = checked(fits.Header([*xrt.items(), ("EXPTIME", exposure)]), "hinode_xrt")
        assert told.startswith(f"EXPTIME is {exposure}")


def test_a_date_that_cannot_be_is_not_called_absent() -> None:
    with pytest.raises(BadInput, match="no date that can be") as refusal:
        caveats(DATE__OBS="2011-02-30T00:00:00", T_OBS=None)
    assert "2011-02-30" in refusal.value.found
    with pytest.raises(BadInput, match="has no date of observation"):
        caveats(DATE__OBS=None, T_OBS=None)


def test_dates_that_contradict_are_told_with_both() -> None:
    assert "T_OBS says 2014-02-15T00:00:00" in caveats(T_OBS="2014-02-15T00:00:00")
    assert "before the observation" in caveats(DATE="2010-01-01T00:00:00")
    assert "DATE-END is 2010-01-01" in caveats(DATE__END="2010-01-01T00:00:00")
    assert "DATE-END is 9999-01-01" in caveats(DATE__END="9999-01-01T00:00:00")
    assert "DATE-END is soon" in caveats(DATE__END="soon")
    # A day without a time says nothing about the time; old dates have two digits of a year.
    assert caveats(T_OBS="2011-02-15") == caveats(DATE="15/02/11") == ""


def test_an_end_that_cannot_be_is_not_believed() -> None:
    entry = instrument("sdo_aia")
    described = entry.describe(header(DATE__END="9999-01-01T00:00:00"))
    assert described.date_end == described.date_beg + timedelta(seconds=2)


def test_a_date_in_the_future_is_told() -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    assert check_dates({}, now + timedelta(hours=20), None, now) == ()
    (told,) = check_dates({}, now + timedelta(days=2), None, now)
    assert "in the future" in told


def test_a_keyword_that_stands_twice_is_told_where_its_values_differ() -> None:
    double = header()
    double.append(("EXPTIME", 5.0))
    double.append(("LVL_NUM", 1.0))
    double.append(("HISTORY", "a"))
    double.append(("HISTORY", "b"))
    (told,) = check_twice(double)
    assert "EXPTIME (2.0, 5.0)" in told
    assert "LVL_NUM" not in told


def test_every_described_range_is_one() -> None:
    for entry in instruments().values():
        for keyword, rule in entry.keywords.items():
            assert rule.values or rule.min is not None or rule.max is not None, (entry.name, keyword)
            assert rule.min is None or rule.max is None or rule.min < rule.max
            assert rule.source, (entry.name, keyword)


VALUES = st.one_of(
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    st.dates().map(str),
)


@given(st.dictionaries(st.sampled_from([*AIA, "DATE-END", "DATE_OBS", "QUALITY"]), VALUES, max_size=6))
def test_no_value_of_a_header_ends_in_anything_but_a_sentence(cards: dict[str, Any]) -> None:
    try:
        told = checked(header(**cards))
    except BadInput as error:
        told = (error.reason, error.found)
    assert all(sentence and sentence.isprintable() for sentence in told)

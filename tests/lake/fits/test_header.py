"""Headers are cleaned of cards that cannot be read; the others are not taken apart for that."""

from __future__ import annotations

import pytest
from astropy.io import fits
from hypothesis import example, given
from hypothesis import strategies as st

from lake.fits.header import _is_plain, clean_header
from lake.quiet import without_warnings

keywords = st.text("ABZ09_- ", min_size=1, max_size=8)
values = st.one_of(
    st.from_regex(r"[+-]?[0-9]{0,3}\.?[0-9]{0,3}([EDed][+-]?[0-9]{0,3})?", fullmatch=True),
    st.text("'a /=&.1TF\x1f\xe9", max_size=20).map(lambda text: f"'{text}'"),
    st.sampled_from(["T", "F", "nan", "NaN", "", "T F", "1 2", "(1.0, 2.0)", "- 1", "1e400", "''", "'''"]),
)
comments = st.text("a/ '=.\t\xe9", max_size=12)


@given(keywords, st.sampled_from(["= ", "=", "  ", " ="]), st.integers(0, 12), values, comments)
@example("SIMPLE", "= ", 19, "T", "/ conforms")
@example("DATE-OBS", "= ", 0, "'2011-09-10T11:47:21'", "")
@example("RATIO", "= ", 5, "'field: 1.5'", "")
@example("COMMENT", "  ", 0, "= 'unfinished", "")
def test_a_card_that_is_called_plain_can_be_read(
    keyword: str, equals: str, blanks: int, value: str, comment: str
) -> None:
    image = f"{keyword:8}{equals}{' ' * blanks}{value}{comment}"[:80].ljust(80)
    card = fits.Card.fromstring(image.encode("latin-1"))
    if _is_plain(card):
        with without_warnings():
            _ = card.keyword, card.value, card.comment


@pytest.mark.parametrize(
    "image",
    [
        "SIMPLE  =                    T / conforms to FITS",
        "CRVAL1  =               -1.5E3 / [arcsec]",
        "NAXIS   =                    2",
        "DATE-OBS= '2011-09-10T11:47:21.000' / begin",
        "ORIGIN  = 'O''Brien / Sons'    / with a quote",
        "COMMENT   anything = 'goes here",
        "HISTORY",
        "",
    ],
)
def test_cards_as_nearly_all_are_are_called_plain(image: str) -> None:
    assert _is_plain(fits.Card.fromstring(image.ljust(80)))


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("TEMP    =                  nan / bare", ["TEMP"]),
        ("TEMP    =                  1.0 / fine", []),
        ("TEMP    = 'unfinished", ["TEMP"]),
    ],
)
def test_a_card_that_cannot_be_read_is_undefined_and_told(image: str, told: list[str]) -> None:
    header = fits.Header.fromstring("SIMPLE  =                    T".ljust(80) + image.ljust(80))
    with without_warnings():
        clean, odd = clean_header(header)
    assert odd == told
    assert (clean["TEMP"] is None) == bool(told)

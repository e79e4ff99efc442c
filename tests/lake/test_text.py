"""No text from outside moves a cursor, changes a colour, turns letters around or hides."""

from __future__ import annotations

import io
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.text import PlainFormatter, listed, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("hi1a_s4.fts", "hi1a_s4.fts"),
        ("Ångström 171 Å, Größe, 太陽, ☉", "Ångström 171 Å, Größe, 太陽, ☉"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb\nc\td\x00", "a\\x0db\\x0ac\\x09d\\x00"),
        ("fits.\u202egpj", "fits.\\u202egpj"),
        ("\u2066x\u2069\u200e\u061c", "\\u2066x\\u2069\\u200e\\u061c"),
        ("a\u200bb\ufeffc\u00add", "a\\u200bb\\ufeffc\\xadd"),
        ("name\udcff", "name\\udcff"),
        ("a\xa0b\u2028c", "a\\xa0b\\u2028c"),
        ("\u3164\ufe0f\U000e0041", "\\u3164\\ufe0f\\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, seen: str) -> None:
    assert printable(text) == seen


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n\x1bb\r\n") == "a\n\\x1bb\\x0d\n"


@pytest.mark.parametrize(
    ("names", "row"), [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")]
)
def test_of_many_names_some_are_listed_and_the_rest_is_counted(names: str, row: str) -> None:
    assert listed(names, 3) == row


def test_a_log_holds_no_escape_sequences_in_messages_or_tracebacks() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    PlainFormatter.install(handler)
    PlainFormatter.install(handler)
    logger = logging.Logger("plain")  # noqa: LOG001 - one that no other test hears
    logger.addHandler(handler)
    try:
        raise ValueError("\x1b[2J\u202e")
    except ValueError:
        logger.exception("in %s", "name\x9b.fits")
    lines = stream.getvalue().splitlines()
    assert lines[0] == r"ERROR in name\x9b.fits"
    assert lines[-1] == r"ValueError: \x1b[2J\u202e"
    assert all(line.isprintable() for line in lines)


@given(st.text(st.characters(codec=None)))
def test_what_comes_out_is_seen_can_be_written_and_does_not_change_again(text: str) -> None:
    seen = printable(text)
    seen.encode("utf-8")
    assert not [one for one in seen if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert printable(seen) == seen


@given(st.text("abc ÄÖÜßéñ☉°″×−", max_size=50))
def test_letters_of_any_language_stay(text: str) -> None:
    assert printable(text) == text

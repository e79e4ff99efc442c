"""Headers of chains come to what astropy's own would, card by card."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import cards
from pipeline.cards import ChainHeader, drop, numbered, put, same

NAMES = ("A", "B", "EXPTIME", "DATE-OBS", "PRSTEP1", "PRSTEP12", "NAXIS")
VALUES = st.one_of(
    st.integers(-9, 9),
    st.floats(-1e9, 1e9),
    st.booleans(),
    st.sampled_from(["", "x", "a'b", "y" * 90]),
    st.none(),
)
COMMENTS = st.one_of(st.none(), st.sampled_from(["", "a comment"]))
ENTRIES = st.lists(st.tuples(st.sampled_from(NAMES), VALUES, COMMENTS), max_size=6)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), ENTRIES),
        st.tuples(st.just("drop"), st.lists(st.sampled_from((*NAMES, "HISTORY", "ABSENT")), max_size=3)),
        st.tuples(st.just("history"), st.text("ab ", min_size=1, max_size=99)),
        st.tuples(st.just("comment"), st.text("ab ", min_size=1, max_size=9)),
        st.tuples(st.just("blank"), st.just("")),
        st.tuples(st.just("long"), st.integers(0, 9)),
        st.tuples(st.just("record"), st.integers(0, 9)),
        st.tuples(st.just("copy"), st.just("")),
        st.tuples(st.just("comments"), st.just("another")),
        st.tuples(st.just("first"), st.integers(0, 9)),
        st.tuples(st.just("card"), st.just("by hand")),
    ),
    max_size=12,
)


def plainly(header: fits.Header, entries: list[cards.Entry]) -> None:
    for name, value, comment in entries:
        header[name] = value if comment is None else (value, comment)


def do(header: fits.Header, deed: str, what: object) -> fits.Header:
    """What is done alike to both."""
    deeds: dict[str, Callable[[], object]] = {
        "history": lambda: header.add_history(what),
        "comment": lambda: header.add_comment(what),
        "blank": header.append,
        "long": lambda: header.__setitem__("HIERARCH a long keyword", what),
        "record": lambda: header.append(fits.Card("DP1", f"AXIS.1: {what}")),
    }
    if deed == "copy":
        return header.copy()
    if deed in ("comments", "first", "card"):
        if len(header) and header.cards[0].keyword not in ("", "HISTORY", "COMMENT"):
            deeds["comments"] = lambda: header.comments.__setitem__(0, what)
            deeds["first"] = lambda: header.__setitem__(0, what)
            deeds["card"] = lambda: setattr(header.cards[0], "comment", what)
            deeds[deed]()
        return header
    deeds[deed]()
    return header


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
@settings(max_examples=60)
@given(DEEDS)
def test_whatever_is_done_to_it_it_stays_the_header_that_astropy_makes(
    deeds: list[tuple[str, object]],
) -> None:
    plain, quick = fits.Header(), ChainHeader()
    before: list[tuple[fits.Header, str]] = []
    for deed, what in deeds:
        before.append((quick.copy(), quick.tostring()))
        if deed == "put":
            plainly(plain, what)  # type: ignore[arg-type]
            put(quick, what)  # type: ignore[arg-type]
        elif deed == "drop":
            for name in what:  # type: ignore[attr-defined]
                plain.remove(name, ignore_missing=True, remove_all=True)
            drop(quick, what)  # type: ignore[arg-type]
        else:
            plain, quick = do(plain, deed, what), do(quick, deed, what)
    assert isinstance(quick, ChainHeader)
    assert quick.tostring() == plain.tostring()
    assert same(quick, plain)
    assert all(copy.tostring() == text for copy, text in before)
    for name in {*NAMES, *plain}:  # the index says where they are
        assert (name in quick) == (name in plain)
        assert str(quick.get(name)) == str(plain.get(name))


def test_a_copy_has_cards_of_its_own() -> None:
    header = ChainHeader.of(fits.Header({"A": 1, "B": "x"}))
    copy = header.copy()
    copy["A"] = 2
    copy.comments["B"] = "changed"
    copy["C"] = 3
    assert (header["A"], header.comments["B"], "C" in header) == (1, "", False)
    assert not same(header, copy)


def test_a_text_that_is_put_often_is_not_shared() -> None:
    one, other = ChainHeader(), ChainHeader()
    for header in (one, other):
        put(header, [("A", "text", "what it is")])
    one["A"] = "another"
    assert other["A"] == "text"


def test_a_copy_for_another_kind_of_hdu_is_stripped_as_astropy_s() -> None:
    header = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("A", 1)])
    assert ChainHeader.of(header).copy(strip=True).tostring() == header.copy(strip=True).tostring()


def test_it_goes_from_one_process_to_another() -> None:
    header = ChainHeader.of(fits.Header({"A": 1}))
    header.add_history("something")
    assert same(pickle.loads(pickle.dumps(header)), header)


def test_a_header_as_astropy_may_have_it_one_day_is_treated_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cards, "_IS_KNOWN", False)
    header = ChainHeader.of(fits.Header({"A": 1, "B": 2}))
    header.add_history("something")
    put(header, [("C", 3, "new"), ("A", 4, None)])
    drop(header, ["B", "ABSENT"])
    assert dict(header.copy()) == {"A": 4, "C": 3, "HISTORY": header["HISTORY"]}


def test_cards_of_one_kind_are_those_with_a_number() -> None:
    header = fits.Header({"PRSTEP2": "b", "PRSTEP1": "a", "PRSTEPX": "x", "PRSTEP": "y"})
    assert list(numbered(header, "PRSTEP")) == ["PRSTEP2", "PRSTEP1"]

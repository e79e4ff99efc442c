"""Each choice of a reference is right by instrument, need, date and keywords, and has a reason to check."""

from __future__ import annotations

import itertools
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.calibration.choice import Context, choose
from lake.calibration.references import ReferenceInfo

NUMBERS = itertools.count(1)


def day(number: int) -> datetime:
    """A day of 2020."""
    return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number)


def reference(
    need: str = "flat",
    begin: int | None = None,
    end: int | None = None,
    instrument: str = "hi",
    **selectors: object,
) -> ReferenceInfo:
    """A reference that is nowhere but here."""
    number = next(NUMBERS)
    return ReferenceInfo(
        number,
        need,
        instrument,
        f"references:{need}.v{number:04d}.fits",
        "0" * 64,
        "a paper",
        None if begin is None else day(begin),
        None if end is None else day(end),
        selectors,
    )


def context_of(*items: ReferenceInfo) -> Context:
    """A context of these."""
    return Context(7, "", items)


def test_of_references_by_date_the_valid_one_is_taken_and_its_end_is_excluded() -> None:
    early, late = reference(begin=0, end=10), reference(begin=10)
    context = context_of(early, late)
    assert choose(context, "hi", "flat", day(9), {}).reference == early
    assert choose(context, "hi", "flat", day(10), {}).reference == late


def test_a_more_specific_reference_wins_over_a_later_one() -> None:
    special, later = reference(begin=0, DETECTOR="HI1"), reference(begin=5)
    context = context_of(special, later)
    assert choose(context, "hi", "flat", day(6), {"DETECTOR": "HI1"}).reference == special
    assert choose(context, "hi", "flat", day(6), {"DETECTOR": "HI2"}).reference == later


def test_of_equals_the_latest_is_taken_and_the_reason_counts_them() -> None:
    first, second = reference(), reference()
    choice = choose(context_of(second, first), "hi", "flat", day(0), {})
    assert choice.reference == second
    assert "2 that fit" in choice.why


@pytest.mark.parametrize(
    ("selector", "value"),
    [("171", 171), (171, "171"), (1.5, 1.50), ("HI1", "HI1 "), (["HI1", "HI2"], "HI2"), (True, True)],
)
def test_selectors_agree_by_meaning(selector: object, value: object) -> None:
    assert choose(context_of(reference(KEY=selector)), "hi", "flat", day(0), {"KEY": value}).reference


@pytest.mark.parametrize(("selector", "value"), [("171", 193), ("HI1", "HI10"), (["a"], "b"), (1, True)])
def test_selectors_that_disagree_exclude(selector: object, value: object) -> None:
    assert choose(context_of(reference(KEY=selector)), "hi", "flat", day(0), {"KEY": value}).reference is None


def test_the_reason_of_a_choice_names_reference_context_validity_and_selectors() -> None:
    chosen = reference(begin=0, end=10, DETECTOR="HI1")
    why = choose(context_of(chosen), "hi", "flat", day(1), {"DETECTOR": "HI1"}).why
    for part in (chosen.did, "context 7", "2020-01-01", "2020-01-11", "DETECTOR=HI1"):
        assert part in why


def test_without_a_context_the_reason_says_so() -> None:
    assert "no context is in use" in choose(None, "hi", "flat", day(0), {}).why


def test_what_is_missing_is_said_with_what_there_is_and_how_to_add() -> None:
    context = context_of(reference(begin=0, end=5))
    assert "no bias for hi" in choose(context, "hi", "bias", day(0), {}).why
    late = choose(context, "hi", "flat", day(9), {})
    assert late.reference is None
    assert "until 2020-01-06" in late.why
    assert "heliolake context add --need flat" in late.why
    other = choose(context_of(reference(DETECTOR="HI1")), "hi", "flat", day(0), {"DETECTOR": "HI2"})
    assert "DETECTOR is 'HI2', not 'HI1'" in other.why


def test_a_simulated_reference_is_called_that() -> None:
    simulated = ReferenceInfo(1, "flat", "hi", "references:f.v0001.fits", "0", "model", simulated=True)
    assert "simulated" in choose(context_of(simulated), "hi", "flat", None, {}).why


def test_a_measured_reference_goes_before_a_simulated_one_that_is_as_specific() -> None:
    measured = ReferenceInfo(1, "flat", "hi", "references:f.v0001.fits", "0", "a lamp")
    made = ReferenceInfo(2, "flat", "hi", "references:s.v0001.fits", "0", "model", simulated=True)
    assert choose(context_of(measured, made), "hi", "flat", None, {}).reference == measured
    meant = ReferenceInfo(
        3, "flat", "hi", "references:t.v0001.fits", "0", "model", selectors={"SIMULATD": True}, simulated=True
    )
    for_simulated = choose(context_of(measured, meant), "hi", "flat", None, {"SIMULATD": True})
    assert for_simulated.reference == meant


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=6), st.integers(-1, 20))
def test_the_choice_is_valid_at_the_date_and_does_not_depend_on_order(
    spans: list[tuple[int, int]], at: int
) -> None:
    items = [reference(begin=begin, end=begin + length) for begin, length in spans]
    choice = choose(context_of(*items), "hi", "flat", day(at), {})
    assert choice == choose(context_of(*items[::-1]), "hi", "flat", day(at), {})
    fitting = [begin for begin, length in spans if begin <= at < begin + length]
    assert (choice.reference is None) == (not fitting)
    if choice.reference is not None:
        assert choice.reference.valid_from == day(max(fitting))


def spikes_of(name: str) -> ReferenceInfo:
    """A reference for one file, which is known under two names."""
    return reference(need="spikes", FILENAME=[f"{name}.image_lev1.fits", f"{name}.image.fits"])


def test_of_many_references_for_single_files_each_finds_its_own_and_general_ones_compete() -> None:
    own, general = [spikes_of(f"f{number}") for number in range(200)], reference(need="spikes")
    context = context_of(*own, general)
    for number in (0, 117, 199):
        for name in (f"f{number}.image_lev1.fits", f"f{number}.image.fits"):
            assert choose(context, "hi", "spikes", day(0), {"FILENAME": name}).reference == own[number]
    assert choose(context, "hi", "spikes", day(0), {"FILENAME": "other.fits"}).reference == general
    assert choose(context, "hi", "spikes", day(0), {}).reference == general


def test_where_all_references_are_for_other_files_the_reason_names_the_file_and_their_number() -> None:
    context = context_of(*(spikes_of(f"f{number}") for number in range(200)))
    choice = choose(context, "hi", "spikes", day(0), {"FILENAME": "g.image.fits"})
    assert choice.reference is None
    assert "FILENAME 'g.image.fits'; its 200 are for other files" in choice.why
    assert "heliolake context add --need spikes" in choice.why


def test_a_context_that_was_asked_travels_without_its_index() -> None:
    context = context_of(*(spikes_of(f"f{number}") for number in range(60)))
    before = pickle.dumps(context)
    choose(context, "hi", "spikes", day(0), {})
    assert pickle.dumps(context) == before
    assert pickle.loads(before) == context


@pytest.mark.parametrize("span", [(0, None), (None, 5), (0, 5)])
def test_a_frame_without_a_date_gets_no_reference_that_begins_or_ends(
    span: tuple[int | None, int | None],
) -> None:
    begin, end = span
    choice = choose(context_of(reference(begin=begin, end=end)), "hi", "flat", None, {})
    assert choice.reference is None
    assert "an unknown time" in choice.why


def test_a_frame_without_a_date_gets_a_reference_that_is_always_valid() -> None:
    always = reference()
    assert choose(context_of(always, reference(begin=0)), "hi", "flat", None, {}).reference == always


def test_a_reference_serves_its_own_instrument_and_need_only() -> None:
    context = context_of(reference(need="flat", instrument="hi"))
    assert choose(context, "hi", "flat", day(0), {}).reference is not None
    assert choose(context, "aia", "flat", day(0), {}).reference is None
    assert choose(context, "hi", "dark", day(0), {}).reference is None


def test_a_selector_on_a_keyword_that_the_frame_lacks_excludes() -> None:
    choice = choose(context_of(reference(DETECTOR="HI1")), "hi", "flat", day(0), {})
    assert choice.reference is None
    assert "DETECTOR is 'absent', not 'HI1'" in choice.why


def test_what_is_nearest_is_named_first_where_nothing_is_valid() -> None:
    items = [reference(begin=start, end=start + 1) for start in (10, 40, 20, 30)]
    why = choose(context_of(*items), "hi", "flat", day(42), {}).why
    assert [one.did in why for one in items] == [False, True, True, True]
    assert why.index(items[1].did) < why.index(items[3].did) < why.index(items[2].did)
    assert "and 1 more" in why


def test_of_references_that_clash_the_one_with_the_fewest_clashes_is_named() -> None:
    near, far = reference(A=1, B=2), reference(A=9, B=9)
    why = choose(context_of(far, near), "hi", "flat", day(0), {"A": 1, "B": 3}).why
    assert f"nearest is {near.did}, but B is 3, not 2;" in why


def test_a_frame_without_a_name_is_told_that_references_are_for_files() -> None:
    context = context_of(*(spikes_of(f"f{number}") for number in range(200)))
    assert "FILENAME 'absent'" in choose(context, "hi", "spikes", day(0), {}).why


def test_a_context_is_written_down_with_all_that_it_is() -> None:
    one = reference(begin=0)
    context = Context(7, "hi", (one,), "the first", day(3))
    assert context.as_dict() == {
        "context": 7,
        "instrument": "hi",
        "note": "the first",
        "created": "2020-01-04T00:00:00.000Z",
        "references": [one.as_dict()],
    }


@pytest.mark.parametrize(
    ("span", "told"),
    [
        ((None, None), "valid always"),
        ((0, None), "valid from 2020-01-01T00:00:00.000Z"),
        ((None, 9), "valid until 2020-01-10T00:00:00.000Z"),
        ((0, 9), "valid from 2020-01-01T00:00:00.000Z until 2020-01-10T00:00:00.000Z"),
    ],
)
def test_the_reason_of_a_choice_tells_both_ends_of_the_validity(
    span: tuple[int | None, int | None], told: str
) -> None:
    why = choose(context_of(reference(begin=span[0], end=span[1])), "hi", "flat", day(3), {}).why
    assert f"({told})" in why


def test_a_frame_without_a_date_is_told_of_the_references_in_order_of_their_number() -> None:
    items = [reference(begin=start, end=start + 1) for start in (40, 10, 30, 20)]
    why = choose(context_of(*items[::-1]), "hi", "flat", None, {}).why
    places = [why.find(one.did) for one in items]
    assert 0 < places[0] < places[1] < places[2]
    assert places[3] == -1


def test_where_references_are_few_the_nearest_is_named_even_where_it_is_for_another_file() -> None:
    for number, few in ((50, True), (51, False)):
        context = context_of(*(spikes_of(f"f{one}") for one in range(number)))
        why = choose(context, "hi", "spikes", None, {"FILENAME": "g"}).why
        assert ("nearest is" in why) is few
        assert (f"its {number} are for other files" in why) is not few

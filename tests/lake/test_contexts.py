"""References are versioned and immutable, contexts number them, and each choice has a reason to check."""

from __future__ import annotations

import itertools
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import contexts, references, search
from lake.contexts import Context, choose, diff
from lake.errors import BadInput
from lake.lake import Lake
from lake.names import ProductKey
from lake.references import NewReference, ReferenceInfo
from lake.releases import Provenance, publish, reserve
from tests.lake.conftest import MakeFiles

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


class TestChoosing:
    """By instrument, need, date and keywords; the most specific, then the latest."""

    def test_of_references_by_date_the_valid_one_is_taken_and_its_end_is_excluded(self) -> None:
        early, late = reference(begin=0, end=10), reference(begin=10)
        context = context_of(early, late)
        assert choose(context, "hi", "flat", day(9), {}).reference == early
        assert choose(context, "hi", "flat", day(10), {}).reference == late

    def test_a_more_specific_reference_wins_over_a_later_one(self) -> None:
        special, later = reference(begin=0, DETECTOR="HI1"), reference(begin=5)
        context = context_of(special, later)
        assert choose(context, "hi", "flat", day(6), {"DETECTOR": "HI1"}).reference == special
        assert choose(context, "hi", "flat", day(6), {"DETECTOR": "HI2"}).reference == later

    def test_of_equals_the_latest_is_taken_and_the_reason_counts_them(self) -> None:
        first, second = reference(), reference()
        choice = choose(context_of(second, first), "hi", "flat", day(0), {})
        assert choice.reference == second
        assert "2 that fit" in choice.why

    @pytest.mark.parametrize(
        ("selector", "value"),
        [("171", 171), (171, "171"), (1.5, 1.50), ("HI1", "HI1 "), (["HI1", "HI2"], "HI2"), (True, True)],
    )
    def test_selectors_agree_by_meaning(self, selector: object, value: object) -> None:
        assert choose(context_of(reference(KEY=selector)), "hi", "flat", day(0), {"KEY": value}).reference

    @pytest.mark.parametrize(("selector", "value"), [("171", 193), ("HI1", "HI10"), (["a"], "b"), (1, True)])
    def test_selectors_that_disagree_exclude(self, selector: object, value: object) -> None:
        assert (
            choose(context_of(reference(KEY=selector)), "hi", "flat", day(0), {"KEY": value}).reference
            is None
        )

    def test_the_reason_of_a_choice_names_reference_context_validity_and_selectors(self) -> None:
        chosen = reference(begin=0, end=10, DETECTOR="HI1")
        why = choose(context_of(chosen), "hi", "flat", day(1), {"DETECTOR": "HI1"}).why
        for part in (chosen.did, "context 7", "2020-01-01", "2020-01-11", "DETECTOR=HI1"):
            assert part in why

    def test_without_a_context_the_reason_says_so(self) -> None:
        assert "no context is in use" in choose(None, "hi", "flat", day(0), {}).why

    def test_what_is_missing_is_said_with_what_there_is_and_how_to_add(self) -> None:
        context = context_of(reference(begin=0, end=5))
        assert "no bias for hi" in choose(context, "hi", "bias", day(0), {}).why
        late = choose(context, "hi", "flat", day(9), {})
        assert late.reference is None
        assert "until 2020-01-06" in late.why
        assert "heliolake context add --need flat" in late.why
        other = choose(context_of(reference(DETECTOR="HI1")), "hi", "flat", day(0), {"DETECTOR": "HI2"})
        assert "DETECTOR is 'HI2', not 'HI1'" in other.why

    def test_a_simulated_reference_is_called_that(self) -> None:
        simulated = ReferenceInfo(1, "flat", "hi", "references:f.v0001.fits", "0", "model", simulated=True)
        assert "simulated" in choose(context_of(simulated), "hi", "flat", None, {}).why

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=6), st.integers(-1, 20))
    def test_the_choice_is_valid_at_the_date_and_does_not_depend_on_order(
        self, spans: list[tuple[int, int]], at: int
    ) -> None:
        items = [reference(begin=begin, end=begin + length) for begin, length in spans]
        choice = choose(context_of(*items), "hi", "flat", day(at), {})
        assert choice == choose(context_of(*items[::-1]), "hi", "flat", day(at), {})
        fitting = [begin for begin, length in spans if begin <= at < begin + length]
        assert (choice.reference is None) == (not fitting)
        if choice.reference is not None:
            assert choice.reference.valid_from == day(max(fitting))


class TestDifference:
    """What was added, removed and replaced."""

    def test_a_reference_of_like_purpose_and_time_is_replaced(self) -> None:
        old, new, kept = reference(begin=0, D="1"), reference(begin=0, D="1"), reference(need="bias")
        change = diff(context_of(old, kept), context_of(new, kept))
        assert (change.added, change.removed, change.replaced) == ((), (), ((old, new),))

    def test_references_of_other_times_or_selectors_do_not_replace_each_other(self) -> None:
        old, new, other = reference(begin=0, end=5), reference(begin=5), reference(begin=0, D="1")
        change = diff(context_of(old), context_of(new, other))
        assert (change.added, change.removed, change.replaced) == ((new, other), (old,), ())

    @given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
    def test_every_change_is_told_once(self, before: set[int], after: set[int]) -> None:
        items = [reference(need=f"n{number % 2}") for number in range(6)]
        change = diff(context_of(*(items[n] for n in before)), context_of(*(items[n] for n in after)))
        gone = [one.id for one in change.removed] + [old.id for old, _ in change.replaced]
        come = [one.id for one in change.added] + [new.id for _, new in change.replaced]
        assert sorted(gone) == sorted(items[n].id for n in before - after)
        assert sorted(come) == sorted(items[n].id for n in after - before)


@pytest.fixture
def flat(tmp_path: Path, scope: str) -> NewReference:
    """A calibration file of an instrument no other test uses."""
    path = tmp_path / f"{scope}_flat.fits"
    path.write_bytes(b"flat of " + scope.encode())
    return NewReference(path, "flat", scope, "a paper", selectors={"DETECTOR": "HI1"})


class TestKeeping:
    """References and contexts in a real lake."""

    def test_an_added_reference_is_a_versioned_file_of_the_lake(
        self, lake: Lake, flat: NewReference, scope: str
    ) -> None:
        (added,) = references.add(lake, [flat])
        assert added.did == f"references:{scope}_flat.v0001.fits"
        assert references.path_of(lake, added).read_bytes() == flat.path.read_bytes()
        assert references.listing(lake, scope) == [added]
        assert search.search(lake, instrument="references", pattern=f"references:{scope}*")[0]["files"] == 1

    def test_the_same_reference_twice_is_one(self, lake: Lake, flat: NewReference) -> None:
        assert references.add(lake, [flat]) == references.add(lake, [flat])

    def test_changed_bytes_or_facts_are_the_next_version(
        self, lake: Lake, flat: NewReference, scope: str
    ) -> None:
        references.add(lake, [flat])
        dated = NewReference(flat.path, "flat", scope, "a paper", valid_from=day(0), selectors=flat.selectors)
        (second,) = references.add(lake, [dated])
        flat.path.write_bytes(b"a better flat")
        (third,) = references.add(lake, [flat])
        assert second.did.endswith("v0002.fits")
        assert third.did.endswith("v0003.fits")

    def test_references_that_crash_left_without_their_facts_are_finished(
        self, lake: Lake, flat: NewReference, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(references, "_insert", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                references.add(lake, [flat])
        (added,) = references.add(lake, [flat])
        assert added.did.endswith("v0001.fits")

    def test_bytes_that_a_crash_left_under_a_version_are_stepped_over(
        self, lake: Lake, flat: NewReference, scope: str
    ) -> None:
        from lake.storage import put_bytes

        put_bytes(lake.root, "references", f"{scope}_flat.v0001.fits", b"left by a crash")
        (added,) = references.add(lake, [flat])
        assert added.did.endswith("v0002.fits")

    def test_many_references_are_added_together_in_order(
        self, lake: Lake, tmp_path: Path, scope: str
    ) -> None:
        new = []
        for number in range(5):
            path = tmp_path / f"{scope}_{number}.fits"
            path.write_bytes(path.name.encode())
            new.append(
                NewReference(
                    path, "flat", scope, "a paper", valid_from=day(number), valid_until=day(number + 1)
                )
            )
        added = references.add(lake, new)
        assert [one.valid_from for one in added] == [day(number) for number in range(5)]
        assert len(search.search(lake, instrument="references", pattern=f"references:{scope}*")) == 1

    def test_a_validity_that_ends_before_it_begins_is_refused(
        self, lake: Lake, flat: NewReference, scope: str
    ) -> None:
        wrong = NewReference(flat.path, "flat", scope, "a paper", day(5), day(5))
        with pytest.raises(BadInput, match="ends before it begins"):
            references.add(lake, [wrong])

    def test_a_context_keeps_its_number_and_content(self, lake: Lake, flat: NewReference, scope: str) -> None:
        added = references.add(lake, [flat])
        context = contexts.create(lake, added, scope, "first")
        assert contexts.create(lake, added, scope) == context
        flat.path.write_bytes(b"a better flat")
        better = references.add(lake, [flat])
        larger = contexts.extend(lake, context, better)
        assert larger.number > context.number
        assert contexts.load(lake, context.number) == context
        assert [one.did for one in larger.references] == [added[0].did, better[0].did]
        assert contexts.extend(lake, larger, [], remove=added).references == tuple(better)

    def test_a_context_travels_between_processes(self, lake: Lake, flat: NewReference, scope: str) -> None:
        context = contexts.create(lake, references.add(lake, [flat]), scope)
        assert pickle.loads(pickle.dumps(context)) == context

    def test_the_context_in_use_is_the_instruments_own_or_the_one_for_all(
        self, lake: Lake, flat: NewReference, scope: str
    ) -> None:
        context = contexts.create(lake, references.add(lake, [flat]), scope)
        before = contexts.current(lake, scope)
        assert before is None or before.instrument == ""
        contexts.use(lake, context.number)
        assert contexts.current(lake, scope) == context
        assert contexts.current(lake, f"{scope}x") == before
        (listed,) = [row for row in contexts.listing(lake) if row["context"] == context.number]
        assert (listed["references"], listed["current_for"]) == (1, [scope])

    def test_a_context_that_does_not_exist_is_said_so(self, lake: Lake) -> None:
        with pytest.raises(BadInput, match="no context 999999"):
            contexts.load(lake, 999_999)

    def test_a_changed_context_names_the_products_to_reprocess(
        self, lake: Lake, flat: NewReference, scope: str, make_files: MakeFiles
    ) -> None:
        (old,) = references.add(lake, [flat])
        used, unused = ProductKey(scope, "used", "1"), ProductKey(scope, "unused", "1")
        publish(lake, reserve(lake, used, "k"), make_files("a.fits"), Provenance(recipe="r", refs=[old.did]))
        publish(lake, reserve(lake, unused, "k"), make_files("b.fits"), Provenance(recipe="r"))
        flat.path.write_bytes(b"a better flat")
        (new,) = references.add(lake, [flat])
        change = diff(contexts.create(lake, [old], scope), contexts.create(lake, [new], scope))
        found = {row["product"]: row["certain"] for row in contexts.affected(lake, change)}
        assert found == {used.name: True, unused.name: False}

    def test_a_new_reference_concerns_only_products_it_could_apply_to(
        self, lake: Lake, flat: NewReference, scope: str, make_files: MakeFiles
    ) -> None:
        for name, detector in (("one", "HI1"), ("two", "HI2")):
            provenance = Provenance(recipe="r", observation_meta={"detector": detector})
            publish(
                lake, reserve(lake, ProductKey(scope, name, "1"), "k"), make_files(f"{name}.fits"), provenance
            )
        (added,) = references.add(lake, [flat])
        change = diff(contexts.create(lake, [], scope), contexts.create(lake, [added], scope))
        assert [row["product"] for row in contexts.affected(lake, change)] == [f"{scope}:one.l1"]

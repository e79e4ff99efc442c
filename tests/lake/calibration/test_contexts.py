"""References are versioned and immutable, contexts number them, and each choice has a reason to check."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.calibration import contexts, references
from lake.calibration.contexts import diff
from lake.calibration.references import NewReference
from lake.errors import BadInput
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import search
from lake.releases.drafts import Provenance, reserve
from lake.releases.finding import Wanted
from lake.releases.releases import publish
from tests.lake.calibration.test_choice import context_of, day, reference
from tests.lake.conftest import MakeFiles


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
        assert lake.store.read(references.ref_of(lake, added).key) == flat.path.read_bytes()
        assert references.listing(lake, scope) == [added]
        assert (
            search.search(lake, Wanted(instrument="references", pattern=f"references:{scope}*"))[0]["files"]
            == 1
        )

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
        from lake.storage.store import key_of

        lake.store.put(key_of("references", f"{scope}_flat.v0001.fits"), b"left by a crash")
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
        assert len(search.search(lake, Wanted(instrument="references", pattern=f"references:{scope}*"))) == 1

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

    def test_a_new_reference_for_single_files_concerns_only_what_was_made_of_them(
        self, lake: Lake, flat: NewReference, scope: str, make_files: MakeFiles
    ) -> None:
        for name in ("one", "two"):
            publish(
                lake,
                reserve(lake, ProductKey(scope, name, "0"), "k"),
                make_files(f"{name}.raw.fits"),
                Provenance(),
            )
            made = ProductKey(scope, name, "1")
            publish(lake, reserve(lake, made, "k"), make_files(f"{name}.fits"), Provenance(recipe="r"))
        spikes = replace(flat, need="spikes", selectors={"FILENAME": ["two.raw.fits", "two.RAW.fits"]})
        (added,) = references.add(lake, [spikes])
        change = diff(contexts.create(lake, [], scope), contexts.create(lake, [added], scope))
        (row,) = contexts.affected(lake, change)
        assert (row["product"], row["certain"]) == (f"{scope}:two.l1", False)

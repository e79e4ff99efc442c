"""The ledger shares a run among executors, loses no unit to a dead one and does none twice."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from lake.errors import Fatal
from lake.lake import Lake
from lake.ledger import run as ledger
from lake.ledger import runs
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import Finished, UnitSpec
from lake.names import ProductKey
from lake.releases.drafts import reserve
from tests.lake.ledger.hands import ELSEWHERE, held, make_run


def test_a_run_begins_with_all_units_planned(lake: Lake, run: Run, scope: str) -> None:
    empty = dict.fromkeys(("leased", "done", "skipped", "quarantined", "failed"), 0)
    assert run.counts() == {"planned": 10} | empty
    shown = runs.find_run(lake, run.id)
    assert (shown["status"], shown["plan"], shown["document"]) == ("running", scope, {"recipe": "r"})


def test_a_run_that_cannot_be_entered_whole_is_not_entered_at_all(lake: Lake, scope: str) -> None:
    def breaking() -> Iterator[UnitSpec]:
        yield UnitSpec(f"{scope}-0", "p")
        raise ValueError("the plan broke off")

    with pytest.raises(ValueError, match="broke off"):
        Run.create(lake, scope, {}, "r", breaking(), this_process())
    assert all(one["plan"] != scope for one in runs.runs(lake, limit=20))


@pytest.mark.parametrize(("count", "share", "looked_at"), [(0, 0, False), (4, 0, True), (4, 1e9, False)])
def test_a_table_that_many_units_were_added_to_is_looked_at_before_the_first_claim(
    lake: Lake, scope: str, monkeypatch: pytest.MonkeyPatch, count: int, share: float, looked_at: bool
) -> None:
    monkeypatch.setattr(ledger, "_SHARE", -1)
    make_run(lake, f"{scope}-a", 1)  # whatever was known of the table before
    monkeypatch.setattr(ledger, "_SHARE", share)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = lake.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    try:
        make_run(lake, f"{scope}-b", count)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert ("ANALYZE unit" in statements) == looked_at


def test_units_are_claimed_in_order_with_their_payload(lake: Lake, run: Run) -> None:
    claimed = held(run, next(ELSEWHERE)).claim(4)
    assert [unit.payload["n"] for unit in claimed] == [0, 1, 2, 3]
    assert {unit.attempts for unit in claimed} == {1}
    assert run.counts()["leased"] == 4


def test_executors_that_claim_together_never_get_the_same_unit(lake: Lake, scope: str) -> None:
    run = make_run(lake, scope, 200)
    got: list[str] = []

    def work(owner: str) -> None:
        while claimed := held(run, owner).claim(7):
            got.extend(unit.unit_id for unit in claimed)
            held(run, owner).finish([Finished(unit.unit_id, "done") for unit in claimed])

    threads = [threading.Thread(target=work, args=(next(ELSEWHERE),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 200
    assert run.counts()["done"] == 200


def test_a_unit_whose_lease_ended_is_given_to_another_and_the_first_is_not_believed(
    lake: Lake, run: Run
) -> None:
    slow, quick = next(ELSEWHERE), next(ELSEWHERE)
    (unit, *_) = held(run, slow).claim(1, lease_seconds=-1)
    (again, *_) = held(run, quick).claim(1)
    assert (again.unit_id, again.attempts) == (unit.unit_id, 2)
    assert held(run, slow).finish([Finished(unit.unit_id, "failed")]) == 0
    assert held(run, quick).finish([Finished(unit.unit_id, "done")]) == 1
    assert run.counts()["done"] == 1


def test_leases_can_be_given_back_some_or_all(lake: Lake, run: Run) -> None:
    owner = next(ELSEWHERE)
    claimed = held(run, owner).claim(4)
    assert held(run, owner).give_back([claimed[0].unit_id]) == 1
    assert held(run, owner).give_back() == 3
    assert run.counts()["planned"] == 10


def test_a_product_is_finished_when_its_last_unit_is(lake: Lake, run: Run, scope: str) -> None:
    owner = next(ELSEWHERE)
    claimed = held(run, owner).claim(6)
    ends = [Finished(unit.unit_id, "done", {"n": 1}) for unit in claimed[:5]]
    held(run, owner).finish([*ends[:4], Finished(ends[4].unit_id, "quarantined", {"reason": "dark"})])
    assert run.finished_products() == [f"{scope}:o0.l1"]
    assert run.finished_products(among=[f"{scope}:o0.l1"]) == [f"{scope}:o0.l1"]
    assert run.finished_products(among=[f"{scope}:o1.l1"]) == []
    outcomes = run.outcomes(f"{scope}:o0.l1")
    assert [outcome.state for outcome in outcomes] == ["done"] * 4 + ["quarantined"]
    assert outcomes[4].outcome == {"reason": "dark"}


def test_of_what_is_claimed_others_know_for_as_long_as_the_lease_lasts(lake: Lake, scope: str) -> None:
    run, other = make_run(lake, f"{scope}-a", 3), make_run(lake, f"{scope}-b", 3)
    assert not run.has_live_lease()
    (unit,) = held(run, next(ELSEWHERE)).claim(1, lease_seconds=-1)
    assert not run.has_live_lease()
    owner = next(ELSEWHERE)
    assert [one.unit_id for one in held(run, owner).claim(1)] == [unit.unit_id]
    assert run.has_live_lease()
    assert not other.has_live_lease()
    held(run, owner).finish([Finished(unit.unit_id, "done")])
    assert not run.has_live_lease()


def test_leases_of_others_are_not_given_back(run: Run) -> None:
    mine, theirs = held(run, next(ELSEWHERE)), held(run, next(ELSEWHERE))
    ours = [unit.unit_id for unit in mine.claim(2)]
    theirs.claim(3)
    assert theirs.give_back(ours) == 0
    assert theirs.give_back() == 3
    assert run.counts()["leased"] == 2


def test_a_product_with_one_unit_to_be_done_is_not_finished(run: Run, scope: str) -> None:
    mine = held(run, next(ELSEWHERE))
    mine.finish([Finished(unit.unit_id, "done") for unit in mine.claim(9)])
    assert run.finished_products() == [f"{scope}:o0.l1"]
    assert run.left() == 1
    mine.claim(1)
    assert run.left() == 1
    assert run.finished_products() == [f"{scope}:o0.l1"], "that one is worked on"
    mine.finish([Finished(f"{scope}-000009", "failed")])
    both = [f"{scope}:o0.l1", f"{scope}:o1.l1"]
    assert run.finished_products() == both
    assert run.finished_products(among=[*reversed(both), both[0], "none"]) == both[::-1]
    assert run.left() == 0


def test_how_units_ended_is_told_in_their_order_of_a_run_and_of_a_product(run: Run, scope: str) -> None:
    mine = held(run, next(ELSEWHERE))
    claimed = mine.claim(6)
    mine.finish([Finished(unit.unit_id, "done", {"n": unit.payload["n"]}) for unit in reversed(claimed)])
    told = run.outcomes()
    assert [one.state for one in told] == ["done"] * 6 + ["planned"] * 4
    assert [one.outcome for one in told] == [{"n": number} for number in range(6)] + [{}] * 4
    assert [one.unit_id for one in run.outcomes(f"{scope}:o1.l1")] == [one.unit_id for one in told[5:]]


def test_how_some_units_ended_and_whether_they_belong_to_a_run_is_told(lake: Lake, scope: str) -> None:
    run, other = make_run(lake, f"{scope}-a", 4), make_run(lake, f"{scope}-b", 2)
    mine = held(run, next(ELSEWHERE))
    mine.finish([Finished(unit.unit_id, "done", {"n": 1}) for unit in mine.claim(1)])
    named = [f"{scope}-a-000000", f"{scope}-a-000002"]
    told = {one.unit_id: (one.state, one.outcome) for one in run.outcomes_of([*named, f"{scope}-b-000000"])}
    assert told == {named[0]: ("done", {"n": 1}), named[1]: ("planned", {})}
    assert run.holds(named)
    assert run.holds([])
    assert not run.holds([*named, f"{scope}-b-000000"])
    assert not other.holds(named)


def test_how_each_unit_of_a_product_ended_is_told_with_what_was_planned(run: Run, scope: str) -> None:
    mine = held(run, next(ELSEWHERE))
    mine.finish([Finished(unit.unit_id, "done", {"n": unit.payload["n"]}) for unit in mine.claim(6)])
    told = list(run.members(f"{scope}:o1.l1"))
    assert [payload for _, payload in told] == [{"n": number} for number in range(5, 10)]
    assert [one.unit_id for one, _ in told] == [f"{scope}-{number:06d}" for number in range(5, 10)]
    assert [one.state for one, _ in told] == ["done"] + ["planned"] * 4
    assert [one.outcome for one, _ in told] == [{"n": 5}, {}, {}, {}, {}]
    assert run.any_payload(f"{scope}:o1.l1")["n"] in range(5, 10)


def test_what_was_planned_is_told_in_its_order_of_a_run_and_of_a_product(run: Run, scope: str) -> None:
    wanted = [(f"{scope}-{n:06d}", {"n": n}) for n in range(10)]
    assert list(run.payloads()) == wanted
    assert list(run.payloads(f"{scope}:o1.l1")) == wanted[5:]
    assert list(run.payloads("none")) == []


def test_what_payloads_name_is_told_once_however_often_they_do(lake: Lake, scope: str) -> None:
    payloads: list[dict[str, Any]] = [{"from": "a", "more": [{"from": "b"}]}, {"from": "a"}, {"from": "c"}]
    specs = [UnitSpec(f"{scope}-{n}", f"{scope}:o{n // 2}.l1", payloads[n]) for n in range(3)]
    run = Run.create(lake, scope, {"recipe": "r"}, "r", specs, this_process())
    paths = ("$.from", "$.more[*].from")
    assert run.told_in_payloads(paths) == {"a", "b", "c"}
    assert run.told_in_payloads(paths, f"{scope}:o0.l1") == {"a", "b"}
    assert run.told_in_payloads(("$.nothing",)) == set()


def test_units_that_ended_in_some_way_are_planned_again_and_no_others(lake: Lake, scope: str) -> None:
    run, other = make_run(lake, f"{scope}-a", 4), make_run(lake, f"{scope}-b", 4)
    ends = ("done", "failed", "quarantined")
    for one in (run, other):
        mine = held(one, next(ELSEWHERE))
        claimed = mine.claim(3)
        mine.finish(
            [Finished(unit.unit_id, end, {"said": end}) for unit, end in zip(claimed, ends, strict=True)]
        )
    assert run.replan(["failed", "quarantined"]) == 2
    assert [one.state for one in run.outcomes()] == ["done", "planned", "planned", "planned"]
    assert [one.outcome for one in run.outcomes()] == [{"said": "done"}, {}, {}, {}]
    assert [one.state for one in other.outcomes()] == [*ends, "planned"]


@pytest.mark.parametrize(("options", "first"), [({}, 5), ({"publishes": False}, 0)])
def test_who_goes_on_does_again_what_was_done_for_a_release_given_up(
    lake: Lake, run: Run, scope: str, options: dict[str, bool], first: int
) -> None:
    """Of a release that this very run reserved, what was done is kept; without releases all is."""
    mine = held(run, next(ELSEWHERE))
    mine.finish([Finished(unit.unit_id, "done") for unit in mine.claim(7)])
    reserve(lake, ProductKey(scope, "o1", "1"), run.id)
    run.adopt(**options)
    done = [one.unit_id for one in run.outcomes() if one.state == "done"]
    assert done == [f"{scope}-{number:06d}" for number in range(first, 7)]


def test_who_goes_on_gets_back_what_an_earlier_attempt_of_the_same_process_held(run: Run) -> None:
    run.claim(3)
    held(run, next(ELSEWHERE)).claim(2)
    run.adopt()
    assert run.counts()["leased"] == 2


def test_a_run_gets_a_name_that_no_other_has_and_a_longer_one_if_need_be(
    lake: Lake, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = chr(0x4E00 + secrets.randbelow(20_000))  # one that no other run is called by
    offered: list[str] = []

    def choice(letters: str) -> str:
        offered[:] = letters
        return letter

    monkeypatch.setattr(secrets, "choice", choice)

    def create() -> str:
        return Run.create(lake, scope, {}, "r", [], this_process()).id

    today = datetime.now(UTC)
    days = {f"{day:%Y%m%d}" for day in (today, today + timedelta(hours=1))}  # midnight may be near
    names = [create().partition("-") for _ in range(3)]
    assert [letters for _, _, letters in names] == [letter * 4, letter * 6, letter * 8]
    assert {day for day, _, _ in names} <= days
    assert len(set(offered)) == len(offered), "each is as likely as another"
    assert not set("ilo01") & set(offered), "none is mistaken for another"
    with pytest.raises(Fatal, match="No free run id"):
        create()
    assert len(runs.runs_of_plan(lake, scope)) == 3

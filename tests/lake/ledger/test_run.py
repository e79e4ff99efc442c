"""The ledger shares a run among executors, loses no unit to a dead one and does none twice."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from lake.catalogue.models import Unit
from lake.catalogue.session import transaction
from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger import leases, owners, results, runs
from lake.ledger.owners import is_dead, this_process
from lake.ledger.run import Run
from lake.ledger.units import Finished, UnitSpec


@pytest.fixture
def run(lake: Lake, scope: str) -> Run:
    """A run of ten units of two products."""
    return make_run(lake, scope, 10)


def make_run(lake: Lake, scope: str, count: int) -> Run:
    """A run of units named after the scope, five to a product."""
    specs = (
        UnitSpec(f"{scope}-{number:06d}", f"{scope}:o{number // 5}.l1", {"n": number})
        for number in range(count)
    )
    return Run.create(lake, scope, {"recipe": "r"}, "r", specs, this_process())


def held(run: Run, owner: str) -> Run:
    """The same run in the hands of another."""
    return Run(run.lake, run.id, owner)


@pytest.fixture
def dead_owner() -> str:
    """The owner string of a process that has just ended."""
    process = subprocess.run(
        [sys.executable, "-c", "from lake.ledger.owners import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.strip()


def owner_names() -> Iterator[str]:
    """Owner strings of other hosts, whose processes cannot be looked at."""
    while True:
        yield f"elsewhere:{secrets.randbelow(10**6)}:1.00"


ELSEWHERE = owner_names()


def test_a_run_begins_with_all_units_planned(lake: Lake, run: Run, scope: str) -> None:
    assert run.counts()["planned"] == 10
    shown = runs.find_run(lake, run.id)
    assert (shown["status"], shown["plan"], shown["document"]) == ("running", scope, {"recipe": "r"})


def test_a_run_that_does_not_exist_is_said_so(lake: Lake) -> None:
    with pytest.raises(BadInput, match="no run"):
        runs.find_run(lake, "20000101-none")


def test_a_run_that_cannot_be_entered_whole_is_not_entered_at_all(lake: Lake, scope: str) -> None:
    def breaking() -> Iterator[UnitSpec]:
        yield UnitSpec(f"{scope}-0", "p")
        raise ValueError("the plan broke off")

    with pytest.raises(ValueError, match="broke off"):
        Run.create(lake, scope, {}, "r", breaking(), this_process())
    assert all(one["plan"] != scope for one in runs.runs(lake))


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


def test_a_heartbeat_keeps_leases(lake: Lake, run: Run) -> None:
    owner = next(ELSEWHERE)
    held(run, owner).claim(10, lease_seconds=-1)
    assert leases.heartbeat(lake, owner) == 10
    assert held(run, next(ELSEWHERE)).claim(10) == []


def test_a_heartbeat_waits_for_no_row_that_is_being_finished(lake: Lake, run: Run) -> None:
    """Two statements that wait for each other's rows are a deadlock: the run's own heart would end it."""
    owner = next(ELSEWHERE)
    (first, *_) = held(run, owner).claim(10)
    with transaction(lake.sessions) as session:
        session.execute(update(Unit).where(Unit.unit_id == first.unit_id).values(state="done"))
        assert leases.heartbeat(lake, owner) == 9
    assert leases.heartbeat(lake, owner) == 9


def test_units_of_a_dead_process_are_free_at_once(lake: Lake, run: Run, dead_owner: str) -> None:
    held(run, dead_owner).claim(3)
    alive = next(ELSEWHERE)
    held(run, alive).claim(2)
    assert leases.take_over(lake) >= 3
    assert run.counts()["leased"] == 2
    assert [unit.payload["n"] for unit in held(run, alive).claim(3)] == [0, 1, 2]


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


def test_a_run_is_listed_with_its_counts_and_its_end(lake: Lake, run: Run) -> None:
    run.end("failed", "a service was lost")
    (listed,) = [one for one in runs.runs(lake) if one["run"] == run.id]
    assert (listed["status"], listed["note"], listed["units"]["planned"]) == (
        "failed",
        "a service was lost",
        10,
    )
    held(run, "somebody").adopt()
    assert runs.find_run(lake, run.id)["status"] == "running"
    assert runs.find_run(lake, run.id)["finished"] is None


def test_a_quarantined_unit_is_remembered_until_it_is_forgotten_on_purpose(lake: Lake, scope: str) -> None:
    results.record_quarantined(lake, {scope: {"reason": "dark"}})
    results.record_quarantined(lake, {scope: {"reason": "another"}})
    assert results.results(lake, [scope])[scope].detail == {"reason": "dark"}
    assert results.forget_quarantined(lake, [scope]) == 1
    assert results.results(lake, [scope]) == {}


class TestOwners:
    """A process is told from every other, past ones of its pid included."""

    def test_this_process_lives(self) -> None:
        assert not is_dead(this_process())

    def test_an_ended_process_is_dead(self, dead_owner: str) -> None:
        assert is_dead(dead_owner)

    def test_another_process_of_the_same_pid_is_not_the_owner(self) -> None:
        host, pid, _ = this_process().rsplit(":", 2)
        assert is_dead(f"{host}:{pid}:1.00")

    @pytest.mark.parametrize("owner", ["elsewhere:1:1.00", "", "no-owner", "a:b"])
    def test_what_cannot_be_looked_at_counts_as_alive(self, owner: str) -> None:
        assert not owners.is_dead(owner)

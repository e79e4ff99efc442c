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
from lake.ledger import owners, units
from lake.ledger.owners import is_dead, this_process
from lake.ledger.units import Finished, UnitSpec


@pytest.fixture
def run_id(lake: Lake, scope: str) -> str:
    """A run of ten units of two products."""
    return make_run(lake, scope, 10)


def make_run(lake: Lake, scope: str, count: int) -> str:
    """A run of units named after the scope, five to a product."""
    specs = (
        UnitSpec(f"{scope}-{number:06d}", f"{scope}:o{number // 5}.l1", {"n": number})
        for number in range(count)
    )
    return units.create_run(lake, scope, {"recipe": "r"}, "r", specs, this_process())


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


def test_a_run_begins_with_all_units_planned(lake: Lake, run_id: str, scope: str) -> None:
    assert units.counts(lake, run_id)["planned"] == 10
    shown = units.run(lake, run_id)
    assert (shown["status"], shown["plan"], shown["document"]) == ("running", scope, {"recipe": "r"})


def test_a_run_that_does_not_exist_is_said_so(lake: Lake) -> None:
    with pytest.raises(BadInput, match="no run"):
        units.run(lake, "20000101-none")


def test_a_run_that_cannot_be_entered_whole_is_not_entered_at_all(lake: Lake, scope: str) -> None:
    def breaking() -> Iterator[UnitSpec]:
        yield UnitSpec(f"{scope}-0", "p")
        raise ValueError("the plan broke off")

    with pytest.raises(ValueError, match="broke off"):
        units.create_run(lake, scope, {}, "r", breaking(), this_process())
    assert all(run["plan"] != scope for run in units.runs(lake))


def test_units_are_claimed_in_order_with_their_payload(lake: Lake, run_id: str) -> None:
    claimed = units.claim(lake, run_id, next(ELSEWHERE), 4)
    assert [unit.payload["n"] for unit in claimed] == [0, 1, 2, 3]
    assert {unit.attempts for unit in claimed} == {1}
    assert units.counts(lake, run_id)["leased"] == 4


def test_executors_that_claim_together_never_get_the_same_unit(lake: Lake, scope: str) -> None:
    run_id = make_run(lake, scope, 200)
    got: list[str] = []

    def work(owner: str) -> None:
        while claimed := units.claim(lake, run_id, owner, 7):
            got.extend(unit.unit_id for unit in claimed)
            units.finish(lake, run_id, owner, [Finished(unit.unit_id, "done") for unit in claimed])

    threads = [threading.Thread(target=work, args=(next(ELSEWHERE),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 200
    assert units.counts(lake, run_id)["done"] == 200


def test_a_unit_whose_lease_ended_is_given_to_another_and_the_first_is_not_believed(
    lake: Lake, run_id: str
) -> None:
    slow, quick = next(ELSEWHERE), next(ELSEWHERE)
    (unit, *_) = units.claim(lake, run_id, slow, 1, lease_seconds=-1)
    (again, *_) = units.claim(lake, run_id, quick, 1)
    assert (again.unit_id, again.attempts) == (unit.unit_id, 2)
    assert units.finish(lake, run_id, slow, [Finished(unit.unit_id, "failed")]) == 0
    assert units.finish(lake, run_id, quick, [Finished(unit.unit_id, "done")]) == 1
    assert units.counts(lake, run_id)["done"] == 1


def test_a_heartbeat_keeps_leases(lake: Lake, run_id: str) -> None:
    owner = next(ELSEWHERE)
    units.claim(lake, run_id, owner, 10, lease_seconds=-1)
    assert units.heartbeat(lake, owner) == 10
    assert units.claim(lake, run_id, next(ELSEWHERE), 10) == []


def test_a_heartbeat_waits_for_no_row_that_is_being_finished(lake: Lake, run_id: str) -> None:
    """Two statements that wait for each other's rows are a deadlock: the run's own heart would end it."""
    owner = next(ELSEWHERE)
    (first, *_) = units.claim(lake, run_id, owner, 10)
    with transaction(lake.sessions) as session:
        session.execute(update(Unit).where(Unit.unit_id == first.unit_id).values(state="done"))
        assert units.heartbeat(lake, owner) == 9
    assert units.heartbeat(lake, owner) == 9


def test_units_of_a_dead_process_are_free_at_once(lake: Lake, run_id: str, dead_owner: str) -> None:
    units.claim(lake, run_id, dead_owner, 3)
    alive = next(ELSEWHERE)
    units.claim(lake, run_id, alive, 2)
    assert units.take_over(lake) >= 3
    assert units.counts(lake, run_id)["leased"] == 2
    assert [unit.payload["n"] for unit in units.claim(lake, run_id, alive, 3)] == [0, 1, 2]


def test_leases_can_be_given_back_some_or_all(lake: Lake, run_id: str) -> None:
    owner = next(ELSEWHERE)
    claimed = units.claim(lake, run_id, owner, 4)
    assert units.give_back(lake, run_id, owner, [claimed[0].unit_id]) == 1
    assert units.give_back(lake, run_id, owner) == 3
    assert units.counts(lake, run_id)["planned"] == 10


def test_a_product_is_finished_when_its_last_unit_is(lake: Lake, run_id: str, scope: str) -> None:
    owner = next(ELSEWHERE)
    claimed = units.claim(lake, run_id, owner, 6)
    ends = [Finished(unit.unit_id, "done", {"n": 1}) for unit in claimed[:5]]
    units.finish(
        lake, run_id, owner, [*ends[:4], Finished(ends[4].unit_id, "quarantined", {"reason": "dark"})]
    )
    assert units.finished_products(lake, run_id) == [f"{scope}:o0.l1"]
    assert units.finished_products(lake, run_id, among=[f"{scope}:o0.l1"]) == [f"{scope}:o0.l1"]
    assert units.finished_products(lake, run_id, among=[f"{scope}:o1.l1"]) == []
    outcomes = units.outcomes(lake, run_id, f"{scope}:o0.l1")
    assert [outcome.state for outcome in outcomes] == ["done"] * 4 + ["quarantined"]
    assert outcomes[4].outcome == {"reason": "dark"}


def test_a_run_is_listed_with_its_counts_and_its_end(lake: Lake, run_id: str) -> None:
    units.finish_run(lake, run_id, "failed", "a service was lost")
    (listed,) = [run for run in units.runs(lake) if run["run"] == run_id]
    assert (listed["status"], listed["note"], listed["units"]["planned"]) == (
        "failed",
        "a service was lost",
        10,
    )
    units.adopt_run(lake, run_id, "somebody")
    assert units.run(lake, run_id)["status"] == "running"
    assert units.run(lake, run_id)["finished"] is None


def test_a_quarantined_unit_is_remembered_until_it_is_forgotten_on_purpose(lake: Lake, scope: str) -> None:
    units.record_quarantined(lake, {scope: {"reason": "dark"}})
    units.record_quarantined(lake, {scope: {"reason": "another"}})
    assert units.results(lake, [scope])[scope].detail == {"reason": "dark"}
    assert units.forget_quarantined(lake, [scope]) == 1
    assert units.results(lake, [scope]) == {}


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

"""Leases last while somebody lives, and the units of the dead are free."""

from __future__ import annotations

import logging
import threading

import pytest
from sqlalchemy import update

from lake.catalogue.models import Unit
from lake.catalogue.session import transaction
from lake.errors import Retriable
from lake.lake import Lake
from lake.ledger import leases
from lake.ledger.run import Run
from lake.ledger.units import Finished
from tests.lake.ledger.hands import ELSEWHERE, held


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


def test_units_whose_lease_has_ended_are_free_and_who_comes_back_to_them_is_not_believed(
    lake: Lake, run: Run
) -> None:
    """A process that stands still for long is not dead, and nobody can look at one of another host."""
    frozen = held(run, next(ELSEWHERE))
    units = frozen.claim(3, lease_seconds=-1)
    leases.take_over(lake)
    assert run.counts()["leased"] == 0
    other = held(run, next(ELSEWHERE))
    assert {one.unit_id for one in other.claim(3)} == {one.unit_id for one in units}
    ended = [Finished(one.unit_id, "done", {}) for one in units]
    assert frozen.finish(ended) == 0
    assert run.counts()["done"] == 0
    assert other.finish(ended) == 3


def test_the_dead_are_looked_for_among_those_who_hold_something(
    lake: Lake, run: Run, dead_owner: str
) -> None:
    gone = held(run, dead_owner)
    gone.claim(4)
    gone.give_back()
    held(run, next(ELSEWHERE)).claim(10)
    leases.take_over(lake)
    assert run.counts()["leased"] == 10


def test_leases_are_kept_while_the_block_lasts(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a moment without the catalogue does; and when it ends, so does the heart."""
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.04)
    genuine, beats, prolonged = leases.heartbeat, [], threading.Event()

    def heartbeat(lake: Lake, owner: str) -> int:
        beats.append(owner)
        if len(beats) == 1:
            raise Retriable("the catalogue does not answer")
        if genuine(lake, owner, 300) == 2:
            prolonged.set()
        return 2

    monkeypatch.setattr(leases, "heartbeat", heartbeat)
    owner = next(ELSEWHERE)
    held(run, owner).claim(2, lease_seconds=-1)
    with caplog.at_level(logging.WARNING), leases.kept(lake, owner):
        assert prolonged.wait(60)
    assert set(beats) == {owner}
    assert "no heartbeat: the catalogue does not answer" in caplog.text
    assert run.has_live_lease()
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_the_block_does_not_end_within_a_beat(lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.04)
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def heartbeat(*_: object) -> int:
        begun.set()
        go_on.wait(60)
        ended.set()
        return 0

    monkeypatch.setattr(leases, "heartbeat", heartbeat)
    with leases.kept(lake, next(ELSEWHERE)):
        assert begun.wait(60)
        threading.Timer(0.2, go_on.set).start()
    assert ended.is_set()


def test_a_heart_beats_at_least_twice_in_a_lease(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    class Hasty(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return super().wait(0.01)

    monkeypatch.setattr(leases, "Event", Hasty)
    with leases.kept(lake, next(ELSEWHERE)):
        pass
    assert 1 < waits[0] <= leases.LEASE_SECONDS / 2


def test_nobody_is_kept_waiting_for_a_heart_that_beats_seldom(lake: Lake) -> None:
    with leases.kept(lake, next(ELSEWHERE)):
        hearts = [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
    assert [heart.daemon for heart in hearts] == [True]
    assert not hearts[0].is_alive()

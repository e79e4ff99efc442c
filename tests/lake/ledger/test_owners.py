"""A process is taken for dead only when it certainly is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lake.ledger.owners import is_dead, this_process


def test_this_process_lives() -> None:
    assert not is_dead(this_process())


@pytest.mark.parametrize("nudge", [-1.0, 0.99])
def test_a_nudge_of_the_clock_does_not_kill(nudge: float) -> None:
    place, _, start = this_process().rpartition(":")
    assert not is_dead(f"{place}:{float(start) + nudge:.2f}")


@pytest.mark.parametrize("earlier", [2.5, 60])
def test_another_process_of_the_same_number_is_another(earlier: float) -> None:
    place, _, start = this_process().rpartition(":")
    assert is_dead(f"{place}:{float(start) - earlier:.2f}")


def test_a_process_that_ended_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, _, start = this_process().split(":")
    assert is_dead(f"{host}:{ended.pid}:{start}")


@pytest.mark.parametrize("owner", ["elsewhere:1:0.00", "nonsense", "", "{here}", "{here}:soon"])
def test_nothing_is_said_of_what_cannot_be_looked_at(owner: str) -> None:
    here, _, _ = this_process().rpartition(":")
    assert not is_dead(owner.format(here=here))

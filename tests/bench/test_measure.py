"""What a row of the benchmarks says, and what it does not."""

from __future__ import annotations

import pytest

from bench.measure import Aim, Row, Sample, duration, race, shares
from bench.report import as_document


def row(
    ours: tuple[float, ...], peer: tuple[float, ...], aim: Aim | None = None, *, judged: bool = True
) -> Row:
    return Row("work", Sample(ours), Sample(peer), "a peer", aim=aim, judged=judged)


def test_the_ratio_is_how_many_times_less_ours_needs() -> None:
    found = as_document(row(ours=(1.0, 2.0, 4.0), peer=(10.0, 20.0, 60.0)))
    assert (found["ours"], found["peer"], found["ratio"]) == (2.0, 20.0, 10.0)


def test_the_spread_of_the_ratio_pairs_measurements_of_the_same_round() -> None:
    found = as_document(row(ours=(1.0, 2.0), peer=(10.0, 40.0)))
    assert found["spread"] == {"ours": [1.0, 2.0], "peer": [10.0, 40.0], "ratio": [10.0, 20.0]}


def test_without_pairs_the_spread_is_the_widest_there_can_be() -> None:
    assert row(ours=(1.0, 2.0), peer=(10.0, 20.0, 40.0)).ratio_spread == (5.0, 40.0)


@pytest.mark.parametrize(("ours", "reached"), [(1.0, True), (2.1, False)])
def test_an_aim_is_reached_or_missed_by_the_medians(ours: float, reached: bool) -> None:
    assert row((ours,), (20.0,), Aim(ratio=10.0)).reached is reached
    assert row((ours,), (20.0,), Aim(most=2.0)).reached is reached


def test_a_quick_run_judges_no_aim() -> None:
    assert row((1.0,), (20.0,), Aim(ratio=10.0), judged=False).reached is None


def test_contenders_take_turns_and_what_they_made_last_is_kept() -> None:
    turns: list[str] = []

    def contender(name: str) -> str:
        turns.append(name)
        return f"{name}{len(turns)}"

    run = race({"a": lambda: contender("a"), "b": lambda: contender("b")}, rounds=2, warm=False)
    assert turns == ["a", "b", "a", "b"]
    assert run.results == {"a": "a3", "b": "b4"}
    assert len(run.times["a"].values) == len(run.times["a"].processor) == 2


def test_a_budget_that_is_spent_leaves_two_rounds_for_the_spread() -> None:
    run = race({"a": lambda: None}, rounds=9, budget=0.0)
    assert len(run.times["a"].values) == 2


def test_seconds_are_written_as_people_read_them() -> None:
    assert [duration(seconds) for seconds in (4.2e-5, 0.0421, 4.213)] == ["42 µs", "42.1 ms", "4.21 s"]
    assert shares({"read": 0.25, "write": 1.5}) == "write 1.5 s, read 250 ms"

"""How a run gets on, in words: no digit that is not known, nothing where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.pacing import amount, busiest, left, one_line, span, speed, step_rows, took


def pace(**more: Any) -> dict[str, Any]:
    rate = {"lately": 30.0, "overall": 24.0, "bytes_in": 2.5e6, "bytes_out": 999.0}
    told: dict[str, Any] = {"status": "running", "ended": 40, "total": 100, "rate": rate}
    return told | {"left": [120.0, 150.0], "executors": [{"alive": True}], "steps": []} | more


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456, "123 kB"), (2.5e6, "2.5 MB"), (4e15, "4.0 PB")],
)
def test_bytes_have_a_unit(count: float, said: str) -> None:
    assert amount(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.000123, "0.12 ms"), (0.0456, "46 ms"), (0.234, "0.23 s"), (12.34, "12 s"), (234.5, "234 s")],
)
def test_a_step_takes_two_digits(seconds: float, said: str) -> None:
    assert took(seconds) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(10, 30, "10 to 30 s"), (0.1, 0.2, "1 s"), (600, 900, "10 to 15 min"), (7200, 7300, "2 h")],
)
def test_a_time_between_two_is_told_once_where_both_are_alike(low: float, high: float, said: str) -> None:
    assert span(low, high) == said


def test_the_line_says_where_a_run_stands() -> None:
    assert one_line(pace()) == (
        "40/100 units, 30 units/min lately, 24 units/min over all, 2.5 MB/s read, 999 B/s written, "
        "2 to 2.5 min left"
    )


def test_nothing_is_said_of_what_is_not_known() -> None:
    nothing = {"lately": 0.0, "overall": 0.0, "bytes_in": 0.0, "bytes_out": 0.0}
    assert one_line(pace(rate=nothing, left=None)) == "40/100 units"
    assert left(pace(status="paused")) == ""
    assert left(pace(left=None)) == "no unit ended in the last 5 minutes"
    assert left(pace(left=None, executors=[{"alive": False}])) == "nobody carries it out"
    assert speed(pace(status="done")) == "24 units/min over all"


def test_steps_and_workers_are_rows() -> None:
    one = {"step": "psf", "times": 3, "rate": 0.01234, "median": 1.0, "p95": 2.0, "share": 0.5}
    assert step_rows(pace(steps=[one])) == [("psf", 3, "0.0123", "1 s", "2 s", "50 %")]
    workers = [{"units": n} for n in (1, 3, 2)]
    assert [one["units"] for one in busiest(workers, 2)] == [3, 2]

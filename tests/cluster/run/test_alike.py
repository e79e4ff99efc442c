"""Frames that all fail alike end a run; frames that fail for themselves do not."""

from __future__ import annotations

import pytest

from cluster.run.alike import ENOUGH, FirstFailures
from cluster.run.stacks import Manifest
from pipeline.errors import Fatal
from pipeline.outcome import Outcome, Status


def failed(number: int, reason: str = "wrong unit", status: Status = Status.QUARANTINED) -> Manifest:
    outcome = Outcome(status=status, reason=reason, keyword="BUNIT", found=f"{number} counts", step="prepare")
    return Manifest(unit=f"u{number}", outcome=outcome)


def done(number: int) -> Manifest:
    return Manifest(unit=f"u{number}", outcome=Outcome())


def test_so_many_frames_that_fail_alike_end_the_run_and_none_is_put_aside() -> None:
    first = FirstFailures(armed=True)
    for number in range(ENOUGH - 1):
        assert first.passed(failed(number)) == []
    words = (
        rf"first {ENOUGH} frames all fail alike at step prepare.*wrong unit \(BUNIT: 0 counts\).*--keep-going"
    )
    with pytest.raises(Fatal, match=words):
        first.passed(failed(ENOUGH))


@pytest.mark.parametrize(
    "other",
    [done(99), failed(99, "cosmic storm"), failed(99, status=Status.FAILED)],
    ids=["done", "another reason", "another end"],
)
def test_one_frame_that_ends_otherwise_frees_those_held_back(other: Manifest) -> None:
    first = FirstFailures(armed=True)
    held = [failed(number) for number in range(5)]
    assert [first.passed(one) for one in held] == [[]] * 5
    assert first.waiting == 5
    assert first.passed(other) == [*held, other]
    many = [failed(number) for number in range(3 * ENOUGH)]
    assert [first.passed(one) for one in many] == [[one] for one in many]


def test_too_few_frames_tell_nothing() -> None:
    first = FirstFailures(armed=True)
    held = [failed(number) for number in range(ENOUGH - 1)]
    assert [first.passed(one) for one in held] == [[]] * len(held)
    assert first.rest() == held
    assert first.rest() == []


def test_what_may_pass_is_no_fault_of_the_recipe() -> None:
    first = FirstFailures(armed=True)
    outcome = Outcome(status=Status.FAILED, reason="storage gone", retriable=True)
    lost = [Manifest(unit=f"u{number}", outcome=outcome) for number in range(2 * ENOUGH)]
    assert [first.passed(one) for one in lost] == [[one] for one in lost]


def test_where_a_frame_was_done_before_nothing_is_held_back() -> None:
    first = FirstFailures(armed=False)
    assert [first.passed(failed(number)) for number in range(2 * ENOUGH)] == [
        [failed(number)] for number in range(2 * ENOUGH)
    ]

"""Which exception leads to which outcome, and what a person reads of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.errors import BadInput, Retriable
from pipeline.outcome import Outcome, Status


def test_a_bad_input_is_put_aside_with_all_that_it_said() -> None:
    error = BadInput("no date", file="a.fts", keyword="DATE-OBS", found=7, advice="write one")
    outcome = Outcome.of_error(error, step="pointing", seconds={"bias": 0.5})
    assert outcome == Outcome(
        status=Status.QUARANTINED,
        reason="no date",
        keyword="DATE-OBS",
        found="7",
        advice="write one",
        step="pointing",
        seconds={"bias": 0.5},
    )
    assert not outcome.retriable


def test_what_may_pass_is_tried_again_and_says_how_it_goes_on() -> None:
    outcome = Outcome.of_error(Retriable("the disk is gone"), step="read", seconds={"read": 1.0})
    assert (outcome.status, outcome.retriable, outcome.reason) == (Status.FAILED, True, "the disk is gone")
    assert "run the same command again" in outcome.advice
    assert (outcome.step, outcome.seconds) == ("read", {"read": 1.0})


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), FileNotFoundError("x"), MemoryError()])
def test_a_failing_disk_and_a_lack_of_memory_may_pass(error: Exception) -> None:
    outcome = Outcome.of_error(error)
    assert (outcome.status, outcome.retriable) == (Status.FAILED, True)


@pytest.mark.parametrize("error", [ValueError("shapes"), KeyError("x"), ZeroDivisionError("y")])
def test_a_fault_of_the_program_is_not_tried_again(error: Exception) -> None:
    outcome = Outcome.of_error(error, step="flat", seconds={"flat": 2.0})
    assert (outcome.status, outcome.retriable) == (Status.FAILED, False)
    assert outcome.reason.startswith(f"{type(error).__name__}: ")
    assert "fault of the program" in outcome.advice
    assert (outcome.step, outcome.seconds) == ("flat", {"flat": 2.0})


def test_an_outcome_without_a_word_is_a_frame_that_is_done() -> None:
    outcome = Outcome()
    assert outcome.status is Status.DONE
    assert not outcome.retriable
    assert Outcome.of_error(ValueError("x")).seconds == {}


def test_an_outcome_travels_as_text() -> None:
    outcome = Outcome.of_error(BadInput("no date", found="ü"), step="pointing")
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


def test_statuses_are_the_four_words_of_the_ledger() -> None:
    assert [status.value for status in Status] == ["done", "skipped", "quarantined", "failed"]


def test_an_outcome_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Outcome(), "reason", "another")  # noqa: B010 -- an assignment would not type-check

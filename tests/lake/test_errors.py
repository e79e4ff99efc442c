"""The lake's errors tell a person what to do, and survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from lake.errors import BadInput, Fatal, HeliolakeLakeError, Reason, Retriable


def test_a_bad_input_keeps_all_its_parts_on_the_way_to_another_process() -> None:
    error = BadInput(
        "too short", file="a.fits", keyword="NAXIS", found=3, advice="again", code=Reason.TRUNCATED
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason, copy.details(), copy.code) == (error.reason, error.details(), Reason.TRUNCATED)


def test_a_bad_input_reads_as_one_sentence_with_file_keyword_and_advice() -> None:
    error = BadInput("too short", file="a.fits", keyword="NAXIS", found=3, advice="fetch it again")
    assert str(error) == "a.fits: too short (NAXIS: 3) — fetch it again"


@pytest.mark.parametrize("kind", [BadInput, Retriable, Fatal])
def test_every_error_of_the_lake_has_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, HeliolakeLakeError)

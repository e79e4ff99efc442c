"""The archive keeps to its own description, whatever it is asked: tried by schemathesis, all its checks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from lake.archive.application import archive
from lake.lake import Lake
from tests.conftest import FUZZ
from tests.lake.archive.conftest import Served

schemathesis = pytest.importorskip("schemathesis", reason="it is of the extra `test`")
pytestmark = pytest.mark.slow
_SOON = settings(
    max_examples=10 * FUZZ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    database=None,
)


@pytest.fixture(scope="module")
def api(lake: Lake, served: dict[str, Served]) -> Any:
    """The description of an archive that has something."""
    found = schemathesis.openapi.from_asgi("/api/v1/openapi.json", archive(lake))
    # No description says that one value is not to be larger than another one, or that two go together: 400.
    # What is not there any more is 410, and a DOI is told in no other form than it has: 406.
    found.config.checks.positive_data_acceptance.expected_statuses += ["400", "406", "410"]
    return found


def test_every_question_is_answered_as_it_is_described(api: Any) -> None:
    wrong = []
    for found in api.get_all_operations():
        operation = found.ok()

        @_SOON
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            case.call_and_validate()

        try:
            ask()
        except (Exception, BaseExceptionGroup) as failure:
            wrong.append(f"{operation.label}: {failure}")
    assert not wrong, "\n\n".join(wrong)


def test_questions_that_follow_from_answers_are_answered_as_they_are_described(api: Any) -> None:
    following = settings(_SOON, stateful_step_count=4, max_examples=20 * FUZZ)
    run_state_machine_as_test(api.as_state_machine(), settings=following)

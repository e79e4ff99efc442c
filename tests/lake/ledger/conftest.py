"""A run of its own for each test, and somebody who died over one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lake.lake import Lake
from lake.ledger.run import Run
from tests.lake.ledger.hands import make_run


@pytest.fixture
def run(lake: Lake, scope: str) -> Run:
    """A run of ten units of two products."""
    return make_run(lake, scope, 10)


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

"""Runs made for a test, and owners who hold them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import UnitSpec


def make_run(lake: Lake, scope: str, count: int) -> Run:
    """A run of units named after the scope, five to a product."""
    specs = (
        UnitSpec(f"{scope}-{number:06d}", f"{scope}:o{number // 5}.l1", {"n": number})
        for number in range(count)
    )
    return Run.create(lake, scope, {"recipe": "r"}, "r", specs, this_process())


def held(run: Run, owner: str) -> Run:
    """The same run in the hands of another."""
    return Run(run.lake, run.id, owner)


def _owner_names() -> Iterator[str]:
    while True:
        yield f"elsewhere:{secrets.randbelow(10**6)}:1.00"


ELSEWHERE = _owner_names()
"""Owner strings of other hosts, whose processes cannot be looked at."""

"""What breaks in the midst of a run loses nothing, doubles nothing; `python -m bench.faults` tries it all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.faults.cases import faults
from bench.faults.trial import try_fault
from bench.faults.world import World
from cluster.sites.book import Book

pytestmark = pytest.mark.slow

UNITS = 10
BOUNDED = (
    "an executor stands still past its lease",
    "Rucio's server is killed",
    "the S3 storage answers 503 to each third request",
)


@pytest.mark.parametrize("name", BOUNDED)
def test_a_run_survives_what_breaks(book: Book, tmp_path: Path, name: str) -> None:
    (fault,) = [one for one in faults() if one.name == name]
    world = World(book.home, tmp_path, size=1024, day=BOUNDED.index(name))
    verdict = try_fault(world, fault, UNITS)
    assert (verdict.lost, verdict.doubled, verdict.quarantined) == (0, 0, 0), verdict.said
    assert verdict.same == UNITS
    assert verdict.mended == {}

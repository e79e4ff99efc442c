"""The measurement of scale runs from end to end on few units; how it grows is for itself to say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench.scale import report
from tests.conftest import HOUSE, carried_out

pytestmark = pytest.mark.slow

# Starts services of its own: what it enters in the catalogue is nothing that other tests should meet.
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    command = [sys.executable, "-m", "bench.scale", "--quick", "--out", str(folder)]
    done = carried_out(command, cwd=HOUSE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder


@pytest.mark.timeout(900)
def test_every_part_is_measured_at_every_size_and_told_in_a_table_and_a_plot(out: Path) -> None:
    told = report.load(out)
    assert [(one["part"], one["count"]) for one in told] == [
        (part, size) for part in ("ledger", "planning", "release", "through") for size in (100, 200)
    ]
    table = (out / "scale.md").read_text()
    assert all(f"| {row.name}, {row.unit} |" in table for row in report.ROWS)
    assert (out / "scale.png").read_bytes().startswith(PNG)


def told(part: str, count: int, seconds: float, peak: float) -> dict[str, Any]:
    stage = {"seconds": seconds, "client": seconds / 2, "services": seconds / 4}
    return {"part": part, "count": count, "peak": peak, "stages": {"planned": stage}}


def test_ten_million_is_reckoned_from_the_two_largest_sizes() -> None:
    measured = [
        told("planning", 10**3, 1.0, 100e6),
        told("planning", 10**5, 7.0, 200e6),
        told("planning", 10**6, 61.0, 1100e6),
    ]
    lines = report.table(measured).splitlines()
    assert lines[0] == "|  | 10³ | 10⁵ | 10⁶ | 10⁷ by the model | aim |"
    assert lines[2] == "| plan, s | 1 | 7 | 61 | 601 | 10⁶ in ≤ 60 s |"
    assert lines[3] == "| – of processors, for one unit, ms | 0.75 | 0.0525 | 0.0457 |  |  |"
    assert lines[4] == "| – memory, MB | 100 | 200 | 1,100 | 10,100 | 10⁶ in ≤ 2 GB |"


def test_what_does_not_grow_is_told_to_stay() -> None:
    assert report.model({10**4: 5.0, 10**5: 4.0})(10**7) == 4.0

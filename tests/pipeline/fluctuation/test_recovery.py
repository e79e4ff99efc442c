"""The tables of docs/fluctuation.md."""

from __future__ import annotations

from pipeline.fluctuation import recovery
from tests.conftest import HOUSE

PAGE = (HOUSE / "docs" / "fluctuation.md").read_text(encoding="utf-8")


def test_the_page_says_what_is_so_of_assumptions_that_fail() -> None:
    assert PAGE.count(recovery.BEGIN) == PAGE.count(recovery.END) == 1
    rows = [line.partition("(")[0] for line in recovery.assumptions_table() if line.startswith("| ")]
    assert len(rows) > 5
    for row in rows:
        assert row in PAGE


def test_what_is_enumerated_deviates_by_rounding_alone() -> None:
    worst = [line.split("|")[3:5] for line in recovery.exact_table() if line[2:3].isdigit()]
    assert worst
    assert max(float(number) for pair in worst for number in pair) < 1e-12

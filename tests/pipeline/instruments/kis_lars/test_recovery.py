"""The tables of docs/lars.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.instruments.kis_lars import recovery
from tests.conftest import HOUSE

PAGE = (HOUSE / "docs" / "lars.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of a table of the page, by the beginning of its first line."""
    table = PAGE.partition(title)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_page_has_recovered_what_was_put_in_to_a_metre_a_second() -> None:
    injected = rows("| put in |")
    assert len(injected) == 5
    for _, core, bisector, noisy_core, _, noisy_bisector, _ in injected:
        assert abs(float(core)) < 0.1
        assert abs(float(bisector)) < 0.1
        assert abs(float(noisy_core.split("±")[0])) < 1.0
        assert abs(float(noisy_bisector.split("±")[0])) < 0.3


def test_the_page_has_the_published_velocities_again() -> None:
    limb = rows("| mu | 6301.5 core")
    assert [float(row[0]) for row in limb] == [row[0] for row in recovery.PUBLISHED]
    for row, wanted in zip(limb, recovery.PUBLISHED, strict=True):
        assert [float(row[column]) for column in (1, 3, 5)] == list(wanted[1:])
        for column in (1, 3, 5):
            assert float(row[column + 1]) == pytest.approx(float(row[column]), abs=1.5)


def test_tables_go_between_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{recovery.BEGIN}\nold\n{recovery.END}\nbehind\n")
    monkeypatch.setattr(recovery, "tables", lambda cycles: f"of {cycles}")
    recovery.write_into(page, 3)
    assert page.read_text() == f"before\n{recovery.BEGIN}\nof 3\n{recovery.END}\nbehind\n"

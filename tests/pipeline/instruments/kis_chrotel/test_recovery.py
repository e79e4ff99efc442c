"""The tables of the page: they stand in it, and their rows are measured."""

from __future__ import annotations

from pipeline.instruments.kis_chrotel.simulate import recovery
from tests.conftest import HOUSE
from tests.pipeline.instruments.kis_chrotel import simulated
from tests.pipeline.instruments.kis_chrotel.simulated import HALPHA

PAGE = (HOUSE / "docs" / "chrotel.md").read_text(encoding="utf-8")


def test_the_page_has_a_row_for_every_condition() -> None:
    tables = PAGE.partition(recovery.BEGIN)[2].partition(recovery.END)[0]
    for name in recovery.CONDITIONS:
        assert f"| {name} |" in tables


def test_what_a_row_says_is_what_the_recipes_do() -> None:
    disk = recovery.Disk(HALPHA, simulated.image(HALPHA), simulated.level_1(HALPHA))
    miss, _ = recovery.centre_error(disk)
    assert miss < 0.05
    left = recovery.pattern_left(disk)
    assert left.after < 0.1 * left.before
    assert left.after < 2 * left.told
    assert 3 <= left.order <= 8
    found = recovery.filaments_found(disk)
    assert found.hit >= 0.75 * found.there
    assert found.wrong == 0
    assert found.dice > 0.75

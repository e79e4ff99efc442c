"""Units of a run by site: claimed there only, counted there, and moved while nobody works on them."""

from __future__ import annotations

import pytest

from lake.lake import Lake
from lake.ledger import sites
from lake.ledger.run import Run
from lake.ledger.units import Finished, UnitSpec


@pytest.fixture
def run(lake: Lake, scope: str) -> Run:
    """Four units, two at each of two sites."""
    units = [UnitSpec(f"{scope}-{n}", scope, {}, "north" if n % 2 else "south") for n in range(4)]
    return Run.create(lake, scope, {}, "recipe", units, "host:1:1")


def _ids(claimed: object) -> list[str]:
    return [one.unit_id[-1] for one in claimed]  # type: ignore[attr-defined]


def test_a_site_is_given_its_own_units_in_their_order(run: Run) -> None:
    assert _ids(run.claim(10, site="north")) == ["1", "3"]
    assert _ids(run.claim(10, site="north")) == []
    assert _ids(run.claim(1, site="south")) == ["0"]


def test_who_names_no_site_is_given_all(run: Run) -> None:
    assert _ids(run.claim(10)) == ["0", "1", "2", "3"]


def test_units_of_a_run_of_one_site_are_no_sites(lake: Lake, scope: str) -> None:
    run = Run.create(lake, scope, {}, "recipe", [UnitSpec(f"{scope}-0", scope)], "host:1:1")
    assert run.claim(10, site="") == []
    assert len(run.claim(10)) == 1


def test_units_are_counted_by_site(run: Run) -> None:
    (one,) = run.claim(1, site="south")
    run.finish([Finished(one.unit_id, "done")])
    found = sites.numbers(run)
    assert {site: (states["planned"], states["done"]) for site, states in found.items()} == {
        "north": (2, 0),
        "south": (1, 1),
    }


def test_units_move_unless_somebody_works_on_them(run: Run) -> None:
    (held,) = run.claim(1, site="north")
    north = [held.unit_id, *sites.waiting(run, "north")]
    assert sites.move(run, dict.fromkeys(north, "south")) == 1
    assert sites.waiting(run, "north") == []
    assert len(sites.waiting(run, "south")) == 3
    assert sites.move(run, dict.fromkeys(north, "south")) == 0


def test_a_site_is_told_of_runs_that_have_work_for_it(lake: Lake, run: Run) -> None:
    assert run.id in sites.runs_with_work(lake, "north")
    assert run.id not in sites.runs_with_work(lake, "west")
    run.claim(10, site="north")
    assert run.id not in sites.runs_with_work(lake, "north")
    run.end("stopped")
    assert run.id not in sites.runs_with_work(lake, "south")

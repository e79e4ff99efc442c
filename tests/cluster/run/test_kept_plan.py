"""Who carries a run out holds what they work on, not the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.plan.units import PlannedUnit
from cluster.run.alike import FirstFailures
from cluster.run.carrying import Carrying
from cluster.run.kept_plan import KeptPlan, kept_plan, plan_of
from cluster.run.open_run import open_run
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.ledger import runs, sites
from lake.releases.access import require_inputs
from pipeline.recipe import recipes
from tests.cluster.frames import aia_series, at


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


def planned(lake: Lake, folder: Path, days: Sequence[datetime], number: int) -> Plan:
    for day in days:
        ingest(lake, aia_series(folder, day, number))
    return make_plan(lake, recipes()["aia-l15"], Query(since=days[0], until=days[-1].replace(hour=23)))


def begun(lake: Lake, plan: Plan, places: Mapping[str, str] | None = None) -> KeptPlan:
    run = open_run(lake, plan, plan.units, places=places)
    return kept_plan(run, runs.find_run(lake, run.id))


@dataclass
class OneSite:
    """A site that brings nothing from elsewhere, and leaves when nothing is to be done there."""

    plan: KeptPlan
    site: str = "here"
    rse: str = ""
    batch: int = 2

    def fetch(self, units: Sequence[PlannedUnit]) -> None:
        """Have all that there is at hand."""

    def heal(self, units: Sequence[PlannedUnit]) -> set[str]:
        return set()

    def leaves(self) -> bool:
        return not sites.waiting(self.plan.run, self.site)


def test_what_a_run_carries_out_comes_back_from_the_ledger_whole_and_by_product(
    lake: Lake, tmp_path: Path
) -> None:
    plan = planned(lake, tmp_path, [at(2017, 8, 1), at(2017, 8, 2)], 2)
    kept = begun(lake, plan)
    told = runs.find_run(lake, kept.run.id)
    assert plan_of(lake, told).id == plan.id
    members = plan.by_product()
    assert len(members) == 2
    for product, units in members.items():
        assert [unit.payload() for unit in kept.units(product.name)] == [unit.payload() for unit in units]
        assert kept.parents(product.name) == {parent for unit in units for parent in unit.parents}
    assert kept.parents() == plan.parents()
    assert kept.reference_dids() == plan.reference_dids()


def test_going_on_with_a_run_reads_none_of_its_units(lake: Lake, tmp_path: Path) -> None:
    kept = begun(lake, planned(lake, tmp_path, [at(2017, 8, 3)], 2))
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(lake.engine, "before_cursor_execute", note)
    try:
        again = kept_plan(kept.run, runs.find_run(lake, kept.run.id))
    finally:
        event.remove(lake.engine, "before_cursor_execute", note)
    assert (again.recipe, again.context, again.code) == (kept.recipe, kept.context, kept.code)
    assert asked
    assert not [statement for statement in asked if "payload" in statement]


def test_an_executor_reads_the_units_of_its_site_and_no_others(
    home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(lake, tmp_path, [at(2017, 8, 4), at(2017, 8, 5)], 3)
    here, elsewhere = plan.by_product().values()
    places = dict.fromkeys((unit.unit_id for unit in here), "here")
    places |= dict.fromkeys((unit.unit_id for unit in elsewhere), "elsewhere")
    kept = begun(lake, plan, places)
    read: set[str] = set()
    of_payload = PlannedUnit.of_payload

    def note(unit_id: str, payload: Mapping[str, Any]) -> PlannedUnit:
        read.add(unit_id)
        return of_payload(unit_id, payload)

    monkeypatch.setattr(PlannedUnit, "of_payload", note)
    grant = require_inputs(lake, OWNER, kept.parents(), kept.reference_dids())
    station = OneSite(kept)
    (release,) = Carrying(kept, grant, 6, None, FirstFailures(armed=True), post=station).carry_out(
        home.scheduler()
    )
    assert (release["product"], release["files"]) == (here[0].product.name, 3)
    assert read == {unit.unit_id for unit in here}
    assert kept.run.left() == 3

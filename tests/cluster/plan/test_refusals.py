"""Plans that cannot work are refused before the run, and told apart from those that work in part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.plan.refusals import lacking, refuse_hopeless
from cluster.plan.standing import standing
from cluster.run.alike import ENOUGH
from cluster.run.process import process
from lake.calibration import contexts, references
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.run import Run
from lake.releases import quarantine
from pipeline.errors import Fatal
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from pipeline.recipe import recipes
from tests.cluster.frames import aia_file, aia_series, at

DAY = "aia171_20180401"


@pytest.fixture(scope="module")
def lake(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with three frames of AIA of one day."""
    lake = Lake.open(home.lake_config())
    ingest(lake, aia_series(tmp_path_factory.mktemp("raw"), at(2018, 4, 1), 3))
    return lake


def planned(lake: Lake, context: int, **settings: object) -> Plan:
    recipe = recipes()["aia-l15"].with_settings({f"{name}.enabled": on for name, on in settings.items()})
    return make_plan(lake, recipe, Query(observation=DAY), context=context)


@pytest.fixture(scope="module")
def bare(lake: Lake) -> int:
    """A context without any reference."""
    return contexts.create(lake, [], instrument="sdo_aia").number


def test_a_reference_that_all_files_lack_is_one_refusal_before_the_run(
    home: Home, lake: Lake, bare: int
) -> None:
    plan = planned(lake, bare, degradation=True)
    assert lacking(plan) == {"degradation_table": 3}
    words = (
        r"None of the 3 files can go through aia-l15: step degradation needs the reference "
        r"'degradation_table' \(the response table .*\), and there is none: context \d+ has no .*"
        # another test's context may have one, and is named then
        r"heliolake context (add FOLDER --use|use \d+).*assume: \{degradation_table: unity\}"
    )
    with pytest.raises(Fatal, match=words):
        process(lake, home.scheduler(), plan)
    assert runs.runs_of_plan(lake, plan.id) == []


def test_a_reference_that_a_setting_demands_is_asked_for_before_the_run(lake: Lake, tmp_path: Path) -> None:
    """Physical units ask for the flat, for which unity stands in otherwise."""
    config = SimulationConfig(
        detector="HI2", spacecraft="A", frames=1, size=64, exposures=20, stars=5, start=at(2009, 4, 1)
    )
    ingest(lake, write_series(tmp_path, config))
    number = contexts.create(lake, [], instrument="stereo_hi").number
    query, recipe = Query(observation="hi2a_s4_20090401"), recipes()["stereo_hi-l1"]
    refuse_hopeless(lake, make_plan(lake, recipe, query, context=number))
    msb = recipe.with_settings({"photometric_calibration.units": "MSB"})
    with pytest.raises(Fatal, match="The one file cannot go through stereo_hi-l1: step flat_field needs"):
        refuse_hopeless(lake, make_plan(lake, msb, query, context=number))


def test_optional_references_are_not_missed(lake: Lake, bare: int) -> None:
    plan = planned(lake, bare, respike=True)
    assert "spikes" in plan.units[0].absent
    assert lacking(plan) == {}
    refuse_hopeless(lake, plan)


def table(lake: Lake, folder: Path, name: str, **selectors: object) -> references.ReferenceInfo:
    path = folder / f"{name}.fits"
    fits.writeto(path, np.zeros((2, 2), np.float32))
    (info,) = references.add(
        lake,
        [
            references.NewReference(
                path, "degradation_table", "sdo_aia", "a test", selectors=selectors, simulated=True
            )
        ],
    )
    return info


def test_a_context_that_is_not_in_use_and_has_the_reference_is_named(
    lake: Lake, bare: int, tmp_path: Path
) -> None:
    plan = planned(lake, bare, degradation=True)
    name = plan.units[0].file.name
    other = contexts.create(lake, [table(lake, tmp_path, "refusals_one", FILENAME=name)], "sdo_aia")
    with pytest.raises(
        Fatal, match=rf"context {other.number} has one: `heliolake context use {other.number}`"
    ):
        refuse_hopeless(lake, plan)


def test_where_only_some_files_lack_it_the_plan_goes_on_and_says_how_many(
    lake: Lake, bare: int, tmp_path: Path
) -> None:
    name = planned(lake, bare).units[0].file.name
    some = contexts.create(lake, [table(lake, tmp_path, "refusals_two", FILENAME=name)], "sdo_aia")
    plan = planned(lake, some.number, degradation=True)
    refuse_hopeless(lake, plan)
    assert lacking(plan) == {"degradation_table": 2}
    assert standing(lake, plan).lacking == {"degradation_table": 2}


def test_a_run_whose_frames_all_fail_alike_stops_and_leaves_nothing_behind(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    """The frames are per second already: that shows when they are read, and for every one of them."""
    count, day = ENOUGH + 4, "aia171_20180402"
    ingest(lake, aia_series(tmp_path, at(2018, 4, 2), count, BUNIT="DN/s"))
    plan = make_plan(lake, recipes()["aia-l15"], Query(observation=day))
    for _ in range(2):
        with pytest.raises(
            Fatal, match=r"fail alike at step normalise_exposure.*BUNIT: DN/s.*switch normalise"
        ):
            process(lake, home.scheduler(), plan)
        (run,) = runs.runs_of_plan(lake, plan.id)
        assert Run(lake, run["run"], "nobody").counts()["planned"] == count
        assert "fail alike" in run["note"]
        assert [one for one in fsck(lake)["differences"] if "20180402" in str(one)] == []
    assert not [one for one in quarantine.listing(lake, stage="process") if "20180402" in one["file"]]
    assert process(lake, home.scheduler(), plan, keep_going=True).counts()["quarantined"] == count


def test_a_recipe_that_has_worked_goes_on_however_many_frames_are_bad(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    day = "aia171_20180403"
    ingest(lake, [aia_file(tmp_path, at(2018, 4, 3, 12))])
    assert process(
        lake, home.scheduler(), make_plan(lake, recipes()["aia-l15"], Query(observation=day))
    ).clean
    ingest(lake, aia_series(tmp_path, at(2018, 4, 3), ENOUGH + 1, EXPTIME=0.0))
    report = process(lake, home.scheduler(), make_plan(lake, recipes()["aia-l15"], Query(observation=day)))
    assert (report.counts()["skipped"], report.counts()["quarantined"]) == (1, ENOUGH + 1)

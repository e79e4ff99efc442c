"""Several files to one product, and one piece of work to several, from raw files to releases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from distributed import LocalCluster

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.plan.units import PlannedUnit
from cluster.run.process import process, resume
from cluster.run.trial import trial_products, trial_stack
from cluster.scheduler import Scheduler
from lake.fsck.compare import fsck
from lake.governance.policy import OPERATOR
from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import UnitSpec
from lake.releases import lineage, quarantine, search
from lake.releases.finding import Wanted
from pipeline.recipe import Recipe
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.toy import TRIPLET, toy_frame


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@pytest.fixture(scope="module", autouse=True)
def site(toy_instrument: Path) -> Iterator[Path]:  # noqa: F811
    """Where the toy instrument is installed, for processes started from now on too."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("PYTHONPATH", str(toy_instrument), prepend=os.pathsep)
        yield toy_instrument


@pytest.fixture(scope="module")
def scheduler(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """A cluster whose worker knows the toy instrument."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
        host="127.0.0.1",
    ) as cluster:
        yield Scheduler(cluster.scheduler_address)


def raw(folder: Path, day: int, minute: int, position: int, **cards: object) -> Path:
    """One frame of a triplet; a triplet takes three seconds."""
    name = f"toy_202407{day:02d}_{minute:02d}{position}.fits"
    stamp = f"2024-07-{day:02d}T07:{minute:02d}:0{position}.000"
    frame = toy_frame(float(position), POLPOS=position, FILENAME=name, **{"DATE-OBS": stamp, **cards})
    fits.writeto(folder / name, frame.data, frame.header)
    return folder / name


def triplet(folder: Path, day: int, minute: int, **cards: object) -> list[Path]:
    return [raw(folder, day, minute, position, **cards) for position in (1, 2, 3)]


def planned(lake: Lake, day: int, recipe: str = TRIPLET) -> Plan:
    return make_plan(lake, Recipe.parse(recipe), Query(observation=f"cam1_202407{day:02d}"))


def name(day: int, level: str) -> str:
    return f"toy:cam1_202407{day:02d}.l{level}"


def made_of(lake: Lake, release: str, file: str) -> list[str]:
    """Of which files the archive says that one was made."""
    graph = lineage.file_graph(lake, release, file)
    return [edge["from"] for edge in graph["edges"] if (edge["to"], edge["role"]) == (graph["root"], "input")]


class TestGroups:
    """A polariser's three positions to one image, with a quick look beside it."""

    def test_one_file_comes_of_three_and_another_beside_it(
        self, lake: Lake, scheduler: Scheduler, tmp_path: Path
    ) -> None:
        paths = [*triplet(tmp_path, 1, 10), *triplet(tmp_path, 1, 20)]
        ingest(lake, paths)
        report = process(lake, scheduler, planned(lake, 1))
        assert [item.outcome for item in report.items] == ["done"] * 4, report.items
        image, glance = (search.show(lake, name(1, level)) for level in ("1", "Q1"))
        assert (len(image["files"]), len(glance["files"])) == (2, 2)
        assert image["meta"]["position"] == [1, 2, 3]
        first = image["files"][0]
        assert (first["date_beg"][:19], first["date_end"][:19]) == (
            "2024-07-01T07:10:01",
            "2024-07-01T07:10:03",
        )
        file, _ = search.get_files(lake, name(1, "1"), tmp_path / "got")
        with fits.open(file, checksum=True) as hdus:
            assert hdus[0].data[0, 0] == np.float32(100 * 3 + 10 * 4 + 5)
            assert hdus[0].header["PARENTXT"] == ", ".join(f"toy:{path.name}" for path in paths[:3])
            assert hdus[0].header["DATE-BEG"].startswith("2024-07-01T07:10:01")
        look, _ = search.get_files(lake, name(1, "Q1"), tmp_path / "looks")
        assert fits.getdata(look).shape == (2, 3)
        assert fits.getheader(look)["LEVEL"] == "Q1"
        assert fsck(lake, scopes=["toy"], deep=True)["differences"] == []
        for level, release in (("1", image), ("Q1", glance)):  # each of its own three, and of no other
            told = [made_of(lake, name(1, level), file["name"]) for file in release["files"]]
            assert told == [[f"toy:{path.name}" for path in three] for three in (paths[:3], paths[3:])]
            graph = lineage.graph(lake, name(1, level))
            assert {edge["from"] for edge in graph["edges"] if edge["to"] == graph["root"]} == {
                f"{name(1, '0')}@v0001"
            }
        again = process(lake, scheduler, planned(lake, 1))
        assert (again.more["run"], {item.outcome for item in again.items}) == (None, {"skipped"})

    def test_a_group_that_is_not_whole_is_named_and_made_when_the_rest_comes(
        self, lake: Lake, scheduler: Scheduler, tmp_path: Path
    ) -> None:
        late = raw(tmp_path, 2, 20, 2)
        ingest(lake, [*triplet(tmp_path, 2, 10), raw(tmp_path, 2, 20, 1), raw(tmp_path, 2, 20, 3)])
        plan = planned(lake, 2)
        assert [(one.file[-11:], one.reason) for one in plan.left_out] == [
            ("02_201.fits", "its group of 2 lacks position 2"),
            ("02_203.fits", "its group of 2 lacks position 2"),
        ]
        report = process(lake, scheduler, plan)
        assert [item.outcome for item in report.items] == ["done", "done", "skipped", "skipped"]
        ingest(lake, [late])
        report = process(lake, scheduler, planned(lake, 2))
        assert sorted(item.outcome for item in report.items) == ["done", "done", "skipped", "skipped"]
        found = search.search(lake, Wanted(instrument="toy", level="1", pattern="*20240702"))
        assert sorted(one["version"] for one in found) == [1, 2]
        # What the second run did not make it tells all the same, of the first one's notes.
        files = search.show(lake, name(2, "1"))["files"]
        told = [made_of(lake, name(2, "1"), file["name"]) for file in files]
        assert told == [
            [f"toy:toy_20240702_{minute}{position}.fits" for position in (1, 2, 3)] for minute in (10, 20)
        ]

    def test_a_group_may_be_taken_as_it_is_and_says_what_it_lacks(
        self, lake: Lake, scheduler: Scheduler, tmp_path: Path
    ) -> None:
        ingest(lake, [raw(tmp_path, 3, 20, 1), raw(tmp_path, 3, 20, 3)])
        process(
            lake, scheduler, planned(lake, 3, TRIPLET.replace("within: 60", "within: 60, incomplete: taken"))
        )
        (file,) = search.show(lake, name(3, "1"))["files"]
        assert "the group of files lacks position 2" in file["caveats"]

    def test_a_bad_file_puts_its_group_aside_and_no_other(
        self, lake: Lake, scheduler: Scheduler, tmp_path: Path
    ) -> None:
        bad = raw(tmp_path, 4, 20, 2, BROKEN=True)
        ingest(lake, [*triplet(tmp_path, 4, 10), raw(tmp_path, 4, 20, 1), bad, raw(tmp_path, 4, 20, 3)])
        report = process(lake, scheduler, planned(lake, 4))
        assert sorted(item.outcome for item in report.items) == ["done", "done", "quarantined", "quarantined"]
        (case, *_) = [
            one for one in quarantine.listing(lake, stage="process") if "toy_20240704" in one["file"]
        ]
        assert case["reason"] == f"{bad.name} of its group: the shutter was shut"

    def test_what_was_interrupted_between_the_outputs_is_gone_on_with(
        self, lake: Lake, scheduler: Scheduler, tmp_path: Path
    ) -> None:
        ingest(lake, triplet(tmp_path, 5, 10))
        plan = planned(lake, 5)
        specs = [UnitSpec(one.unit_id, one.product.name, {"unit": one.payload()}) for one in plan.units]
        document = {key: value for key, value in plan.document().items() if key != "units"}
        run = Run.create(lake, plan.id, document, plan.recipe.name, specs, this_process())
        report = resume(lake, scheduler, run.id)
        assert [item.outcome for item in report.items] == ["done", "done"]

    def test_a_trial_makes_both_and_publishes_neither(
        self, lake: Lake, scheduler: Scheduler, tmp_path: Path
    ) -> None:
        ingest(lake, [*triplet(tmp_path, 6, 10), *triplet(tmp_path, 6, 20)])
        plan = planned(lake, 6)
        report = trial_products(lake, scheduler, plan, tmp_path / "trial", OPERATOR)
        assert {item.outcome for item in report.items} == {"done"}
        assert len(list((tmp_path / "trial").glob("*.fits"))) == 4
        assert search.search(lake, Wanted(instrument="toy", level="1", pattern="*20240706")) == []
        stack = trial_stack(lake, plan, OPERATOR)
        assert stack["image"].shape == (2, 4, 6)
        assert stack["image"].compute().values[0, 0, 0] == 345.0

    def test_a_unit_comes_back_from_its_payload_as_it_was(self, lake: Lake, tmp_path: Path) -> None:
        ingest(lake, triplet(tmp_path, 7, 10))
        for unit in planned(lake, 7).units:
            back = PlannedUnit.of_payload(unit.unit_id, unit.payload())
            assert (back.files, back.output, back.work) == (unit.files, unit.output, unit.work)
        assert {len(one["inputs"]) for one in planned(lake, 7).explain("toy_20240707_102.fits")} == {3}

    def test_images_of_several_shapes_are_no_group(self, lake: Lake, tmp_path: Path) -> None:
        odd = tmp_path / "toy_20240708_102.fits"
        frame = toy_frame(2.0, (5, 6), POLPOS=2, FILENAME=odd.name, **{"DATE-OBS": "2024-07-08T07:10:02.000"})
        fits.writeto(odd, frame.data, frame.header)
        ingest(lake, [raw(tmp_path, 8, 10, 1), odd, raw(tmp_path, 8, 10, 3)])
        plan = planned(lake, 8)
        assert plan.units == ()
        assert "several shapes" in plan.left_out[0].reason


def test_the_same_files_and_recipe_are_the_same_work(lake: Lake, tmp_path: Path) -> None:
    ingest(lake, triplet(tmp_path, 9, 10))
    first, second = planned(lake, 9), planned(lake, 9)
    assert first.id == second.id
    later = planned(lake, 9, TRIPLET.replace("within: 60", "within: 61"))
    assert {one.unit_id for one in first.units}.isdisjoint(one.unit_id for one in later.units)

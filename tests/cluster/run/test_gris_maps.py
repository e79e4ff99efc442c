"""Slit files of a sequence of maps, one of them with a gap, from ingest to releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from distributed import LocalCluster

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.run.trial import trial_stack
from cluster.scheduler import Scheduler
from lake.errors import BadInput
from lake.governance.policy import OPERATOR
from lake.lake import Lake
from lake.releases import search
from pipeline.instruments.kis_gris.simulate import SimulationConfig, simulate, write
from pipeline.recipe import recipes

CONFIG = SimulationConfig(steps=4, rows=8, maps=2, binning=8, run=71)
NAME = "gris_20260614_071"


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
        host="127.0.0.1",
    ) as cluster:
        yield Scheduler(cluster.scheduler_address)


def test_each_map_is_one_cube_with_pictures_and_its_gap_is_kept(
    lake: Lake, scheduler: Scheduler, tmp_path: Path
) -> None:
    scan = simulate(CONFIG)
    paths = write(tmp_path / "raw", [one for index, one in enumerate(scan.files) if index != 5])
    assert {item.outcome for item in ingest(lake, paths).items} == {"done"}
    plan = make_plan(lake, recipes()["kis_gris-map"], Query(observation=NAME))
    assert len({unit.work for unit in plan.units}) == 2
    report = process(lake, scheduler, plan)
    assert [item.outcome for item in report.items] == ["done"] * 8, report.items
    maps = search.show(lake, f"kis_gris:{NAME}.l1m")["files"]
    assert [file["shape"] for file in maps] == [[4, 65, 8, 4]] * 2
    assert maps[1]["date_end"][:19] == "2026-06-14T08:30:46"
    assert len(search.show(lake, f"kis_gris:{NAME}.l1v")["files"]) == 2
    files = sorted(search.get_files(lake, f"kis_gris:{NAME}.l1m", tmp_path / "got"))
    with fits.open(files[1], checksum=True) as hdus:
        assert (np.isnan(hdus[0].data).any(axis=(0, 1, 2)) == [False, True, False, False]).all()
        assert (hdus["QUALITY"].data[..., 1] == 1).all()
        assert hdus[0].header["NSLITMIS"] == 1
        np.testing.assert_array_equal(hdus[0].data[..., 2], scan.files[6].data[..., 0])
    # A recipe that is for another region takes none of them.
    numbers = {
        region: len(make_plan(lake, recipes()[f"kis_gris-me-{region}"], Query(observation=NAME)).units)
        for region in ("1565", "1083")
    }
    assert numbers == {"1565": 6, "1083": 0}
    with pytest.raises(BadInput, match="several numbers") as refusal:
        trial_stack(lake, plan, OPERATOR)
    assert refusal.value.found == "3 for 4 places, 4 for 4 places"

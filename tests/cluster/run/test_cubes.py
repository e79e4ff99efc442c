"""Cubes from raw files to releases, by the code that images go through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from distributed import LocalCluster

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.run.process import process
from cluster.run.reduce import reduce_to_reference
from cluster.run.trial import trial_stack
from cluster.scheduler import Scheduler
from heliolake.results import Observation
from lake.errors import BadInput
from lake.governance.policy import OPERATOR
from lake.lake import Lake
from lake.releases import search
from lake.releases.finding import Wanted
from pipeline.errors import Fatal
from pipeline.outcome import Status
from pipeline.quality import Quality
from pipeline.recipe import Recipe
from pipeline.reduction import find_reduction
from tests.cubes import DIMS, RECIPE, TO_IMAGE, cube, cube_header
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.stored import path_of

SHAPE = (4, 5, 3, 2)


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@pytest.fixture(scope="module", autouse=True)
def site(toy_instrument: Path) -> Iterator[Path]:  # noqa: F811
    """Where the toy instruments are installed, for processes started from now on too."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("PYTHONPATH", str(toy_instrument), prepend=os.pathsep)
        yield toy_instrument


@pytest.fixture(scope="module")
def scheduler(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """A cluster whose workers know the toy instruments."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
        host="127.0.0.1",
    ) as cluster:
        yield Scheduler(cluster.scheduler_address)


def raw_files(folder: Path, day: int, number: int = 2, **cards: object) -> list[Path]:
    """Slit positions of one day."""
    paths = []
    for n in range(number):
        path = folder / f"slit_202405{day:02d}_{n}.fits"
        stamp = f"2024-05-{day:02d}T07:0{n}:09.500"
        header = cube_header(SHAPE, **{"DATE-OBS": stamp, "ISTEP": 3 * n + 1, **cards})
        fits.writeto(path, cube(SHAPE).data + day + n, header)
        paths.append(path)
    return paths


def planned(lake: Lake, day: int, recipe: str = RECIPE) -> Plan:
    return make_plan(lake, Recipe.parse(recipe), Query(observation=f"slit_202405{day:02d}"))


def test_cubes_become_releases_with_all_their_axes_flags_and_uncertainties(
    home: Home, lake: Lake, scheduler: Scheduler, tmp_path: Path
) -> None:
    paths = raw_files(tmp_path, 1)
    assert [item.outcome for item in ingest(lake, paths).items] == ["done", "done"]
    report = process(lake, scheduler, planned(lake, 1, RECIPE + "uncertainty: true\n"))
    assert [item.outcome for item in report.items] == ["done", "done"], report.items
    document = search.show(lake, "slit:slit_20240501.lQ1")
    assert document["meta"] == {"position": [1, 4]}
    assert {tuple(file["dims"]) for file in document["files"]} == {DIMS}
    assert {tuple(file["shape"]) for file in document["files"]} == {(4, 3, 3, 2)}

    first, _ = search.get_files(lake, "slit:slit_20240501.lQ1", tmp_path / "got")
    raw = fits.getdata(paths[0])
    with fits.open(first, checksum=True) as hdus:
        np.testing.assert_allclose(hdus[0].data, (raw[:, 1:4] + 2) / 0.5, rtol=1e-6)
        assert hdus["QUALITY"].data.shape == (3, 2)
        assert hdus["QUALITY"].data[0, 0] == Quality.HOT
        assert hdus["UNCERT"].data.shape == (4, 3, 3, 2)
        before, after = WCS(fits.getheader(paths[0])), WCS(hdus[0].header)
        for place in ((0, 0, 0, 0), (1, 2, 2, 3)):
            moved = (*place[:2], place[2] + 1, place[3])
            np.testing.assert_allclose(
                after.wcs_pix2world([place], 0), before.wcs_pix2world([moved], 0), rtol=1e-12
            )
        assert list(WCS(hdus["QUALITY"].header).wcs.ctype) == ["HPLN-TAN", "HPLT-TAN"]
        assert list(WCS(hdus["UNCERT"].header).wcs.ctype) == list(after.wcs.ctype)
        assert hdus[0].header["CNAME3"] == "Wavelength in air"


def test_a_next_level_reads_cubes_and_their_flags_and_may_make_images_of_them(
    home: Home, lake: Lake, scheduler: Scheduler, tmp_path: Path
) -> None:
    ingest(lake, raw_files(tmp_path, 2))
    process(lake, scheduler, planned(lake, 2))
    report = process(lake, scheduler, planned(lake, 2, TO_IMAGE))
    assert [item.outcome for item in report.items] == ["done", "done"], report.items
    (level1,) = search.search(lake, Wanted(instrument="slit", level="Q1", pattern="slit_20240502"))
    (level2,) = search.search(lake, Wanted(instrument="slit", level="Q2", pattern="slit_20240502"))
    cubes, images = (Observation(lake, one).stack() for one in (level1, level2))
    assert cubes["image"].dims == ("time", *DIMS)
    assert cubes["quality"].dims == ("time", "y", "x")
    assert cubes["stokes"].values.tolist() == ["I", "Q", "U", "V"]
    np.testing.assert_allclose(cubes["wavelength"], (10824 + 0.018 * np.arange(1, 4)) * 1e-10, rtol=1e-12)
    assert images["image"].dims == ("time", "y", "x")
    wanted = cubes["image"].sel(stokes="I").mean("wavelength") * 2
    np.testing.assert_allclose(images["image"], wanted, rtol=1e-6)
    assert (images["quality"].values[:, 0, 0] == Quality.HOT).all()


def test_files_with_other_axes_are_put_aside_with_the_reason(lake: Lake, tmp_path: Path) -> None:
    wrong_size, wrong_kind, flat, whole = raw_files(tmp_path, 3, number=4)
    fits.writeto(wrong_size, cube((3, 5, 3, 2)).data, fits.getheader(wrong_size), overwrite=True)
    fits.setval(wrong_kind, "CTYPE3", value="FREQ")
    fits.writeto(flat, cube(SHAPE).data[0, 0], fits.getheader(flat), overwrite=True)
    items = ingest(lake, [wrong_size, wrong_kind, flat, whole]).items
    assert [item.outcome for item in items] == ["quarantined"] * 3 + ["done"]
    assert [(item.keyword, item.found) for item in items[:3]] == [
        ("NAXIS4", "3"),
        ("CTYPE3", "FREQ"),
        ("NAXIS", "2 x 3"),
    ]
    assert "the axis stokes should have NAXIS4 4" in items[0].reason
    assert "other axes than (stokes, wavelength, y, x)" in items[2].reason


def test_a_plan_whose_steps_take_none_of_its_files_is_refused_before_anything_runs(
    lake: Lake, scheduler: Scheduler, tmp_path: Path
) -> None:
    ingest(lake, raw_files(tmp_path, 4))
    narrow = RECIPE.replace("first: 1, last: 4", "first: 5, last: 9")
    plan = planned(lake, 4, narrow)
    with pytest.raises(Fatal, match=r"step trim would make .* of 4 x 0 x 3 x 2"):
        process(lake, scheduler, plan)
    with pytest.raises(Fatal, match="step trim would make"):
        trial_stack(lake, plan, OPERATOR)
    assert search.search(lake, Wanted(instrument="slit", level="Q1", pattern="slit_20240504")) == []


def test_one_file_that_the_steps_do_not_take_ends_by_itself_with_the_reason(
    lake: Lake, scheduler: Scheduler, tmp_path: Path
) -> None:
    short, whole = raw_files(tmp_path, 5)
    fits.writeto(short, cube((4, 1, 3, 2)).data, fits.getheader(short), overwrite=True)
    ingest(lake, [short, whole])
    report = process(lake, scheduler, planned(lake, 5))
    outcomes = {item.file: item for item in report.items}
    assert outcomes[whole.name].outcome == Status.DONE
    assert outcomes[short.name].outcome == Status.FAILED
    assert "step trim would make (stokes, wavelength, y, x) of 4 x 0 x 3 x 2" in outcomes[short.name].reason


def test_a_reduction_says_which_dims_it_takes(lake: Lake, scheduler: Scheduler, tmp_path: Path) -> None:
    paths = raw_files(tmp_path, 7, number=3)
    ingest(lake, paths)
    day = Query(observation="slit_20240507")
    with pytest.raises(BadInput, match=r"mean_image takes frames of \(y, x\)") as refusal:
        reduce_to_reference(lake, scheduler, find_reduction("slit", "mean_image"), day)
    assert refusal.value.found == "(stokes, wavelength, y, x)"
    made = reduce_to_reference(lake, scheduler, find_reduction("slit", "mean_cube"), day)
    (one,) = made.references
    found = fits.getdata(path_of(lake, *one.info.did.split(":")))
    np.testing.assert_allclose(found, np.mean([fits.getdata(path) for path in paths], axis=0), rtol=1e-6)


def test_a_trial_of_cubes_is_a_lazy_stack_with_coordinates(lake: Lake, tmp_path: Path) -> None:
    ingest(lake, raw_files(tmp_path, 6))
    recipe = Recipe.parse(RECIPE).with_settings({"trim.enabled": False})
    made = trial_stack(lake, make_plan(lake, recipe, Query(observation="slit_20240506")), OPERATOR)
    assert made["image"].dims == ("time", *DIMS)
    assert {"time", "stokes", "wavelength"} <= set(made.coords)
    assert np.isfinite(made["image"].compute()).all()

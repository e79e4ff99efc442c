"""A PSF learned from many frames on the cluster, and the frames deconvolved with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from astropy.io import fits

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.intake.references import add, find_known
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.run.reduce import reduce_to_reference
from lake.lake import Lake
from lake.releases import search
from lake.releases.finding import Wanted
from pipeline.instruments.aso_s_lst.simulate import (
    Pupil,
    SimulatedFrame,
    SimulationConfig,
    observed,
    physical_psf,
    write,
    write_calibration,
)
from pipeline.psf.reference import Verdict, read_psf
from pipeline.psf.shape import profile_of_kernel, shape_of
from pipeline.recipe import recipes
from pipeline.reduction import find_reduction
from tests.cluster.frames import at
from tests.stored import path_of

pytestmark = pytest.mark.slow
PUPIL = Pupil(aberration=0.3)
CONFIG = SimulationConfig(telescope="WST", gain="SINGLE", size=512, start=at(2023, 8, 9, 6))


@pytest.fixture(scope="module")
def frames() -> list[SimulatedFrame]:
    """Three of WST, behind a pupil whose wings go further than a camera's kernel."""
    psf = physical_psf(PUPIL, 401)
    return [
        observed(
            CONFIG.model_copy(update={"start": CONFIG.start + timedelta(minutes=n), "number": n}), psf=psf
        )
        for n in range(3)
    ]


def test_frames_are_deconvolved_with_what_they_told_themselves(
    home: Home, frames: list[SimulatedFrame], tmp_path: Path
) -> None:
    lake = Lake.open(home.lake_config())
    files = write_calibration(tmp_path / "calibration", [CONFIG])
    known, _ = find_known([path for path in files if "_psf" not in path.name])
    add(lake, known, use=True)
    told = ingest(lake, [write(tmp_path / "frames", one) for one in frames])
    assert [item.outcome for item in told.items] == ["done"] * 3, told.items
    query = Query(since=at(2023, 8, 9), until=at(2023, 8, 10))
    kind = find_reduction("aso_s_lst", "psf")
    made = reduce_to_reference(lake, home.scheduler(), kind, query, pictures=tmp_path / "pictures")
    (one,) = made.references
    psf = read_psf(path_of(lake, *one.info.did.split(":")))
    true = shape_of(*profile_of_kernel(physical_psf(PUPIL, 401).astype(float)))
    assert (psf.core, psf.simulated) == (Verdict.IDENTIFIED, True)
    assert psf.fwhm.value == pytest.approx(true.fwhm, rel=0.08)
    assert psf.ee50.value == pytest.approx(true.ee50, rel=0.08)
    assert one.info.selectors == {"telescope": "wst"}
    assert one.findings == psf.findings()
    assert f"FWHM {psf.fwhm}" in one.findings[0]
    assert set(psf.reasons) <= set(one.caveats)
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG")

    plan = make_plan(lake, recipes()["aso_s_lst-l12"], query, context=made.context.number)
    report = process(lake, home.scheduler(), plan)
    assert report.counts()["done"] == 3, report.items
    (product,) = search.search(lake, Wanted(instrument="aso_s_lst", level="1.2", since=query.since))
    headers = [fits.getheader(path) for path in search.get_files(lake, product["product"], tmp_path / "l12")]
    assert len(headers) == 3
    assert all(one.info.did.split(":")[1] in str(list(header.values())) for header in headers)

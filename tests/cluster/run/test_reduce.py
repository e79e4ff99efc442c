"""Backgrounds made from many frames, and the product they lead to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.run.reduce import reduce_to_reference
from lake.calibration import contexts, references
from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger import runs
from lake.releases import quarantine, search
from pipeline.errors import Fatal
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from pipeline.quality import Quality
from pipeline.recipe import recipes
from pipeline.reduction import find_reduction
from tests.cluster.frames import at
from tests.stored import path_of

DAY = "hi1a_s4_20090101"
FEW = "20090102"


@pytest.fixture(scope="module")
def lake(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a simulated morning of HI-1 on 2009-01-01, processed to level 1, and a few of the next."""
    lake = Lake.open(home.lake_config())
    config = SimulationConfig(
        detector="HI1", spacecraft="A", kind="s4", frames=6, size=128, start=at(2009, 1, 1), seed=9
    )
    ingest(lake, write_series(tmp_path_factory.mktemp("raw"), config))
    plan = make_plan(lake, recipes()["stereo_hi-l1"], Query(observation=DAY))
    report = process(lake, home.scheduler(), plan)
    assert report.counts()["done"] == 6, report.items
    for number, frames in (("s4", 3), ("n4", 1)):
        few = config.model_copy(
            update={"kind": number, "frames": frames, "size": 64, "start": at(2009, 1, 2)}
        )
        ingest(lake, write_series(tmp_path_factory.mktemp("few"), few))
    process(
        lake,
        home.scheduler(),
        make_plan(lake, recipes()["stereo_hi-l1"], Query(observation=f"hi1a_*_{FEW}")),
    )
    return lake


def test_a_background_becomes_a_reference_and_a_product_without_it(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    kind = find_reduction("stereo_hi", "background")
    made = reduce_to_reference(lake, home.scheduler(), kind, Query(observation=DAY))
    (one,) = made.references
    info = one.info
    assert (one.frames, one.given, info.need, info.simulated) == (6, 6, "background", True)
    assert "of 6 files" in info.source
    assert (one.begin, one.end) == (at(2009, 1, 1), at(2009, 1, 1, 3) + timedelta(minutes=20))
    assert any("made of 6 frames" in caveat for caveat in one.caveats)
    assert info.selectors == {"detector": "1", "spacecraft": "a", "type": "s4"}

    frames = [fits.getdata(path) for path in search.get_files(lake, f"{DAY}.l1", tmp_path / "l1")]
    lowest = np.sort(np.stack(frames), axis=0)[:2].mean(axis=0)  # a quarter of six is two
    background = fits.getdata(path_of(lake, *info.did.split(":")))
    seen = np.isfinite(np.stack(frames)).all(axis=0)
    np.testing.assert_allclose(background[seen], lowest[seen], rtol=1e-6)
    count = fits.getdata(path_of(lake, *info.did.split(":")), "COUNT")
    assert (count.max(), (count[seen] == 6).mean() > 0.9) == (6, True)

    recipe = recipes()["stereo_hi-l2-background"]
    plan = make_plan(lake, recipe, Query(observation=DAY), context=made.context.number)
    report = process(lake, home.scheduler(), plan)
    assert report.counts()["done"] == 6
    paths = search.get_files(lake, f"{DAY}.l2", tmp_path / "l2")
    for path, before in zip(paths, frames, strict=True):
        with fits.open(path) as hdus:
            np.testing.assert_allclose(hdus[0].data, before - background, atol=1e-4)
            assert hdus[0].header["VERS_CAL"] == str(made.context.number)
            assert info.did in str(list(hdus[0].header["PRREF*"].values()))
            flags = hdus["QUALITY"].data
            caveats = " ".join(map(str, hdus[0].header["CAVEAT*"].values()))
            assert "made of 6 frames" in caveats
            assert "one of the 6 its background was made of" in caveats
            assert (flags[np.isfinite(hdus[0].data)] & Quality.LOW_CONFIDENCE).all()
        level1 = tmp_path / "l1" / path.name.replace(".l2.", ".l1.")
        assert not (fits.getdata(level1, "QUALITY") & ~flags).any(), "flags of level 1 follow to level 2"


def test_without_a_background_the_plan_is_refused_with_the_way_out(home: Home, lake: Lake) -> None:
    number = contexts.create(lake, [], instrument="stereo_hi").number
    plan = make_plan(lake, recipes()["stereo_hi-l2-background"], Query(observation=DAY), context=number)
    assert "background" in plan.units[0].absent
    # Another context may have one by now: then that is the way out.
    words = r"None of the 6 files can go .*subtract_background needs the reference 'background'.*heliolake"
    with pytest.raises(Fatal, match=words):
        process(lake, home.scheduler(), plan)
    assert runs.runs_of_plan(lake, plan.id) == []
    assert not [one for one in quarantine.listing(lake, stage="process") if ".l1." in one["file"]]


def test_a_background_of_too_few_frames_is_refused_and_nothing_is_kept(home: Home, lake: Lake) -> None:
    kind = find_reduction("stereo_hi", "background")
    before = {info.did for info in references.listing(lake, "stereo_hi", "background")}
    for observation, number in ((f"hi1a_n4_{FEW}", "1 different frame,"), (f"hi1a_s4_{FEW}", "3 different")):
        with pytest.raises(BadInput, match=r"too few frames for a background \(detector 1") as refusal:
            reduce_to_reference(lake, home.scheduler(), kind, Query(observation=observation))
        assert number in refusal.value.found
        assert "4 are needed" in refusal.value.found
    # Cameras with enough frames get none either while another of the query has too few.
    with pytest.raises(BadInput, match="too few frames"):
        reduce_to_reference(lake, home.scheduler(), kind, Query(observation="hi1a_*_2009010*"))
    assert {info.did for info in references.listing(lake, "stereo_hi", "background")} == before


def test_frames_that_cannot_be_read_are_not_counted(home: Home, lake: Lake) -> None:
    kind = find_reduction("stereo_hi", "background")
    entry = search.granted_files(lake, f"{DAY}.l1")[2]
    path = path_of(lake, entry.scope, entry.name)
    content = path.read_bytes()
    try:
        path.chmod(0o644)
        path.write_bytes(content[:-2880] + bytes(2880))
        (one,) = reduce_to_reference(lake, home.scheduler(), kind, Query(observation=DAY)).references
    finally:
        path.write_bytes(content)
    assert (one.frames, one.given) == (5, 6)
    assert fits.getheader(path_of(lake, *one.info.did.split(":")))["BKGNUM"] == 5


def test_what_cannot_be_reduced_is_refused_in_words(home: Home, lake: Lake) -> None:
    kind = find_reduction("stereo_hi", "background")
    with pytest.raises(BadInput, match="no stereo_hi files of level 1"):
        reduce_to_reference(lake, home.scheduler(), kind, Query(observation="nowhere*"))
    with pytest.raises(
        Fatal, match=r"has no reduction 'flat'\. Its reductions: background, background_unbiased"
    ):
        find_reduction("stereo_hi", "flat")


def test_a_changed_context_names_the_products_to_reprocess(home: Home, lake: Lake, tmp_path: Path) -> None:
    kind = find_reduction("stereo_hi", "background")
    made = reduce_to_reference(lake, home.scheduler(), kind, Query(observation=DAY))
    recipe = recipes()["stereo_hi-l2-background"]
    first = made.context.number
    process(lake, home.scheduler(), make_plan(lake, recipe, Query(observation=DAY), context=first))

    better = tmp_path / "better.fits"
    with fits.open(path_of(lake, *made.references[0].info.did.split(":"))) as hdus:
        hdus[0].data += 1.0
        hdus.writeto(better)
    new = references.NewReference(
        better,
        "background",
        "stereo_hi",
        "a test",
        selectors=made.references[0].info.selectors,
        simulated=True,
    )
    context = contexts.extend(
        lake, made.context, references.add(lake, [new]), [one.info for one in made.references]
    )
    change = Query(observation=DAY, changed_since=first)
    plan = make_plan(lake, recipe, change, context=context.number)
    assert {unit.product.name for unit in plan.units} == {f"stereo_hi:{DAY}.l2"}
    assert "better" in plan.units[0].references["background"].did
    assert make_plan(lake, recipe, change, context=first).units == ()

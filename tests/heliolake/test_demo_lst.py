"""The demonstration of LST: what it shows is true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.intake.references import add, find_known
from heliolake.demo import lst, lst_psf
from heliolake.demo.run import _learn
from heliolake.demo.stories import Made, Panel, Profile
from heliolake.demo.subjects import named
from heliolake.demo.tales import Reduction, tale
from heliolake.notebook import Connection
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, observed, write, write_calibration
from pipeline.psf.reference import Verdict
from pipeline.recipe import recipes
from pipeline.reduction import find_reduction
from pipeline.testing import run_recipe
from tests.pipeline.instruments.aso_s_lst import simulated


def test_a_registered_disk_is_shown_with_what_it_should_be() -> None:
    config = simulated.WST
    (half,) = run_recipe(
        "aso_s_lst-l15", [simulated.level_1(config).made], references=simulated.references(config)
    )
    (ran,) = run_recipe("aso_s_lst-l25", [half.made], references=simulated.references(config))
    before = simulated.frames(config)[0]
    story = lst._registered(
        config,
        Made("raw", before.data, before.header),
        Made("made", ran.made.data, ran.made.header),
    )
    assert [panel.title for panel in story.panels] == ["level 0", "level 2.5", "truth"]
    assert isinstance(story.proof, Panel)
    middle = story.proof.image[150:360, 150:360]
    assert 1.4826 * np.nanmedian(np.abs(middle)) < 2.0
    assert "roll off by" in story.measure


def test_frames_of_the_story_lead_through_all_its_recipes() -> None:
    told = tale("aso_s_lst").recipes
    levels = {"0"}
    for name in told:
        recipe = recipes()[name]
        assert recipe.from_level in levels
        levels |= {recipe.to_level, *recipe.outputs.values()}
    assert {"1.2", "2.5", "Q1.5", "3", "3t", "3d"} <= levels
    configs = lst.configurations()
    assert set(tale("aso_s_lst").only) <= set(told)
    assert [one.polariser for one in configs.values() if one.polariser is not None] == [-60.0, 0.0, 60.0]


def test_the_degree_of_polarisation_is_shown_where_it_is_not_noise_alone() -> None:
    rng = np.random.default_rng(8)
    light = np.repeat([2.0, 50.0], 60).astype(np.float32) * np.ones((120, 1), np.float32)  # faint, bright
    total = light + rng.normal(0.0, 1.0, light.shape).astype(np.float32)
    # Three images behind polarisers: Q and U each with the root of two times the noise of the total.
    q, u = (rng.normal(0.0, np.sqrt(2.0), light.shape) for _ in range(2))
    shown = lst._above_noise(total, np.hypot(0.4 * light + q, u).astype(np.float32))
    assert shown[:, 68:112].mean() > 0.99
    assert shown[:, 8:52].mean() < 0.02


def test_power_of_a_wave_stands_at_its_frequency() -> None:
    x = np.arange(64)
    wave = np.sin(2 * np.pi * 10 * x / 64)[None, :] * np.ones((64, 1))
    assert np.argmax(lst._power(wave.astype(np.float32))) == 9


@pytest.mark.slow
def test_a_psf_learnt_in_the_demonstrations_way_is_shown_beside_the_truth(home: Home, tmp_path: Path) -> None:
    day = datetime(2023, 8, 21, 6, tzinfo=UTC)
    common = {"telescope": "WST", "gain": "SINGLE", "size": 512, "blur": lst_psf.BLUR, "start": day}
    first = SimulationConfig.model_validate(common)
    configs = [
        first.model_copy(update={"number": n, "start": day + timedelta(hours=4 * n)}) for n in range(3)
    ]
    made = [observed(one, psf=lst_psf.in_flight()) for one in configs]
    known, _ = find_known(write_calibration(tmp_path / "calibration", [first]))
    with Connection(home) as connection:
        add(connection.lake, known, use=True)
        ingest(connection.lake, [write(tmp_path / "frames", one) for one in made])
        _learn(connection, Reduction("psf", "aso_s_lst", f"lstwst_{day:%Y%m%d}", behind="aso_s_lst-l1"))
        psfs = lst_psf.known(connection)
    assert psfs is not None
    before, told = psfs
    assert (before.core, told.core) == (Verdict.LABORATORY, Verdict.IDENTIFIED)
    frame, truth = (Made("wst", image, made[0].header) for image in (made[0].data, made[0].truth))
    psf_story, frame_story = lst_psf.stories(first, 3, psfs, frame, truth)
    assert [panel.title for panel in psf_story.panels] == ["before launch", "learnt from frames", "truth"]
    assert isinstance(psf_story.proof, Profile)
    off = [np.abs(psf_story.proof.lines[name]).max() for name in ("learnt from frames", "before launch")]
    assert off[0] < 0.5 * off[1]
    assert ", 0 DN in level 1.2" in frame_story.measure  # of the truth itself


def test_light_within_a_radius_grows_to_all_of_it() -> None:
    within = lst_psf._within(lst_psf.in_flight())
    assert within[0] == 0.0
    assert np.all(np.diff(within) > 0)
    assert 0.95 < within[-1] < 1.0


def test_across_the_limb_is_the_mean_around_the_disk() -> None:
    y, x = np.indices((128, 128))
    image = np.rint(np.hypot(x - 64.0, y - 60.0)).astype(np.float32)
    across = lst_psf._across(image, (64.0, 60.0, 30.0))
    np.testing.assert_allclose(across, np.arange(5.0, 56.0))


def test_what_is_learnt_is_learnt_behind_a_recipe_that_makes_its_frames() -> None:
    for module in named():
        told = tale(module)
        for one in told.reductions:
            assert one.behind in told.recipes
            kind = find_reduction(one.instrument, one.name)
            assert kind.level in (recipes()[one.behind].to_level, *recipes()[one.behind].outputs.values())

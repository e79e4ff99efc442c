"""The demonstration of LST: what it shows is true."""

from __future__ import annotations

import numpy as np

from heliolake.demo import lst
from heliolake.demo.stories import Panel
from heliolake.demo.tales import tale
from pipeline.recipe import recipes
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
        lst.Made("raw", before.data, before.header),
        lst.Made("made", ran.made.data, ran.made.header),
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
    assert [one.polariser for one in configs.values() if one.polariser is not None] == [-60.0, 0.0, 60.0]


def test_power_of_a_wave_stands_at_its_frequency() -> None:
    x = np.arange(64)
    wave = np.sin(2 * np.pi * 10 * x / 64)[None, :] * np.ones((64, 1))
    assert np.argmax(lst._power(wave.astype(np.float32))) == 9

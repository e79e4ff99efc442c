"""The demonstration of LARS: what it shows is true."""

from __future__ import annotations

from typing import Any

import numpy as np

from heliolake.demo import lars
from heliolake.demo.stories import Profile
from heliolake.demo.tales import tale
from pipeline.instruments.kis_lars.simulate import CycleConfig, simulate
from tests.pipeline.instruments.kis_lars import cycles


def told(*configs: CycleConfig, without: str = "") -> tuple[lars.Told, dict[str, dict[str, float]]]:
    """Cycles through the recipe, as the demonstration finds them in the lake."""
    before, after, headers, truth = [], [], [], {}
    for number, config in enumerate(configs):
        made = simulate(config)
        frame = cycles.level_1(cycles.frames(made, *((without,) if without and number == 0 else ())))
        before.append(made.exposures["sun"][0])
        after.append(frame.data)
        headers.append(frame.header)
        line = made.truth.lines[6302.4932]
        truth[f"{config.sequence}/{config.cycle}"] = {"core": line.core, "bisector": line.mean}
    return lars.Told("kis_lars:a@v0001", np.stack(before), np.stack(after), headers), truth


def values(story: Any, label: str) -> Any:
    assert isinstance(story.proof, Profile)
    return story.proof.lines[label]


def test_the_oscillation_is_shown_as_it_was_put_in() -> None:
    some = lars.sequence()[:4]
    story = lars.oscillation(*told(*some, without="before"))
    assert [panel.title for panel in story.panels[:2]] == ["before: level 0", "after: level 1"]
    np.testing.assert_allclose(values(story, "level 1"), values(story, "put in"), atol=3.0)
    assert "Cycle 1 lacks a comb" in story.text
    assert "level 1 - truth" in story.measure
    after, model = story.panels[1].image, story.panels[2].image
    assert np.abs(after - model).max() < 0.02
    assert story.simulated


def test_the_limb_has_its_published_velocities() -> None:
    story = lars.limb(*told(*lars.centre_to_limb()))
    np.testing.assert_allclose(values(story, "level 1"), values(story, "published"), atol=2.5)
    assert story.simulated


def test_cycles_have_names_of_their_own_and_only_one_lacks_a_comb() -> None:
    configs = (*lars.sequence(), *lars.centre_to_limb())
    assert len({one.filename("sun") for one in configs}) == len(configs)
    assert sum(one.cycle == lars._LACKING for one in lars.sequence()) == 1
    assert tale("kis_lars").recipes == ("kis_lars-l1",)

"""The demonstration of ChroTel: what it shows is true."""

from __future__ import annotations

import numpy as np

from heliolake.demo import chrotel
from heliolake.demo.stories import Panel, Profile
from heliolake.demo.tales import tale
from pipeline.frame import Frame
from pipeline.testing import run_recipe
from tests.pipeline.instruments.kis_chrotel import simulated
from tests.pipeline.instruments.kis_chrotel.simulated import HALPHA, HELIUM


def made(frame: Frame) -> chrotel.Made:
    return chrotel.Made(frame.source, frame.data, frame.header)


def test_before_after_and_truth_of_an_image_are_shown_with_what_is_left() -> None:
    raw, product = simulated.frame(HALPHA), simulated.level_2(HALPHA)
    story = chrotel._flattened(HALPHA, {"0": made(raw), "2": made(product)})
    assert [panel.title for panel in story.panels] == ["before: level 0", "after: level 2", "truth"]
    after, truth = story.panels[1].image, story.panels[2].image
    both = np.isfinite(after) & np.isfinite(truth)
    assert np.median(np.abs(after[both] - truth[both])) < 0.01
    assert after.shape == truth.shape
    assert max(after.shape) < product.data.shape[0]
    assert isinstance(story.proof, Panel)
    assert story.simulated


def test_filaments_are_shown_beside_those_that_were_drawn_with_their_score() -> None:
    product = simulated.level_2(HALPHA)
    (ran,) = run_recipe("kis_chrotel-filaments", [product])
    story = chrotel._filaments(HALPHA, {"2": made(product), "2m": made(ran.made)})
    found, truth = story.panels[1].image, story.panels[2].image
    both = np.nansum(found * truth)
    assert 2 * both / (np.nansum(found) + np.nansum(truth)) > 0.75
    assert "Dice 0." in story.measure


def test_velocities_are_shown_against_the_true_ones() -> None:
    (ran,) = run_recipe("kis_chrotel-doppler", [simulated.flat_cube(HELIUM)])
    shown = {"0f": made(simulated.frame(HELIUM)), "2v": made(ran.made)}
    shown |= {"2e": made(ran.outputs["error"]), "2d": made(ran.outputs["depth"])}
    story = chrotel._velocities(HELIUM, shown)
    assert isinstance(story.proof, Profile)
    measured, truth = (np.asarray(line) for line in story.proof.lines.values())
    held = np.isfinite(measured)
    assert held.sum() > 10
    assert np.corrcoef(measured[held], truth[held])[0, 1] > 0.98


def test_the_tale_begins_with_raw_frames_and_runs_every_recipe() -> None:
    halpha, helium = chrotel.configurations()
    assert (halpha.line, helium.line) == ("ha", "he")
    assert len(tale("kis_chrotel").recipes) == 6

"""The demonstration of LASCO: what it shows is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heliolake.demo import lasco
from heliolake.demo.stories import Panel, Shown, Truth
from heliolake.demo.tales import tale
from lake.errors import BadInput
from pipeline.frame import Frame
from pipeline.testing import run_recipe
from tests.pipeline.instruments.soho_lasco import simulated
from tests.pipeline.instruments.soho_lasco.test_truth import C2


def shown() -> tuple[Shown, Truth]:
    frame: Frame = simulated.frame(C2)
    (ran,) = run_recipe("soho_lasco-l1", [frame], references=simulated.references(C2))
    made, truth = ran.made, simulated.image(C2)
    told = Shown("a.fts", "a@v0001", frame.data, made.data, made.quality, frame.header, made.header)
    return told, Truth(truth.truth, truth.noise)


def test_before_after_truth_and_residual_are_shown_with_a_number() -> None:
    story = lasco._simulated(*shown())
    assert [panel.title for panel in story.panels] == ["before: level 0.5", "after: level 1", "truth"]
    after, truth = story.panels[1].image, story.panels[2].image
    both = np.isfinite(after) & np.isfinite(truth)
    assert np.median(np.abs(after[both] - truth[both])) < 0.02
    assert isinstance(story.proof, Panel)
    assert "the camera's noise" in story.measure
    assert story.simulated


def test_over_its_median_at_each_distance_a_round_corona_is_flat() -> None:
    told, _ = shown()
    y, x = np.indices(told.after.shape)
    header = told.after_header
    round_one = 1e-9 / (1 + np.hypot(x + 1 - header["CRPIX1"], y + 1 - header["CRPIX2"]).astype(int))
    np.testing.assert_allclose(lasco._flat_corona(round_one.astype(np.float32), told), 1.0, rtol=1e-5)


def test_the_sequence_shown_is_a_whole_triplet_and_all_need_but_one_set_of_tables() -> None:
    configs = lasco.configurations()
    assert [one.polariser for one in configs if one.polariser != "Clear"] == ["-60 Deg", "0 Deg", "+60 Deg"]
    for detector in ("C2", "C3"):
        assert len({(one.sun_centre, one.roll) for one in configs if one.detector == detector}) == 1
    assert len({one.filename for one in configs}) == len(configs)


def test_an_instrument_without_a_demonstration_is_named_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no demonstration of the instrument") as refusal:
        tale("trace")
    assert "soho_lasco" in str(refusal.value)

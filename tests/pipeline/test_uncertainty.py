"""The uncertainty plane on its way through a recipe, and what steps are held to."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline import Frame, Recipe, apply, frames_of, stack_of
from pipeline.apply import memory_factor
from pipeline.errors import BadInput, Fatal
from pipeline.outcome import Status
from pipeline.running import run_chain
from pipeline.stack import outcome_at
from pipeline.steps.normalise_exposure import NormaliseExposureParams, normalise_exposure
from tests.toy import RECIPE, toy_frame

NOISY = (
    RECIPE.replace("{step: shift,", "{step: guess}\n  - {step: brighten}\n  - {step: shift, enabled: false,")
    .replace("{step: scale, assume: {gain: unity}}", "{step: mark}")
    .replace("version: 1", "version: 1\nuncertainty: true")
)


def test_a_recipe_says_whether_it_is_wanted_and_settings_may() -> None:
    asked = Recipe.parse(NOISY)
    assert asked.uncertainty
    assert not asked.with_settings({"uncertainty": False}).uncertainty
    assert asked.with_settings({"uncertainty": False}).with_settings({"uncertainty": True}) == asked
    with pytest.raises(Fatal, match="either true or false"):
        asked.with_settings({"uncertainty": "maybe"})


def test_the_identity_of_units_changes_only_where_it_is_wanted() -> None:
    asked = Recipe.parse(NOISY)
    plain = asked.with_settings({"uncertainty": False})
    assert asked.document()["uncertainty"] is True
    assert "uncertainty" not in plain.document()
    without_model = Recipe.parse(NOISY.replace("  - {step: guess}\n", "").replace("uncertainty: true\n", ""))
    assert plain.document() == without_model.document()


def test_a_noise_model_runs_only_where_it_is_wanted() -> None:
    asked = Recipe.parse(NOISY)
    assert [bound.step.name for bound in asked.bind()] == ["guess", "brighten", "mark"]
    assert [bound.step.name for bound in asked.with_settings({"uncertainty": False}).bind()] == [
        "brighten",
        "mark",
    ]


def test_the_plane_follows_the_image_through_a_stack() -> None:
    lazy = apply(stack_of([toy_frame(9.0), toy_frame(16.0, BROKEN=True)], chunk=2), Recipe.parse(NOISY))
    assert lazy["uncertainty"].dtype == np.float32
    computed = lazy.compute()
    np.testing.assert_array_equal(computed["uncertainty"].values[0], 6.0)  # √9, doubled
    (frame, _) = frames_of(computed)
    assert frame.uncertainty is not None
    assert frame.header["PRUNC1"] == "starts: photon noise"
    assert frame.header["PRUNC2"] == "approximate: doubled; nothing is left out, really"
    assert "PRUNC3" not in frame.header


def test_nobody_who_did_not_ask_gets_one() -> None:
    plain = Recipe.parse(NOISY).with_settings({"uncertainty": False})
    brought = stack_of([toy_frame(9.0).replace(uncertainty=np.ones((4, 6)))])
    assert "uncertainty" in brought
    computed = apply(brought, plain).compute()
    assert "uncertainty" not in computed
    assert "PRUNC1" not in next(iter(frames_of(computed))).header


def test_pixels_without_a_value_have_no_uncertainty_either() -> None:
    data = np.full((4, 6), 9.0)
    data[1, 2] = np.nan
    frame = Frame.of(data, toy_frame().header)
    result, _ = run_chain(frame, Recipe.parse(NOISY).bind(), {}, level="1", uncertainty=True)
    assert result is not None
    assert result.uncertainty is not None
    assert np.isnan(result.uncertainty[1, 2])
    assert np.isfinite(result.uncertainty).sum() == 23


def test_a_step_that_does_not_say_how_is_refused_before_anything_runs() -> None:
    with pytest.raises(Fatal, match="the step scale does not say how it carries it"):
        Recipe.parse(NOISY.replace("{step: mark}", "{step: mark}\n  - {step: scale, assume: {gain: unity}}"))


def test_steps_before_the_model_need_not_say_anything() -> None:
    recipe = Recipe.parse(NOISY.replace("  - {step: guess}\n", "  - {step: halve}\n  - {step: guess}\n"))
    (frame,) = frames_of(apply(stack_of([toy_frame(9.0)]), recipe))
    assert frame.uncertainty is not None
    assert frame.uncertainty.shape == (2, 3)


def test_an_input_that_brings_none_is_put_aside_where_no_step_makes_it() -> None:
    recipe = Recipe.parse(NOISY.replace("  - {step: guess}\n", ""))
    frames = [toy_frame(9.0), toy_frame(9.0).replace(uncertainty=np.full((4, 6), 3.0))]
    computed = apply(stack_of(frames, chunk=2), recipe).compute()
    missing, done = outcome_at(computed, 0), outcome_at(computed, 1)
    assert (missing.status, missing.keyword) == (Status.QUARANTINED, "uncertainty")
    assert "uncertainty=true" in missing.advice
    assert done.status is Status.DONE
    np.testing.assert_array_equal(computed["uncertainty"].values[1], 6.0)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ("kept", "does not say how its uncertainty follows"),
        ("lost", "lost the uncertainty"),
        ("negative", "negative values"),
    ],
)
def test_a_step_that_breaks_its_word_stops_the_run(lie: str, words: str) -> None:
    recipe = Recipe.parse(NOISY.replace("{step: mark}", f"{{step: mark, params: {{lie: {lie}}}}}"))
    with pytest.raises(Fatal, match=words):
        apply(stack_of([toy_frame(9.0)]), recipe).compute()


def test_a_plane_of_another_shape_is_refused() -> None:
    with pytest.raises(BadInput, match="uncertainty do not have one shape"):
        toy_frame().replace(uncertainty=np.ones((2, 2)))


def test_the_plane_takes_memory() -> None:
    chain = Recipe.parse(NOISY).bind()
    assert memory_factor(chain, uncertainty=True) > memory_factor(chain) + 3


def test_normalised_exposures_have_normalised_uncertainties() -> None:
    frame = toy_frame(8.0, EXPTIME=4.0).replace(uncertainty=np.full((4, 6), 2.0))
    result = normalise_exposure(frame, NormaliseExposureParams(), {})
    assert result.uncertainty is not None
    np.testing.assert_array_equal(result.data, 2.0)
    np.testing.assert_array_equal(result.uncertainty, 0.5)

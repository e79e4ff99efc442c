"""The campaign of the deconvolution in a bounded form: one simulated SDI scene, and what its page claims."""

from __future__ import annotations

import pytest

from bench.deconvolution import campaign, estimated, methods
from bench.deconvolution.campaign import Case
from bench.deconvolution.scenes import Optics, gaussian, optics, scenes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case() -> Case:
    """White light, a step at the limb: what is measured there is the method's and not the scene's."""
    wst = next(one for one in scenes(None) if one.name.startswith("WST"))
    return Case.of(wst, optics()[0], 100.0)


def test_structure_told_from_noise_is_sharper_with_less_noise(case: Case) -> None:
    found = case.judge(methods.ours())
    assert found.mtf50 > campaign.CLAIMED
    assert found.noise < 1.0
    assert found.error < 0.8
    assert found.correlation > 1.0


def test_at_the_limb_it_does_not_overshoot_and_blocks_are_right_to_a_percent(case: Case) -> None:
    found = case.judge(methods.ours())
    assert found.overshoot < 3.0 < found.before
    assert found.photometry < 1.0


def test_no_linear_filter_is_as_sharp_with_no_more_noise(case: Case) -> None:
    gain, noise = campaign.quietly(case, methods.PRIORS["linear (Wiener)"])
    found = case.judge(methods.ours())
    assert noise <= 1.0
    assert found.mtf50 > 1.5 * gain


def test_what_a_wing_that_is_left_out_costs_is_seen_off_the_limb() -> None:
    sdi = scenes(None)[0]
    one = Case.of(sdi, optics()[1], 100.0)
    told, without = (one.judge(methods.ours(), Optics("", gaussian(5.0, wing))) for wing in (0.08, 0.0))
    assert told.corona == pytest.approx(1.0, abs=0.03)
    assert without.corona > 1.2


def test_with_a_psf_that_other_frames_told_it_is_as_sharp_and_blocks_are_right_to_a_percent() -> None:
    wst = next(one for one in scenes(None) if one.name.startswith("WST"))
    case = Case.of(wst, estimated.through()[1], 100.0)
    found = estimated.learnt(case, frames=3)
    assert found.told is not None, found.why
    assert found.told.mtf50 > 0.95 * found.true.mtf50
    assert found.told.photometry < 1.0


def test_a_psf_that_frames_do_not_tell_is_refused_and_not_used() -> None:
    sdi = scenes(None)[0]
    found = estimated.learnt(Case.of(sdi, estimated.through()[0], 100.0), frames=2)
    assert found.told is None
    assert "more than 5 %" in found.why

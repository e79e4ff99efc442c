"""A PSF that was put into drawn Suns is found again, or refused; never believed where it is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.psf.angles import angular_error
from bench.psf.scenes import seen, white_light
from bench.psf.truth import Truth, truth
from pipeline.errors import BadInput
from pipeline.kernels.limb import find_limb
from pipeline.psf.estimate import Design, estimate, found_by
from pipeline.psf.reference import Psf, Verdict
from pipeline.psf.statistics import Statistics, of_disk


def frames(injected: Truth, number: int, seed: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return [seen(white_light(512, 180.0, rng), injected, 2e4, rng) for _ in range(number)]


def told(images: list[NDArray[np.float32]]) -> Statistics:
    total = Statistics.none()
    for image in images:
        limb = find_limb(image)
        assert limb is not None
        total = total + of_disk(image, limb.circle)
    return total


@pytest.fixture(scope="module")
def injected() -> Truth:
    return truth("gauss", 4.0, 0.08, seed=77)


@pytest.fixture(scope="module")
def statistics(injected: Truth) -> Statistics:
    return told(frames(injected, 3, seed=78))


@pytest.fixture(scope="module")
def found(statistics: Statistics) -> Psf:
    return estimate(statistics, Design(size=101), (512, 512))


def test_the_limb_tells_the_width_and_the_wing(found: Psf, injected: Truth) -> None:
    assert found.core is Verdict.IDENTIFIED
    assert found.wing is Verdict.IDENTIFIED
    assert found.fwhm.value == pytest.approx(injected.shape.fwhm, rel=0.08)
    assert found.ee50.value == pytest.approx(injected.shape.ee50, rel=0.05)
    assert found.ee80.value == pytest.approx(injected.shape.ee80, rel=0.05)


def test_errors_hold_what_no_number_of_frames_makes_smaller(found: Psf) -> None:
    assert found.fwhm.error >= found.fwhm.floor > 0.02 * found.fwhm.value


@pytest.fixture(scope="module")
def aberrated() -> Truth:
    return truth("pupil", 4.0, 0.0, seed=612)


@pytest.fixture(scope="module")
def lopsided(aberrated: Truth) -> Psf:
    made = found_by(told(frames(aberrated, 3, seed=81)), Design(q=aberrated.q, size=101))
    assert made is not None
    return made.psf


def test_the_limb_tells_which_way_a_psf_is_lopsided(lopsided: Psf, aberrated: Truth) -> None:
    assert (lopsided.ellipse, lopsided.odd) == (Verdict.IDENTIFIED, Verdict.IDENTIFIED)
    found = angular_error(lopsided.kernel, aberrated)
    plain = angular_error(0.5 * (lopsided.kernel + lopsided.kernel[::-1, ::-1]), aberrated)
    assert found < 0.05
    assert found < 0.8 * plain


def test_a_symmetric_psf_is_not_made_lopsided(found: Psf, injected: Truth) -> None:
    assert (found.ellipse, found.odd) == (Verdict.IDENTIFIED, Verdict.IDENTIFIED)
    np.testing.assert_allclose(found.kernel, found.kernel[::-1, ::-1], atol=2e-6)
    assert angular_error(found.kernel, injected) < 0.05


def test_sums_do_not_depend_on_their_order(injected: Truth) -> None:
    images = frames(injected, 2, seed=79)
    one, other = (told([image]) for image in images)
    assert (one + other).limb.frames == 2
    np.testing.assert_array_equal((one + other).limb.total, (other + one).limb.total)
    np.testing.assert_array_equal((one + other).power.total, (other + one).power.total)


def test_where_nothing_tells_the_laboratory_value_stands(statistics: Statistics, found: Psf) -> None:
    blind = Design(sharp=False, laboratory=found)
    kept = estimate(statistics, blind)
    assert kept.core is Verdict.LABORATORY
    assert kept.fwhm == found.fwhm
    assert "laboratory" in kept.reasons[-1]
    with pytest.raises(BadInput, match="edge"):
        estimate(statistics, replace(blind, laboratory=None))

"""Frames hours apart share what stands at the limb: they count for as many as show something else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from bench.psf.scenes import Scene, seen, white_light
from bench.psf.truth import Truth, truth
from pipeline.errors import BadInput
from pipeline.instruments.aso_s_lst.psf import design
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, observed
from pipeline.kernels.limb import find_limb
from pipeline.psf.estimate import Design, Estimate, estimate, found_by
from pipeline.psf.reduction import PsfOfFrames, Sums
from pipeline.psf.reference import Psf, Verdict
from pipeline.psf.statistics import Statistics, of_disk
from pipeline.psf.suns import Suns, day_of
from pipeline.reduction import StackBlock

HOUR = 1.0 / 24.0


def of_times(*days: float | None) -> float:
    total = Suns.none()
    for day in days:
        total = total + Suns.of(day)
    return total.different(len(days))


def test_frames_of_one_hour_count_as_one() -> None:
    assert of_times(*np.linspace(19000.3, 19000.3 + HOUR, 50)) == pytest.approx(1.0)


def test_frames_of_other_days_count_each() -> None:
    assert of_times(*np.arange(19000.3, 19012.0, 1.0)) == pytest.approx(12.0)
    assert of_times(None, None, None) == 3.0


def test_hours_apart_lie_between_and_no_border_of_time_counts() -> None:
    assert 1.0 < of_times(19000.0, 19000.5) < 2.0
    assert of_times(19000.001, 18999.999) < 1.2


def test_a_body_that_moved_on_shows_another_edge() -> None:
    one, near, far = (Suns.of(19000.3, x, 0.0) for x in (100.0, 103.0, 300.0))
    assert (one + near).different(2) == pytest.approx(1.0)
    assert (one + far).different(2) == pytest.approx(2.0)


def test_sums_are_the_same_in_any_order_and_do_not_grow_with_frames() -> None:
    a, b, c = (Suns.of(day) for day in (19000.1, 19000.2, 19003.7))
    assert (a + b) + c == c + (b + a)
    many = Suns.none()
    for day in np.linspace(19000.0, 19000.99, 500):
        many = many + Suns.of(float(day))
    assert len(many.counts) <= 4


def test_times_are_those_of_headers() -> None:
    assert day_of(fits.Header({"DATE-OBS": "1970-01-02T12:00:00.000"})) == 1.5
    assert day_of(fits.Header({"DATE-BEG": "1970-01-02T12:00:00Z"})) == 1.5
    assert day_of(fits.Header({"DATE-OBS": "some day"})) is None
    assert day_of(fits.Header()) is None


def reduced(**changes: object) -> Sums:
    config = SimulationConfig(size=384).model_copy(update=changes)
    made = observed(config)
    quality = np.zeros((1, *made.data.shape), np.uint16)
    return PsfOfFrames(design).map(StackBlock(made.data[None], quality, (made.filename,), (made.header,)))


def test_the_reduction_tells_when_frames_began_and_where_a_body_stood() -> None:
    start = SimulationConfig().start
    white = {"telescope": "WST", "gain": "SINGLE"}
    one, other = reduced(**white), reduced(**white, start=start + timedelta(days=2))
    both = PsfOfFrames(design).combine(one, other).statistics.limb
    assert both.suns.different(both.frames) == pytest.approx(2.0)
    twice = one.statistics.limb + one.statistics.limb
    assert twice.suns.different(twice.frames) == pytest.approx(1.0)
    eclipse = [reduced(body=(west, 0.4, 0.98)).statistics.edge for west in (-0.6, 0.6)]
    assert [one.frames for one in eclipse] == [1, 1]
    assert (eclipse[0] + eclipse[1]).suns.different(2) == pytest.approx(2.0)


@pytest.fixture(scope="module")
def afternoon() -> list[Statistics]:
    """What frames of one afternoon tell: the same Sun, another noise in each."""
    rng = np.random.default_rng(2024)
    sun, injected = white_light(384, 140.0, rng), truth("gauss", 4.0, 0.08, seed=77)
    return [one_frame(sun, injected, rng, 19000.3 + n * HOUR / 6.0) for n in range(12)]


def one_frame(sun: Scene, injected: Truth, rng: np.random.Generator, day: float) -> Statistics:
    image = seen(sun, injected, 2e4, rng)
    limb = find_limb(image)
    assert limb is not None
    return of_disk(image, limb.circle, day=day)


def total(frames: list[Statistics]) -> Statistics:
    found = Statistics.none()
    for one in frames:
        found = found + one
    return found


def undated(statistics: Statistics) -> Statistics:
    return replace(statistics, limb=replace(statistics.limb, suns=Suns.none()))


DESIGN = Design(size=101, terms=frozenset({"limb"}))


def chi2_of(statistics: Statistics) -> float:
    found = found_by(statistics, DESIGN)
    assert found is not None
    return found.fits[0].chi2[0]


def test_many_frames_of_one_hour_are_no_worse_than_three(afternoon: list[Statistics]) -> None:
    many = total([one for one in afternoon for _ in range(4)])
    assert many.limb.frames == 48
    assert chi2_of(many) < 1.5 * chi2_of(total(afternoon[:3]))
    assert chi2_of(undated(many)) > 5.0 * chi2_of(many)  # as if each of them showed another Sun
    assert estimate(many, DESIGN).core is Verdict.IDENTIFIED


def test_a_refusal_names_frames_of_other_days(afternoon: list[Statistics]) -> None:
    whole = total(afternoon)
    with pytest.raises(BadInput) as refused:
        estimate(replace(whole, limb=replace(whole.limb, total=flat(afternoon))), DESIGN)
    assert "other days" in str(refused.value.advice)


def flat(frames: list[Statistics]) -> NDArray[np.float64]:
    """A limb that falls evenly over 60 pixels: no PSF makes it of an edge."""
    limb = total(frames).limb
    place = np.arange(limb.total.size) * 0.5 - 400.0
    return np.asarray(limb.weight * np.clip(0.5 - place / 60.0, 0.0, 1.0))


def test_the_error_of_a_width_is_that_of_the_suns_seen(afternoon: list[Statistics]) -> None:
    first, many = (found_by(one, DESIGN) for one in (total(afternoon[:3]), total(afternoon * 4)))
    assert first is not None
    assert many is not None
    assert statistical(many.psf) > 0.7 * statistical(first.psf)
    other = found_by(undated(total(afternoon * 4)), DESIGN)
    assert other is not None
    # What remains of it there is misfit: taken by itself, the fit is sure of what one Sun cannot tell.
    assert sure(other) < 0.8 * sure(many)


def sure(found: Estimate) -> float:
    """The error of the core's width, had all terms fitted as well as their errors say."""
    first = found.fits[0]
    return float(np.sqrt(first.covariance[0, 0] / max(1.0, *first.chi2)))


def statistical(psf: Psf) -> float:
    """The error of FWHM without its floor."""
    return float(np.sqrt(max(psf.fwhm.error**2 - psf.fwhm.floor**2, 0.0)))

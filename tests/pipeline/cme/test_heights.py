"""Heights, speeds and their errors: not moved by where the field ends, by the cadence, or by the core."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.cme import Ejection, Search, Series, found_in
from pipeline.cme.ejection import fitted, widened
from pipeline.cme.heights import evened, sector_of
from pipeline.cme.series import RADIUS, significance
from tests.pipeline.cme.coronae import ANGLES, HEIGHTS, ejection, series


def found(given: Series) -> Ejection:
    (one,) = found_in(given, Search())[0]
    return one


@pytest.mark.parametrize(
    ("speed", "brightness", "cadence"),
    [(180.0, 0.3, 120), (400.0, 0.05, 60), (650.0, 1.0, 60), (1300.0, 0.2, 60)],
)
def test_speeds_are_right_within_their_errors_however_fast_and_bright(
    speed: float, brightness: float, cadence: int
) -> None:
    last = int(1.5 * RADIUS / speed)
    one = found(
        series(ejection(speed=speed, brightness=brightness), times=range(-15 * cadence, last, cadence))
    )
    assert abs(one.line.speed / speed - 1.0) < 0.02
    assert abs(one.line.speed - speed) < 2.0 * one.line.speed_error < 0.06 * speed
    # What moves at one speed does not seem to slow down.
    assert abs(one.parabola.acceleration) < 2.0 * one.parabola.acceleration_error


def test_a_field_that_ends_nearer_on_one_side_does_not_slow_a_front_down() -> None:
    given = series(ejection())
    end = 2.1 + 0.004 * np.abs(ANGLES - 262.0)
    values = np.where(HEIGHTS[:, None] > end, np.float32(np.nan), given.values)
    one = found(given._replace(values=values))
    assert one.heights.max() < 2.1
    assert abs(one.line.speed / 500.0 - 1.0) < 0.02
    assert abs(one.parabola.acceleration) < 2.0 * one.parabola.acceleration_error


def test_noise_that_grows_with_height_does_not_move_crests() -> None:
    given, random = series(ejection(brightness=0.3)), np.random.default_rng(7)
    grown = 0.02 * np.linspace(0.0, 1.0, len(HEIGHTS))[:, None]
    noisy = given.values * (1.0 + grown * random.normal(size=given.values.shape)).astype(np.float32)
    still, moved = found(given), found(given._replace(values=noisy))
    both = np.isin(still.seconds, moved.seconds)
    other = moved.heights[np.isin(moved.seconds, still.seconds)]
    assert both.sum() > 15
    assert abs((other - still.heights[both]).mean()) < 0.2 * (HEIGHTS[1] - HEIGHTS[0])


@pytest.mark.parametrize("seed", range(2))
def test_at_a_slow_cadence_the_front_is_followed_and_not_its_core(seed: int) -> None:
    given = series(ejection(brightness=0.3), times=range(-4500, 12000, 300), seed=seed)
    one = found(given)
    assert abs(one.line.speed - 500.0) < 2.0 * one.line.speed_error
    assert len(one.heights) >= 4


def test_a_sector_is_seen_where_half_of_it_is_and_exposures_are_made_even() -> None:
    given = series(gain=0.02)
    light = evened(given)
    still = [values[:, 20:30].mean(axis=(1, 2)).std() for values in (light, given.values)]
    assert still[0] < 0.1 * still[1]
    light[:, :5, 63:67] = np.nan
    light[3, 20, :] = np.nan
    seen = sector_of(given, significance(given, 325.0), light, float(ANGLES[65])).seen
    assert not seen[:5].any()
    assert seen[5:].all()


@pytest.mark.parametrize("number", [4, 30])
def test_a_fit_tells_its_errors_also_of_few_heights(number: int) -> None:
    random = np.random.default_rng(5)
    seconds = np.linspace(0.0, 3600.0, number)
    pulls = []
    for _ in range(400):
        heights = 1.2 + 400.0 / RADIUS * seconds + random.normal(0.0, 0.01, number)
        fit, _ = fitted(seconds, heights, 1)
        pulls.append((fit.speed - 400.0) / fit.speed_error)
    within = np.mean(np.abs(pulls) <= 2.0)
    assert 0.93 <= within <= 0.99


def test_heights_without_scatter_still_have_errors() -> None:
    seconds = np.arange(0.0, 1500.0, 60.0)
    heights = 1.3 + 500.0 / RADIUS * seconds
    line, bent = (widened(fitted(seconds, heights, degree)[0], seconds, heights, 0.01) for degree in (1, 2))
    assert line.speed_error == pytest.approx(6.1, abs=0.1)  # 1 % of the speed, and 3.5 km/s
    # As of a front that is 0.2 % too high in the middle of its way and at its ends the other way.
    assert 5.0 < bent.acceleration_error < 20.0

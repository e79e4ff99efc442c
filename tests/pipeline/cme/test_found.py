"""Mass ejections of simulated series: found with their place and speed, and none where there is none."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from pipeline.cme import Ejection, Search, Series, found_in
from pipeline.cme.series import RADIUS
from tests.pipeline.cme.coronae import BEGIN, ejection, series


def found(given: Series) -> list[Ejection]:
    return found_in(given, Search())[0]


def away(one: float, other: float) -> float:
    return abs((one - other + 180.0) % 360.0 - 180.0)


@pytest.mark.parametrize(("speed", "place"), [(250.0, 100.0), (500.0, 358.0), (1000.0, 262.0)])
def test_place_and_speed_of_an_ejection(speed: float, place: float) -> None:
    (one,) = found(series(ejection(speed=speed, position_angle=place)))
    assert away(one.position_angle, place) < 4.0
    assert one.line.speed == pytest.approx(speed, rel=0.02)
    assert one.speed_least <= one.speed_median <= one.speed_most
    assert abs(one.parabola.acceleration) < 3.0 * one.parabola.acceleration_error
    assert 40.0 <= one.width <= 68.0
    assert 0.0 < one.confidence < 1.0


def test_heights_are_those_of_the_front() -> None:
    wanted = ejection()
    (one,) = found(series(wanted))
    true = [wanted.height(BEGIN) or 0.0] + one.seconds * wanted.speed / (RADIUS * 1.00002)
    assert np.abs(one.heights / true - 1.0).max() < 0.02
    assert (np.diff(one.seconds) > 0).all()


def test_acceleration() -> None:
    (one,) = found(series(ejection(speed=300.0, acceleration=100.0)))
    assert one.parabola.acceleration == pytest.approx(100.0, abs=15.0)
    assert one.parabola.acceleration_error < 15.0


def test_two_at_once_are_two() -> None:
    one, other = found(series(ejection(position_angle=80.0), ejection(speed=800.0, width=40.0)))
    assert {round(each.line.speed, -2) for each in (one, other)} == {500.0, 800.0}
    assert away(one.position_angle, other.position_angle) == pytest.approx(178.0, abs=6.0)


def test_a_second_one_after_the_first_is_a_second_one() -> None:
    later = ejection(begin=BEGIN + timedelta(minutes=40), speed=800.0)
    first, second = found(series(ejection(), later, times=range(-1200, 4800, 60)))
    assert second.seconds[0] > first.seconds[-1]
    assert second.line.speed == pytest.approx(800.0, rel=0.03)


def test_a_halo_goes_all_around() -> None:
    (one,) = found(series(ejection(width=500.0, speed=600.0)))
    assert one.width == 360.0
    assert away(one.front_angle, 262.0) < 45.0


@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_corona_has_none_though_exposures_vary(seed: int) -> None:
    assert not found(series(seed=seed, gain=0.01))


def test_a_storm_in_some_frames_and_a_bright_ray_are_none() -> None:
    given = series()
    random = np.random.default_rng(1)
    values = given.values.copy()
    values[30:33] *= 1.0 + random.exponential(0.2, values[30:33].shape).astype(np.float32)
    values[20:, :, 10:16] *= 1.2  # at all heights at once
    assert not found(given._replace(values=values))


def test_missing_cells_uneven_times_and_a_gap_are_borne() -> None:
    random = np.random.default_rng(3)
    times = [t for t in range(-1200, 3000, 60) if not 900 <= t < 1300]
    given = series(ejection(), times=[float(t + random.uniform(-20, 20)) for t in times])
    values = given.values.copy()
    values[random.uniform(size=values.shape) < 0.05] = np.nan
    values[33] = np.nan
    (one,) = found(given._replace(values=values))
    assert one.line.speed == pytest.approx(500.0, rel=0.04)

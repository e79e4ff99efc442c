"""Polarisation along the limb: without the bias that noise gives to a length."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.triplet import Stokes, along_limb

F64 = NDArray[np.float64]
_NORTH, _WEST = np.mgrid[-100.0:101.0, -100.0:101.0]
_THERE = (np.hypot(_WEST, _NORTH) > 30) & (np.hypot(_WEST, _NORTH) < 100)


def _polarised(zero: float, sense: int, noise: float) -> tuple[Stokes, F64]:
    """Light polarised along the limb, seen by a polariser with its zero at a position angle."""
    distance = np.maximum(np.hypot(_WEST, _NORTH), 10.0) / 30.0
    height = distance**-4.0
    plane = np.radians(sense * (np.degrees(np.arctan2(-_WEST, _NORTH)) + 90.0 - zero))
    random = np.random.default_rng(5)
    q, u = (
        (height * wave(2.0 * plane) + noise * random.normal(size=height.shape)).astype(np.float32)
        for wave in (np.cos, np.sin)
    )
    return Stokes(np.ones_like(q), q, u), height


@pytest.mark.parametrize("zero", [0.0, 37.0, 151.0])
@pytest.mark.parametrize("sense", [1, -1])
def test_the_mean_is_right_far_below_the_noise_and_the_zero_is_found(zero: float, sense: int) -> None:
    light, truth = _polarised(zero, sense, noise=0.1)
    found = along_limb(light, _WEST, _NORTH, _THERE)
    assert abs((found.zero - zero + 90.0) % 180.0 - 90.0) < 0.5
    assert found.significance > 30
    faint = _THERE & (np.hypot(_WEST, _NORTH) > 70)
    assert found.polarised[faint].mean() == pytest.approx(truth[faint].mean(), rel=0.1)
    # What is taken otherwise.
    assert light.polarised[faint].mean() > 4 * truth[faint].mean()


def test_the_zero_s_error_is_how_far_it_scatters() -> None:
    light, _ = _polarised(37.0, 1, noise=0.0)
    found = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        q, u = (one + 0.3 * random.normal(size=one.shape).astype(np.float32) for one in light[1:])
        found.append(along_limb(Stokes(light.total, q, u), _WEST, _NORTH, _THERE))
    scatter = np.std([one.zero for one in found])
    assert np.mean([one.zero_error for one in found]) == pytest.approx(scatter, rel=0.3)


def test_polarisers_that_let_through_unlike_parts_add_nothing_to_the_mean_of_a_ring() -> None:
    light, truth = _polarised(0.0, 1, noise=0.0)
    dust = (3.0 / np.maximum(np.hypot(_WEST, _NORTH), 10.0)).astype(np.float32)
    strange = Stokes(light.total, light.q + dust, light.u - np.float32(0.5) * dust)
    found = along_limb(strange, _WEST, _NORTH, _THERE)
    assert found.polarised[_THERE].mean() == pytest.approx(truth[_THERE].mean(), rel=0.01)
    assert strange.polarised[_THERE].mean() > 1.2 * truth[_THERE].mean()


def test_noise_alone_lies_along_no_limb() -> None:
    light, _ = _polarised(0.0, 1, noise=0.0)
    random = np.random.default_rng(6)
    q, u = (random.normal(size=light.q.shape).astype(np.float32) for _ in "qu")
    assert along_limb(Stokes(light.total, q, u), _WEST, _NORTH, _THERE).significance < 5
    none = np.zeros_like(light.q)
    assert along_limb(Stokes(light.total, none, none), _WEST, _NORTH, _THERE).significance == 0.0

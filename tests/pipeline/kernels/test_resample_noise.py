"""The uncertainty behind a resampling: squared weights, checked against the resampling's own matrix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.resample import AffineMap, resample
from pipeline.kernels.resample_noise import resample_uncertainty

SHAPE = (17, 20)
TURN = np.deg2rad(7.0)


def turned(scale: float) -> AffineMap:
    matrix = scale * np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return AffineMap(matrix, np.array([1.3, 0.4]))


def matrix_of(onto: AffineMap, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The weights with which every input pixel enters every output pixel."""
    columns = []
    for index in range(SHAPE[0] * SHAPE[1]):
        pulse = np.zeros(SHAPE, np.float32)
        pulse.flat[index] = 1.0
        columns.append(resample(pulse, np.zeros(SHAPE, np.uint16), onto, shape, clip=False)[0].ravel())
    return np.array(columns, np.float64).T


@pytest.mark.parametrize(("scale", "shape"), [(1.0, (14, 17)), (0.9, (16, 19)), (2.0, (6, 8))])
def test_the_variance_is_that_of_the_resamplings_own_weights(scale: float, shape: tuple[int, int]) -> None:
    onto = turned(scale)
    sigma = np.random.default_rng(1).uniform(0.5, 3.0, SHAPE).astype(np.float32)
    found = resample_uncertainty(sigma, onto, shape)
    weights = matrix_of(onto, shape)
    expected = np.sqrt((weights**2) @ (sigma.ravel().astype(np.float64) ** 2)).reshape(shape)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    inside = ~np.isnan(expected)
    assert inside.mean() > 0.5
    # Beside the edge mirrored taps fall on the same pixel and add before they are squared.
    inner = np.zeros(shape, bool)
    inner[3:-3, 3:-3] = True
    tolerance = 2e-3 if scale < 1.5 else 2e-2
    np.testing.assert_allclose(found[inside & inner], expected[inside & inner], rtol=tolerance)


def test_samples_on_whole_pixels_keep_their_uncertainty() -> None:
    sigma = np.arange(1.0, 341.0, dtype=np.float32).reshape(SHAPE)
    shifted = resample_uncertainty(sigma, AffineMap(np.eye(2), np.array([2.0, 1.0])), (10, 10))
    np.testing.assert_allclose(shifted, sigma[1:11, 2:12], rtol=1e-6)


def test_an_unknown_uncertainty_spoils_nobody_elses() -> None:
    sigma = np.full(SHAPE, 2.0, np.float32)
    sigma[8, 9] = np.nan
    found = resample_uncertainty(sigma, AffineMap(np.eye(2), np.array([0.5, 0.5])), (12, 12))
    assert np.isfinite(found).all()
    whole = resample_uncertainty(
        np.full(SHAPE, 2.0, np.float32), AffineMap(np.eye(2), np.array([0.5, 0.5])), (12, 12)
    )
    np.testing.assert_allclose(found, whole, rtol=1e-5)


def test_the_scatter_of_resampled_noise_is_what_is_announced() -> None:
    onto, sigma = turned(1.0), np.full(SHAPE, 3.0, np.float32)
    random = np.random.default_rng(2)
    flags = np.zeros(SHAPE, np.uint16)
    trials = [
        resample(random.normal(0.0, 3.0, SHAPE).astype(np.float32), flags, onto, (12, 14), clip=False)[0]
        for _ in range(400)
    ]
    ratio = np.std(trials, axis=0) / resample_uncertainty(sigma, onto, (12, 14))
    assert np.nanmean(ratio[3:-3, 3:-3]) == pytest.approx(1.0, abs=0.01)

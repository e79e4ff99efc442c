"""The spline resampling against SciPy's, and what becomes of gaps and flags on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.kernels.bspline import MARGIN, spline_coefficients
from pipeline.kernels.resample import AffineMap, block_mean, resample
from pipeline.quality import Quality


def rotation(degrees: float, scale: float, shape: tuple[int, int], shift: tuple[float, float]) -> AffineMap:
    """A turn about the image's centre, with a change of scale and a shift."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn * scale
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    return AffineMap(matrix, centre + np.array(shift) - matrix @ centre)


def scipy_resample(image: NDArray[np.float32], onto: AffineMap) -> NDArray[np.float64]:
    """What sunpy's rotation does: order 3, mode constant, clipped to the input's range."""
    found = ndimage.affine_transform(
        image.T.astype(np.float64), onto.matrix, offset=onto.offset, order=3, mode="constant", cval=np.nan
    ).T
    clipped: NDArray[np.float64] = found.clip(image.min(), image.max())
    return clipped


def noise(shape: tuple[int, int], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(100.0, 30.0, shape).astype(np.float32)


def clean(image: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.zeros(image.shape, np.uint16)


@given(
    rows=st.integers(2, 90),
    columns=st.integers(2, 90),
    degrees=st.floats(-180, 180),
    scale=st.floats(0.6, 1.4),
    shift=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
)
@settings(max_examples=60, deadline=None)
def test_equals_scipys_cubic_spline_for_any_turn_scale_and_shift(
    rows: int, columns: int, degrees: float, scale: float, shift: tuple[float, float]
) -> None:
    image = noise((rows, columns))
    onto = rotation(degrees, scale, image.shape, shift)
    found, flags = resample(image, clean(image), onto, image.shape)
    wanted = scipy_resample(image, onto)
    both = np.isfinite(wanted) & np.isfinite(found)
    # A sample within rounding of the edge may be counted in by the one and out by the other.
    assert np.count_nonzero(np.isfinite(wanted) != np.isfinite(found)) <= 2 * (rows + columns)
    assert np.abs(found - wanted)[both].max(initial=0.0) <= 2e-6 * np.ptp(image)
    assert ((flags == Quality.OUTSIDE_FIELD) == np.isnan(found)).all()


@pytest.mark.parametrize("degrees", [0.0, 0.02, 0.4, 7.0, 45.0, 180.0])
def test_equals_scipys_field_edge_to_the_pixel(degrees: float) -> None:
    image = noise((300, 220))
    onto = rotation(degrees, 1.0013, image.shape, (3.3, -7.1))
    found, _ = resample(image, clean(image), onto, image.shape)
    assert (np.isfinite(found) == np.isfinite(scipy_resample(image, onto))).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (5, 3), (17, 40), (600, 70)])
def test_coefficients_equal_scipys_with_a_mirrored_edge(shape: tuple[int, int]) -> None:
    image = noise(shape)
    found = spline_coefficients(image)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    wanted = ndimage.spline_filter(image.astype(np.float64), 3, mode="mirror")
    np.testing.assert_allclose(found, wanted, atol=3e-6 * np.abs(wanted).max())


def test_an_image_that_stays_where_it_is_stays_what_it_is() -> None:
    image, quality = noise((40, 50)), clean(noise((40, 50)))
    quality[7, 9] = Quality.HOT
    found, flags = resample(image, quality, AffineMap(np.eye(2), np.zeros(2)), image.shape)
    np.testing.assert_allclose(found, image, rtol=3e-6)
    assert (flags == quality).all()


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_one_missing_pixel_stays_one_missing_pixel(hole: float) -> None:
    image = noise((64, 64))
    onto = rotation(0.3, 1.0013, image.shape, (0.4, 0.3))
    whole, _ = resample(image, clean(image), onto, image.shape)
    image[30, 33] = hole
    found, flags = resample(image, clean(image), onto, image.shape)
    lost = np.isnan(found) & np.isfinite(whole)
    assert np.count_nonzero(lost) == 1
    assert (flags[lost] & Quality.MISSING).all()
    touched = (flags & Quality.INTERPOLATED) != 0
    assert 9 <= np.count_nonzero(touched) <= 25
    assert not np.isinf(found).any()


def test_a_gap_is_felt_no_farther_than_the_spline_reaches() -> None:
    image = noise((90, 90))
    onto = rotation(0.5, 1.0, image.shape, (0.2, 0.6))
    whole, _ = resample(image, clean(image), onto, image.shape)
    image[40:50, 35:60] = np.nan
    found, flags = resample(image, clean(image), onto, image.shape)
    nearby = ndimage.binary_dilation(np.isnan(found) & np.isfinite(whole), iterations=14)
    far = ~nearby & np.isfinite(whole)
    np.testing.assert_allclose(found[far], whole[far], rtol=1e-5)
    unflagged_but_changed = (flags == 0) & np.isfinite(whole) & (np.abs(found - whole) > 30)
    assert not unflagged_but_changed.any()


def test_a_gap_in_the_middle_of_nothing_is_filled_with_something_finite_but_stays_a_gap() -> None:
    image = np.full((80, 80), np.nan, np.float32)
    image[:10] = 5.0
    found, flags = resample(image, clean(image), rotation(0.1, 1.0, image.shape, (0, 0)), image.shape)
    np.testing.assert_allclose(found[2:8, 2:-2], 5.0, rtol=1e-6)
    assert np.isnan(found[12:-2]).all()
    assert (flags[12:-2, 2:-2] & Quality.MISSING).all()


def test_an_image_of_nothing_but_gaps_comes_out_missing() -> None:
    image = np.full((8, 9), np.nan, np.float32)
    found, flags = resample(image, clean(image), AffineMap(np.eye(2), np.zeros(2)), (8, 9))
    assert np.isnan(found).all()
    assert (flags == Quality.MISSING).all()


@pytest.mark.parametrize("flag", [Quality.SATURATED, Quality.COSMIC_RAY, Quality.DEAD])
def test_a_flag_goes_with_its_pixel_to_the_samples_beside_it(flag: Quality) -> None:
    image, quality = noise((64, 64)), clean(noise((64, 64)))
    quality[30, 33] = flag
    onto = rotation(20.0, 1.0, image.shape, (0.4, 0.3))
    _, flags = resample(image, quality, onto, image.shape)
    y, x = np.mgrid[:64, :64]
    at = np.stack([x, y], axis=-1) @ onto.matrix.T + onto.offset
    distance = np.abs(at - [33, 30]).max(axis=-1)
    assert ((flags & flag) != 0)[distance < 0.99].all()
    assert not (flags & flag)[distance > 1.0].any()


def test_pixels_outside_the_field_get_the_value_asked_for_and_are_flagged() -> None:
    image = noise((30, 30))
    onto = AffineMap(np.eye(2), np.array([10.0, 0.0]))
    found, flags = resample(image, clean(image), onto, image.shape, missing=-7.0)
    assert (found[:, 20:] == -7.0).all()
    assert (flags[:, 20:] == Quality.OUTSIDE_FIELD).all()
    assert not flags[:, :20].any()


def test_overshoot_beside_an_edge_is_clipped_only_when_asked() -> None:
    image = np.zeros((20, 40), np.float32)
    image[:, 20:] = 1.0
    onto = AffineMap(np.eye(2), np.array([0.5, 0.0]))
    clipped, _ = resample(image, clean(image), onto, image.shape)
    free, _ = resample(image, clean(image), onto, image.shape, clip=False)
    assert np.nanmin(clipped) == 0.0
    assert np.nanmax(clipped) == 1.0
    assert np.nanmin(free) < -0.05
    assert np.nanmax(free) > 1.05


def test_a_coarser_grid_averages_instead_of_aliasing() -> None:
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2).astype(np.float32)
    onto = AffineMap(np.eye(2) * 4.0, np.array([1.5, 1.5]))
    found, _ = resample(checkerboard, clean(checkerboard), onto, (16, 16))
    np.testing.assert_allclose(found, 0.5, atol=1e-6)


def test_block_means_leave_gaps_out_and_say_so() -> None:
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    quality = clean(image)
    image[0, 0] = np.nan
    quality[0, 0] = Quality.MISSING
    image[2:, 2:] = np.nan
    mean, flags = block_mean(image, quality, 2)
    np.testing.assert_allclose(mean, [[10 / 3, 4.5], [10.5, np.nan]])
    assert flags.tolist() == [[Quality.INTERPOLATED, 0], [0, Quality.MISSING]]

"""Large-scale fields of disks, against fields that were put in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.rings import flag_disk, over_course, ring_medians, smooth_course
from pipeline.kernels.zernike import fit_field, modes, over_field, polynomial

SIDE, RADIUS, X, Y = 256, 100.0, 127.3, 124.8
ROWS, COLUMNS = np.indices((SIDE, SIDE), dtype=np.float64)
ACROSS, UP = (COLUMNS - X) / RADIUS, (ROWS - Y) / RADIUS
PLACE = np.hypot(ACROSS, UP)


def evaluated(field: NDArray[np.float64]) -> NDArray[np.float64]:
    made = np.zeros_like(ACROSS)
    for i, j in zip(*np.nonzero(field), strict=True):
        made += field[i, j] * UP**i * ACROSS**j
    return made


def pattern(order: int, size: float = 0.04, seed: int = 0) -> NDArray[np.float64]:
    values = np.random.default_rng(seed).normal(size=len(modes(order)))
    return polynomial(order, size * values / np.sqrt((values**2).sum()))


def disk(field: NDArray[np.float64], features: float = 0.3) -> NDArray[np.float32]:
    course = 0.3 + 0.7 * np.sqrt(np.clip(1 - PLACE**2, 0, 1))
    image = course * evaluated(field)
    for number in range(8):
        at = 0.7 * np.cos(2.4 * number), 0.5 * np.sin(1.7 * number)
        image = image * (1 - features * ((np.abs(ACROSS - at[0]) < 0.1) & (np.abs(UP - at[1]) < 0.015)))
    image = image + np.random.default_rng(9).normal(0, 0.005, image.shape)
    return np.where(PLACE < 1, 1e4 * image, 50.0).astype(np.float32)


def left(image: NDArray[np.float32], field: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    ratio = over_field(np.ones_like(image), X, Y, RADIUS, found) * evaluated(field)
    return float(ratio[PLACE < 0.98].std())


def test_modes_are_orthonormal_on_the_disk_and_have_no_mean() -> None:
    inside = PLACE < 1
    names = modes(5)
    planes = []
    for number in range(len(names)):
        one = np.zeros(len(names))
        one[number] = 1.0
        planes.append((evaluated(polynomial(5, one)) - 1.0)[inside])
    gram = np.array(planes) @ np.array(planes).T / inside.sum()
    np.testing.assert_allclose(gram, np.eye(len(names)), atol=0.02)
    np.testing.assert_allclose(np.mean(planes, axis=1), 0.0, atol=0.01)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_pattern_is_found_though_filaments_lie_on_it(seed: int) -> None:
    field = pattern(5, seed=seed)
    image = disk(field)
    found = fit_field(image, X, Y, RADIUS, order=5)
    assert found is not None
    assert left(image, field, found.polynomial) < 0.001
    careless = fit_field(image, X, Y, RADIUS, order=5, clip=float("inf"))
    assert careless is not None
    assert left(image, field, careless.polynomial) > 2 * left(image, field, found.polynomial)


@pytest.mark.parametrize("order", [3, 5])
def test_the_order_is_found_that_the_pattern_has(order: int) -> None:
    image = disk(pattern(order, seed=4))
    found = fit_field(image, X, Y, RADIUS)
    assert found is not None
    assert order <= found.order <= order + 1
    assert found.bic[found.order] == min(found.bic.values())


def test_what_is_the_same_all_round_is_left_to_the_course() -> None:
    flat = np.zeros((1, 1)) + 1.0
    found = fit_field(disk(flat, features=0.0), X, Y, RADIUS, order=5)
    assert found is not None
    assert np.abs(found.coefficients).max() < 8e-4


def test_a_disk_without_values_has_no_field() -> None:
    assert fit_field(np.full((SIDE, SIDE), np.nan, np.float32), X, Y, RADIUS) is None


def test_a_disk_without_noise_and_one_that_is_cut_off_have_theirs() -> None:
    field = pattern(3, seed=2)
    course = 0.3 + 0.7 * np.sqrt(np.clip(1 - PLACE**2, 0, 1))
    image = (1e4 * course * evaluated(field)).astype(np.float32)
    found = fit_field(image, X, Y, RADIUS, order=3)
    assert found is not None
    assert left(image, field, found.polynomial) < 1e-4
    cut = disk(field)[60:, :190]
    found = fit_field(cut, X, Y - 60, RADIUS, order=3)
    assert found is not None
    assert left(disk(field), field, found.polynomial) < 0.002


def test_what_is_told_of_the_error_is_about_the_error() -> None:
    field = pattern(5, seed=1)
    image = disk(field)
    found = fit_field(image, X, Y, RADIUS)
    assert found is not None
    wrong = left(image, field, found.polynomial)
    assert 0.3 * wrong < found.error < 5 * wrong


def test_beyond_the_limb_the_field_goes_on_as_it_is_there() -> None:
    field = pattern(4)
    made = 1 / over_field(np.ones((SIDE, SIDE), np.float32), X, Y, RADIUS, field)
    inside = PLACE < 1
    np.testing.assert_allclose(made[inside], evaluated(field)[inside], rtol=1e-5)
    assert 0.5 < made.min() < made.max() < 1.5


def test_medians_of_rings_are_those_of_sorted_pixels() -> None:
    image = disk(pattern(3))
    image[100:105] = np.nan
    found = ring_medians(image, X, Y, RADIUS, 20)
    ring = np.floor(PLACE**2 * 20).astype(int)
    wanted = [np.nanmedian(image[ring == one]) for one in range(20)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_what_is_far_from_a_course_does_not_count_for_its_ring() -> None:
    image = disk(np.ones((1, 1)), features=0.0)
    spoilt = image.copy()
    spoilt[60:100] *= 3.0
    clean = ring_medians(image, X, Y, RADIUS, 20)
    found = ring_medians(spoilt, X, Y, RADIUS, 20, near=clean, within=0.1)
    # In the outermost rings the course itself falls by more than that.
    np.testing.assert_allclose(found[:16], clean[:16], rtol=5e-3)
    assert not np.allclose(ring_medians(spoilt, X, Y, RADIUS, 20)[:16], clean[:16], rtol=5e-3)


def test_flags_end_where_the_disk_does() -> None:
    quality = np.full((SIDE, SIDE), 1, np.uint16)
    flag_disk(quality, X, Y, RADIUS, sure=0.9, doubtful=256, outside=64)
    np.testing.assert_array_equal(quality, np.where(PLACE > 1, 65, np.where(PLACE > 0.9, 257, 1)))


def test_over_its_course_a_round_disk_is_flat_and_ends_at_the_limb() -> None:
    image = (1e4 * (0.3 + 0.7 * np.sqrt(np.clip(1 - PLACE**2, 0, 1)))).astype(np.float32)
    course, coefficients = smooth_course(ring_medians(image, X, Y, RADIUS, 200))
    made = over_course(image, X, Y, RADIUS, course)
    np.testing.assert_allclose(made[PLACE < 0.97], 1.0, atol=2e-3)
    assert np.isnan(made[PLACE > 1]).all()
    assert np.isfinite(made[PLACE < 1]).all()
    np.testing.assert_allclose(coefficients[:2], [3000, 7000], rtol=0.02)

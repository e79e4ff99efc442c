"""The smear kernels against the matrix they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.kernels.desmear import desmear, smear

# Line times of the real HI headers and the weights of a summed HI-1 image: N · 2^(IPSUM − 1) = 60.
DIAGONAL, READOUT, CLEAR = 1205.3, 60 * 0.00235, 60 * 0.000124


def matrix(n: int, diagonal: float, below: float, above: float) -> NDArray[np.float64]:
    """The smear matrix itself: what no kernel ever builds."""
    lines = np.arange(n)
    full = np.where(lines[:, None] > lines[None, :], below, above).astype(np.float64)
    np.fill_diagonal(full, diagonal)
    return full


def relative_error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    return float(np.max(np.abs(found - wanted)) / np.max(np.abs(wanted)))


@pytest.mark.parametrize("size", [1024, 2048])
@pytest.mark.parametrize(("kind", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize(("below", "above"), [(READOUT, CLEAR), (CLEAR, READOUT)], ids=["normal", "inverted"])
def test_equals_the_dense_inverse_at_the_sizes_of_the_detector(
    size: int, kind: type, tolerance: float, below: float, above: float
) -> None:
    image: NDArray[Any] = (np.random.default_rng(size).random((size, 40)) * 1e5).astype(kind)
    wanted = np.linalg.solve(matrix(size, DIAGONAL, below, above), image.astype(np.float64))
    found = desmear(image, DIAGONAL, below, above)
    assert found.dtype == kind
    assert relative_error(found, wanted) < tolerance


@given(
    ny=st.integers(1, 70),
    nx=st.integers(1, 9),
    below=st.floats(0, 0.02),
    above=st.floats(0, 0.02),
    seed=st.integers(0, 2**31),
    double=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_equals_the_dense_inverse_for_any_shape_and_direction(
    ny: int, nx: int, below: float, above: float, seed: int, double: bool
) -> None:
    kind, tolerance = (np.float64, 1e-12) if double else (np.float32, 1e-6)
    image = np.random.default_rng(seed).normal(1.0, 1.0, (ny, nx)).astype(kind)
    full = matrix(ny, 1.0, below, above)
    assume(np.linalg.cond(full) < 50)
    wanted = np.linalg.solve(full, image.astype(np.float64))
    assert relative_error(desmear(image, 1.0, below, above), wanted) < tolerance


@pytest.mark.parametrize(("below", "above"), [(2e-2, 1e-4), (1e-4, 2e-2)])
def test_keeps_its_digits_where_an_unguarded_recurrence_loses_them_all(below: float, above: float) -> None:
    # ρⁿ reaches 8e17 in one of the two directions (science.md §1, "Extreme").
    image = np.random.default_rng(1).random((2048, 8)) * 1e4
    wanted = np.linalg.solve(matrix(2048, 1.0, below, above), image)
    assert relative_error(desmear(image, 1.0, below, above), wanted) < 1e-11


@given(below=st.floats(0, 0.01), above=st.floats(0, 0.01), ny=st.integers(1, 50), seed=st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_smearing_equals_the_dense_product(below: float, above: float, ny: int, seed: int) -> None:
    scene = np.random.default_rng(seed).random((ny, 5)) + 0.1
    assert relative_error(smear(scene, 1.0, below, above), matrix(ny, 1.0, below, above) @ scene) < 1e-13


@given(below=st.floats(0, 0.001), above=st.floats(0, 0.001), seed=st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_undoes_what_smearing_did(below: float, above: float, seed: int) -> None:
    scene = np.random.default_rng(seed).random((300, 4)) + 0.1
    assert relative_error(desmear(smear(scene, 1.0, below, above), 1.0, below, above), scene) < 1e-12


def test_turning_the_image_swaps_the_directions() -> None:
    image = np.random.default_rng(2).random((65, 7))
    turned = desmear(image[::-1, ::-1], 5.0, 0.003, 0.0002)
    np.testing.assert_allclose(turned[::-1, ::-1], desmear(image, 5.0, 0.0002, 0.003), rtol=1e-12)


def test_equal_times_have_no_special_trouble() -> None:
    image = np.random.default_rng(3).random((200, 4))
    wanted = np.linalg.solve(matrix(200, 1.0, 0.002, 0.002), image)
    assert relative_error(desmear(image, 1.0, 0.002, 0.002), wanted) < 1e-13


def test_a_nan_spoils_its_column_and_no_other() -> None:
    image = np.random.default_rng(4).random((64, 130)).astype(np.float32)
    clean = desmear(image, DIAGONAL, READOUT, CLEAR)
    image[17, 65] = np.nan
    found = desmear(image, DIAGONAL, READOUT, CLEAR)
    assert np.isnan(found[:, 65]).all()
    np.testing.assert_array_equal(np.delete(found, 65, axis=1), np.delete(clean, 65, axis=1))


def test_a_part_of_a_detector_is_taken_as_a_slice() -> None:
    image = np.random.default_rng(5).random((90, 80)).astype(np.float32)
    part = image[5:75, 11:60]
    np.testing.assert_array_equal(
        desmear(part, DIAGONAL, READOUT, CLEAR), desmear(part.copy(), DIAGONAL, READOUT, CLEAR)
    )


def test_the_input_is_left_alone() -> None:
    image = np.random.default_rng(6).random((32, 16)).astype(np.float32)
    image.setflags(write=False)
    before = image.copy()
    desmear(image, DIAGONAL, READOUT, CLEAR)
    np.testing.assert_array_equal(image, before)


def test_whole_numbers_become_float32() -> None:
    assert desmear(np.ones((4, 4), dtype=np.int32), 10.0, 0.1, 0.2).dtype == np.float32


def test_an_empty_image_stays_empty() -> None:
    assert desmear(np.empty((0, 5), dtype=np.float32), 1.0, 0.1, 0.1).shape == (0, 5)


@pytest.mark.parametrize(
    ("shape", "times", "says"),
    [
        ((4,), (1.0, 0.1, 0.1), "two-dimensional"),
        ((4, 4), (np.nan, 0.1, 0.1), "finite"),
        ((4, 4), (0.1, 0.1, 0.1), "no inverse"),
    ],
)
def test_impossible_requests_are_refused(
    shape: tuple[int, ...], times: tuple[float, float, float], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        desmear(np.ones(shape), *times)

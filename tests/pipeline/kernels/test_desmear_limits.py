"""The smear's inverse where its formula has singular or nearly singular terms."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.kernels.desmear import constants, desmear
from tests.pipeline.kernels.test_desmear import matrix, relative_error


@pytest.mark.parametrize("difference", [1e-16, 1e-13, 1e-10, 1e-7, 1e-4])
@pytest.mark.parametrize("sign", [1, -1])
def test_nearly_equal_times_lose_no_digits(difference: float, sign: int) -> None:
    """ρ differs from 1 in its last digits, where 1 − ρⁿ computed as written would have none left."""
    image = np.random.default_rng(1).random((500, 3))
    below, above = 0.002, 0.002 + sign * difference
    wanted = np.linalg.solve(matrix(500, 1.0, below, above), image)
    assert relative_error(desmear(image, 1.0, below, above), wanted) < 1e-12


@pytest.mark.parametrize(
    ("below", "above"), [(1.5, 0.1), (0.1, 1.5), (1.0, 0.1), (0.1, 1.0), (1.2, 0.9), (3.0, 0.2), (-0.3, 0.4)]
)
@pytest.mark.parametrize("lines", [2, 3, 4, 5, 9, 40])
def test_a_line_that_collects_more_light_elsewhere_than_at_its_own_place_is_still_solved(
    below: float, above: float, lines: int
) -> None:
    """ρ is zero or negative there."""
    full = matrix(lines, 1.0, below, above)
    image = np.random.default_rng(lines).random((lines, 3))
    wanted = np.linalg.solve(full, image)
    tolerance = 1e-14 * np.linalg.cond(full) + 1e-13
    assert relative_error(desmear(image, 1.0, below, above), wanted) < tolerance


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        (2, (1.0, 2.0, 0.5)),
        (2, (1.0, 0.5, 2.0)),
        (3, (1.0, -0.5, -0.5)),
        (1, (0.0, 1.0, 2.0)),
        (4, (0.5, 0.5, 0.5)),
    ],
)
def test_a_matrix_without_an_inverse_is_refused_with_its_times(
    lines: int, times: tuple[float, float, float]
) -> None:
    assert abs(np.linalg.det(matrix(lines, *times))) < 1e-12
    with pytest.raises(ValueError, match="no inverse"):
        desmear(np.ones((lines, 2)), *times)


@pytest.mark.parametrize("times", [(2.0, 0.5, 0.1), (2.0, 2.0, 2.0)])
def test_one_line_has_no_neighbours(times: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(desmear(np.full((1, 3), 6.0), *times), 3.0)


def test_lines_are_taken_in_their_order_unless_that_would_lose_digits() -> None:
    assert constants(5, 1.0, 0.5, 1.5)[-1] is False  # either way is as good
    assert constants(5, 1.0, 0.5, 0.4)[-1] is False
    assert constants(5, 1.0, 0.4, 0.5)[-1] is True


def test_a_ratio_of_nothing_divides_by_nothing() -> None:
    """Where a line gathers as much light at the place of the lines before it as at its own, ρ is 0."""
    with np.errstate(all="raise"):
        rho, kappa, _, _, _ = constants(5, 1.0, 1.0, 0.5)
    assert (rho, kappa) == (0.0, 1.0)

"""The uncertainty behind the de-smearing, against the dense inverse."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.kernels.desmear import desmear
from pipeline.kernels.desmear_noise import desmear_uncertainty

#: d, b, a: HI-1, its image turned, one line time for both, one that is zero, a strong smear, ρ < 0.
TIMES = [
    (40.0, 0.0022, 0.0015),
    (40.0, 0.0015, 0.0022),
    (1.0, 0.01, 0.01),
    (1.0, 0.0, 0.02),
    (1.0, 0.3, 0.1),
    (1.0, 1.5, 0.2),
]


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("lines", [1, 2, 7, 60])
def test_it_is_the_root_of_the_squared_inverse_times_the_variances(
    times: tuple[float, float, float], lines: int
) -> None:
    d, b, a = times
    sigma = np.random.default_rng(lines).uniform(0.1, 4.0, (lines, 5))
    matrix = np.where(np.tri(lines, k=-1, dtype=bool), b, a)
    np.fill_diagonal(matrix, d)
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(
        desmear_uncertainty(sigma, d, b, a), np.sqrt(inverse**2 @ sigma**2), rtol=1e-9, atol=0.0
    )
    # The inverse is that of the image's own de-smearing.
    np.testing.assert_allclose(desmear(sigma, d, b, a), inverse @ sigma, rtol=1e-8)


def test_a_column_without_a_value_spoils_no_other() -> None:
    sigma = np.ones((6, 3), np.float32)
    sigma[2, 1] = np.nan
    found = desmear_uncertainty(sigma, 40.0, 0.0022, 0.0015)
    assert found.dtype == np.float32
    assert np.isfinite(found[:, [0, 2]]).all()
    assert np.isnan(found[:, 1]).any()

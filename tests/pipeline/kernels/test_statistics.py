"""Image statistics: exact order statistics, moments as their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pipeline.kernels.statistics import (
    PERCENTILES,
    count_combinations,
    largest_below,
    statistics,
)


@given(hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_percentiles_are_the_values_at_their_ranks(values: np.ndarray) -> None:
    found = statistics(values)
    expected = np.percentile(values, PERCENTILES, method="inverted_cdf")
    np.testing.assert_array_equal([found.percentiles[p] for p in PERCENTILES], expected)
    assert (found.minimum, found.maximum) == (values.min(), values.max())


def test_percentiles_agree_with_sorting_across_signs_and_scales() -> None:
    rng = np.random.default_rng(3)
    values = (rng.normal(size=5000) * 10.0 ** rng.integers(-20, 20, 5000)).astype(np.float32)
    found = statistics(values)
    expected = np.percentile(values, PERCENTILES, method="inverted_cdf")
    np.testing.assert_array_equal([found.percentiles[p] for p in PERCENTILES], expected)


def test_moments_agree_with_scipy() -> None:
    values = np.random.default_rng(5).gamma(2.0, 3.0, (100, 90)).astype(np.float32)
    found = statistics(values)
    flat = values.ravel().astype(np.float64)
    assert found.mean == pytest.approx(flat.mean(), rel=1e-12)
    assert found.rms == pytest.approx(flat.std(), rel=1e-12)
    assert found.skewness == pytest.approx(stats.skew(flat), rel=1e-10)
    assert found.kurtosis == pytest.approx(stats.kurtosis(flat), rel=1e-10)
    assert found.mean_absolute_deviation == pytest.approx(np.abs(flat - flat.mean()).mean(), rel=1e-12)


def test_flags_are_counted_by_their_combinations() -> None:
    flags = np.random.default_rng(7).integers(0, 2**16, (40, 30), dtype=np.uint16)
    flags[0] = 5
    np.testing.assert_array_equal(count_combinations(flags), np.bincount(flags.ravel(), minlength=2**16))


@pytest.mark.parametrize("writable", [True, False])
def test_only_finite_values_without_a_refused_flag_count(writable: bool) -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(40, 30)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[3, 4:9] = np.inf
    flags = rng.integers(0, 16, values.shape, dtype=np.uint16)
    for array in (values, flags):
        array.setflags(write=writable)
    expected = values[np.isfinite(values) & ((flags & np.uint16(5)) == 0)]
    assert statistics(values, flags, 5) == statistics(expected)
    assert statistics(values, flags, 5).count == expected.size
    assert statistics(values, flags, 15).count == np.count_nonzero(np.isfinite(values) & (flags == 0))


def test_what_does_not_exist_is_nan() -> None:
    assert np.isnan(statistics(np.empty(0)).mean)
    assert np.isnan(statistics(np.ones(3)).skewness)


@pytest.mark.parametrize("at_once", [7, 40, 1000])
def test_a_cube_looked_at_piece_by_piece_has_the_statistics_of_its_values(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(size=(3, 5, 6)).astype(np.float32)
    values[1, 2, :4] = np.nan
    flags = rng.integers(0, 3, (5, 6), dtype=np.uint16)
    whole = statistics(values, np.broadcast_to(flags, values.shape), 2)
    monkeypatch.setattr("pipeline.kernels.statistics._AT_ONCE", at_once)
    pieces = statistics(values, flags, 2)
    assert (pieces.count, pieces.percentiles) == (whole.count, whole.percentiles)
    assert (pieces.minimum, pieces.maximum) == (whole.minimum, whole.maximum)
    assert pieces.mean == pytest.approx(whole.mean, rel=1e-12)
    assert pieces.kurtosis == pytest.approx(whole.kurtosis, rel=1e-10)


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(-1e6, 1e6, width=32)), st.data())
def test_values_are_found_by_their_ranks(values: np.ndarray, data: st.DataObject) -> None:
    ranks = data.draw(st.lists(st.integers(0, values.size - 1), max_size=5))
    np.testing.assert_array_equal(statistics(values, ranks=ranks).at_ranks, np.sort(values)[ranks])


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(2.0**-60, 1e6, width=32)), st.data())
def test_the_largest_below_a_limit(values: np.ndarray, data: st.DataObject) -> None:
    limit = float(data.draw(st.sampled_from([*values.tolist(), 1.0, 2e6])))
    below = values[values < np.float32(limit)]
    assert largest_below(values, limit) == (below.size, below.max() if below.size else 0.0)

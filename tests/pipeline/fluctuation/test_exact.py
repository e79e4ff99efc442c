"""Chains of few states, all of whose paths are counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.fluctuation.chain import Chain, estimated, stationary
from pipeline.fluctuation.exact import enumerated, simulated
from tests.pipeline.fluctuation.stacks import BALANCED, DRIVEN


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_both_theorems_hold_exactly(length: int) -> None:
    found = enumerated(DRIVEN, length)
    s, ratio = found.ratio()
    assert len(s) >= 1
    np.testing.assert_allclose(ratio, s, atol=1e-12)
    assert found.integral() == pytest.approx(1.0, abs=1e-12)
    assert found.probability.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.probability @ found.production == pytest.approx(length * DRIVEN.production, abs=1e-12)


def test_any_chain_that_goes_both_ways_keeps_them() -> None:
    random = np.random.default_rng(3)
    for _ in range(10):
        weights = random.uniform(0.02, 1.0, (5, 5))
        found = enumerated(Chain.of(weights / weights.sum(axis=1, keepdims=True)), 3)
        s, ratio = found.ratio()
        np.testing.assert_allclose(ratio, s, atol=1e-9)
        assert found.integral() == pytest.approx(1.0, abs=1e-10)


def test_paths_are_those_that_are_written_down_one_by_one() -> None:
    w, p = DRIVEN.transition, DRIVEN.stationary
    mean = 0.0
    for path in itertools.product(range(4), repeat=4):
        forward = p[path[0]] * np.prod([w[a, b] for a, b in itertools.pairwise(path)])
        backward = p[path[-1]] * np.prod([w[b, a] for a, b in itertools.pairwise(path)])
        mean += forward * np.log(forward / backward)
    found = enumerated(DRIVEN, 3)
    assert found.probability @ found.production == pytest.approx(mean, abs=1e-12)


def test_a_balanced_chain_produces_nothing() -> None:
    assert BALANCED.production == pytest.approx(0.0, abs=1e-12)
    found = enumerated(BALANCED, 4)
    np.testing.assert_allclose(found.production, 0.0, atol=1e-9)


def test_impossible_transitions_stay_so_and_those_seen_one_way_are_smoothed() -> None:
    pairs = np.array([[50, 10, 0], [12, 40, 3], [0, 0, 20]])
    chain = estimated(pairs, 0.5)
    assert chain.transition[0, 2] == chain.transition[2, 0] == 0.0
    assert chain.gain[0, 2] == 0.0
    assert chain.transition[2, 1] == pytest.approx(0.5 / 21.0)
    np.testing.assert_allclose(chain.transition.sum(axis=1), 1.0)
    np.testing.assert_allclose(chain.stationary @ chain.transition, chain.stationary, atol=1e-12)
    assert np.isinf(estimated(pairs, 0.0).gain[1, 2])


def test_the_stationary_distribution_is_an_eigenvector() -> None:
    values, vectors = np.linalg.eig(DRIVEN.transition.T)
    wanted = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(stationary(DRIVEN.transition), wanted / wanted.sum(), atol=1e-12)


def test_simulated_series_have_the_transitions_of_their_chain() -> None:
    states = simulated(DRIVEN, 4000, 30, seed=2)
    counts = np.zeros((4, 4))
    np.add.at(counts, (states[:, :-1], states[:, 1:]), 1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), DRIVEN.transition, atol=0.01)


def test_too_many_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="paths of 12 transitions"):
        enumerated(DRIVEN, 12)

"""Counting and walking, against plain loops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.fluctuation.chain import estimated
from pipeline.kernels import transitions
from tests.pipeline.fluctuation.stacks import BALANCED, DRIVEN

RANDOM = np.random.default_rng(4)
STATES = RANDOM.integers(-1, 4, (7, 40)).astype(np.int16)
LINKED = RANDOM.random(40) > 0.1
LINKED[0] = False


def runs(states: NDArray[np.int16], length: int) -> list[tuple[int, list[int]]]:
    """All windows of `length` + 1 states without a gap: when they end, and what they are."""
    found = []
    for series in states:
        for end in range(length, len(series)):
            window = series[end - length : end + 1]
            if (window >= 0).all() and LINKED[end - length + 1 : end + 1].all():
                found.append((end, [int(one) for one in window]))
    return found


def test_transitions_are_counted_within_series_alone() -> None:
    part = np.arange(40) // 20
    pairs, triples = transitions.count(STATES, LINKED, part, 2, 4)
    wanted = np.zeros((2, 4, 4))
    for end, (a, b) in runs(STATES, 1):
        wanted[part[end], a, b] += 1
    np.testing.assert_array_equal(pairs, wanted)
    wanted = np.zeros((4, 4, 4))
    for _, (a, b, c) in runs(STATES, 2):
        wanted[a, b, c] += 1
    np.testing.assert_array_equal(triples, wanted)


def test_paths_produce_what_their_chain_says() -> None:
    chains = [DRIVEN, estimated(np.arange(1, 17).reshape(4, 4), 0.5)]
    weight = np.array([1.0, 3.0])
    bins, sums = transitions.path_sums(
        STATES,
        LINKED,
        3,
        np.array([one.log_p for one in chains]),
        np.array([one.gain for one in chains]),
        weight,
        0.5,
        6,
    )
    for number, chain in enumerate(chains):
        made = []
        for _, path in runs(STATES, 3):
            gain = sum(chain.gain[a, b] for a, b in pairwise(path))
            made.append(chain.log_p[path[0]] - chain.log_p[path[-1]] + gain)
        s = np.array(made)
        moving = s[np.abs(s) > 1e-9]
        place = np.minimum((np.abs(moving) / 0.5).astype(int), 5)
        forward = np.bincount(place[moving > 0], minlength=6)
        reversed_ = np.bincount(place[moving > 0], weights=np.exp(-moving[moving > 0]), minlength=6)
        np.testing.assert_allclose(bins[number, 0], weight[number] * forward)
        np.testing.assert_allclose(
            bins[number, 1], weight[number] * np.bincount(place[moving < 0], minlength=6)
        )
        np.testing.assert_allclose(bins[number, 2], weight[number] * reversed_)
        wanted = [len(s), s.sum(), (s**2).sum(), np.exp(-s).sum(), np.exp(-2 * s).sum(), len(s) - len(moving)]
        np.testing.assert_allclose(sums[number], weight[number] * np.array(wanted))


def test_paths_that_are_counted_first_produce_the_same() -> None:
    chains = [DRIVEN, estimated(np.arange(1, 17).reshape(4, 4), 0.5)]
    weight = np.array([1.0, 3.0])
    log_p, gain = np.array([one.log_p for one in chains]), np.array([one.gain for one in chains])
    for length in (1, 3):
        counts = transitions.words(STATES, LINKED, length, 4)
        assert counts.sum() == len(runs(STATES, length))
        found = transitions.word_sums(weight[:, None] * counts, length, log_p, gain, 0.5, 6)
        wanted = transitions.path_sums(STATES, LINKED, length, log_p, gain, weight, 0.5, 6)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_chains_that_do_not_count_are_not_walked() -> None:
    states = np.zeros((2, 10), np.int16)
    bins, sums = transitions.path_sums(
        states, np.ones(10, bool), 2, BALANCED.log_p[None], BALANCED.gain[None], np.zeros(1), 0.5, 4
    )
    assert not bins.any()
    assert not sums.any()

"""The terms of a noise model, each against the scatter of numbers drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline import noise

RANDOM = np.random.default_rng(5)
COUNT = 200_000


def test_photons_that_free_many_electrons_each() -> None:
    drawn = RANDOM.poisson(50.0, COUNT) * 1.7
    signal = np.array([50.0 * 1.7, -3.0], np.float32)
    found = noise.shot(signal, 1.7)
    assert found[0] == pytest.approx(drawn.std(), rel=0.02)
    assert found[1] == 0.0


def test_reads_add_in_quadrature() -> None:
    assert noise.read(20.0, 15.0, reads=9) == pytest.approx(4.0)


def test_rounding_and_sums_of_rounded_numbers() -> None:
    drawn = RANDOM.uniform(0.0, 1000.0, (4, COUNT))
    off = (np.round(drawn / 8.0) * 8.0 - drawn).sum(axis=0)
    assert float(noise.quantisation(8.0, roundings=4)) == pytest.approx(off.std(), rel=0.02)


def test_rounding_of_roots_grows_with_the_signal() -> None:
    drawn = (RANDOM.uniform(148.5, 151.5, COUNT) / 1.5) ** 2  # roots of three whole steps
    off = np.round(1.5 * np.sqrt(drawn)) ** 2 / 1.5**2 - drawn
    found = noise.root_compression(np.array([10_000.0], np.float32), scale=1.5)
    assert found[0] == pytest.approx(off.std(), rel=0.05)


def test_terms_are_added_in_quadrature() -> None:
    found = noise.quadrature(
        np.array([3.0, 0.0], np.float32), 4.0, noise.relative(np.array([-120.0, 0.0], np.float32), 0.1)
    )
    np.testing.assert_allclose(found, [13.0, 4.0])
    assert found.dtype == np.float32
    assert noise.combined(None, 3.0) is None

"""A network that learns from inversions: near enough for fits to begin from, and no more."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.inversion import Inversion
from pipeline.inversion.lines import line
from pipeline.inversion.network import Network, trained
from tests.pipeline.inversion.models import drawn, noisy

ATMOSPHERE = Atmosphere([line("Fe I 6302.5")], 6302.4936 + np.linspace(-0.6, 0.6, 61))


def pixels(count: int, seed: int, least: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    truth = drawn(count, seed=seed, least=least)
    return truth, noisy(ATMOSPHERE.synthesise(truth), seed=seed + 1)


@cache
def network() -> Network:
    """Trained on what an inversion found."""
    _, data = pixels(3000, 5)
    result = Inversion(ATMOSPHERE, 1e3)(data)
    good = result.chi2 < 1.3
    return trained(data[good], result.unknowns[good], turns=20)


def test_it_tells_fields_of_pixels_it_has_not_seen() -> None:
    truth, data = pixels(500, 8)
    off = np.abs(network().starts(data)[:, 0] - truth[:, 0])
    assert np.median(off) < 0.5 * np.median(np.abs(truth[:, 0] - np.median(truth[:, 0])))


def test_fits_from_it_end_where_those_from_a_library_do() -> None:
    _, data = pixels(500, 8, least=300.0)
    library = Inversion(ATMOSPHERE, 1e3)(data)
    learnt = Inversion(ATMOSPHERE, 1e3, first=network())(data)
    assert np.mean(learnt.chi2 < 1.3) > 0.99
    both = (library.chi2 < 1.3) & (learnt.chi2 < 1.3)
    apart = np.abs(library.parameters - learnt.parameters)[both, :2] / library.errors[both, :2]
    assert np.quantile(apart, 0.95) < 0.2


def test_fits_of_pixels_unlike_its_own_still_end_at_the_data() -> None:
    truth, _ = pixels(300, 9)
    truth[:, 0] *= 0.3
    truth[:, 2] += 3.0  # km/s beyond those it was trained on
    result = Inversion(ATMOSPHERE, 1e3, first=network())(noisy(ATMOSPHERE.synthesise(truth)))
    assert np.mean(result.chi2 < 1.3) > 0.97


def test_pixels_that_were_not_inverted_teach_nothing() -> None:
    truth, data = pixels(200, 3)
    spoilt = truth.copy()
    spoilt[::2] = np.nan
    made = trained(data, spoilt, turns=2)
    other = trained(data[1::2], truth[1::2], turns=2)
    np.testing.assert_array_equal(made.starts(data), other.starts(data))

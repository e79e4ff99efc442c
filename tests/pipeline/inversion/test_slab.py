"""A slab of helium: profiles and derivatives against matrix exponentials, and what is found in pixels."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pipeline.inversion.inversion import Inversion, Result
from pipeline.inversion.slab import PARAMETERS, Slab
from tests.pipeline.inversion.models import F64, noisy
from tests.pipeline.inversion.slabs import GRID, dense_profiles, drawn

WING = 1.0 - 0.3 * np.exp(-(((GRID - 10828.4) / 0.4) ** 2))
COLUMN = {name: number for number, name in enumerate(PARAMETERS)}


@pytest.mark.parametrize("mixed", [True, False])
def test_profiles_are_those_of_matrix_exponentials(mixed: bool) -> None:
    slab = Slab(GRID, background=WING, paschen_back=mixed, dtype=np.float64)
    p = drawn(20)
    p[:, 4] += np.log(2.0)
    p[:, 5] = np.log(0.2)
    made, _ = slab.slopes(p)
    assert np.abs(made - np.stack([dense_profiles(slab, one) for one in p])).max() < 1e-11


@pytest.mark.parametrize("smeared", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_derivatives_are_those_of_finite_differences(smeared: bool) -> None:
    psf = np.array([0.1, 0.2, 0.3, 0.25, 0.15]) if smeared else np.zeros(0)
    slab = Slab(GRID, background=WING, psf=psf, oversampling=1 + smeared, dtype=np.float64)
    p = drawn(8, least=100.0)
    p[:, 0] = np.round(p[:, 0], -1) + 5.0  # not where the pattern goes on to the next of its fields
    _, slopes = slab.slopes(p)
    for k in range(9):
        by = np.zeros(9)
        by[k] = 1e-2 if k == 0 else 1e-5
        measured = (slab.slopes(p + by)[0] - slab.slopes(p - by)[0]) / (2 * by[k])
        assert np.abs(slopes[:, k] - measured).max() < 1e-8 * max(1.0, np.abs(measured).max())


def test_no_depth_leaves_the_background_alone() -> None:
    p = drawn(2)
    p[:, 4] = np.log(1e-9)
    made = Slab(GRID, background=WING).synthesise(p)
    np.testing.assert_allclose(made[:, 0], p[:, 8, None] * WING, atol=1e-6)
    assert np.abs(made[:, 1:]).max() < 1e-6


def test_a_background_is_told_for_each_wavelength() -> None:
    with pytest.raises(ValueError, match="each wavelength"):
        Slab(GRID, background=WING[:-1])


@cache
def trial() -> tuple[F64, Result]:
    slab, truth = Slab(GRID), drawn(800, least=300.0)
    data = noisy(slab.synthesise(truth))
    return truth, Inversion(slab, 1e3, library=2000, fixed={"damping": 0.01})(data)


def deviations() -> F64:
    truth, result = trial()
    sigma = np.sqrt(np.einsum("ijj->ij", result.covariance))
    off = result.unknowns - truth
    off[:, 6] = (off[:, 6] + np.pi / 2) % np.pi - np.pi / 2
    free = np.delete(np.arange(9), 5)
    used = (result.chi2 < 1.3) & (sigma[:, free] > 0).all(axis=1)
    return np.asarray((off[:, free] / np.where(sigma > 0, sigma, 1.0)[:, free])[used])


def test_nearly_every_pixel_is_fitted_to_the_noise() -> None:
    assert np.mean(trial()[1].chi2 < 1.3) > 0.99


def test_what_is_found_scatters_about_the_truth_as_the_curvature_says() -> None:
    z = deviations()
    assert (np.abs(np.median(z, axis=0)) < 0.05 + 4.5 / np.sqrt(len(z))).all()
    assert (np.abs(1.4826 * np.median(np.abs(z), axis=0) - 1) < 0.05 + 4.5 * 1.17 / np.sqrt(2 * len(z))).all()


def undetermined(depths: tuple[float, float]) -> tuple[F64, F64]:
    """Parts of the pixels in which parameters are undetermined, and in which they have no error."""
    slab, truth = Slab(GRID), drawn(300, least=300.0)
    low, high = np.log(depths)
    truth[:, 4] = np.random.default_rng(5).uniform(low, high, len(truth))
    result = Inversion(slab, 1e3, library=2000, fixed={"damping": 0.01})(noisy(slab.synthesise(truth)))
    return result.undetermined.mean(axis=0), np.isnan(result.errors).mean(axis=0)


def test_a_thin_slab_tells_neither_its_depth_nor_its_source_function_and_says_so() -> None:
    vague, without = undetermined((0.03, 0.2))
    assert min(vague[COLUMN["depth"]], vague[COLUMN["source"]]) > 0.9
    assert vague[COLUMN["velocity"]] == vague[COLUMN["damping"]] == 0.0
    # At its bound the curvature says nothing of it.
    assert 0.1 < without[COLUMN["source"]] < 0.6


def test_a_thick_slab_tells_both() -> None:
    vague, _ = undetermined((1.0, 2.5))
    assert max(vague[COLUMN["depth"]], vague[COLUMN["source"]]) < 0.02


def test_depth_and_source_may_be_held() -> None:
    truth, _ = trial()
    slab = Slab(GRID)
    held = {"damping": 0.01, "depth": 0.8, "source": 0.5}
    truth = truth[:40].copy()
    truth[:, 4], truth[:, 7] = np.log(0.8), 0.5
    result = Inversion(slab, 1e3, fixed=held)(noisy(slab.synthesise(truth)))
    assert result.parameters[:, COLUMN["depth"]] == pytest.approx(0.8)
    assert (result.errors[:, COLUMN["depth"]] == 0).all()
    assert np.mean(result.chi2 < 1.3) > 0.9

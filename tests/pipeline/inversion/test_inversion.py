"""What is found in synthetic pixels: as often, as near and as evenly as noise allows."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.inversion.atmosphere import PARAMETERS, Atmosphere
from pipeline.inversion.cubes import gaussian
from pipeline.inversion.inversion import Inversion, Result
from pipeline.inversion.lines import line
from tests.pipeline.inversion.models import drawn, noisy

GRID = 6302.4936 + np.linspace(-0.6, 0.6, 61)
COLUMN = {name: number for number, name in enumerate(PARAMETERS)}


class Trial(NamedTuple):
    inversion: Inversion
    truth: NDArray[np.float64]
    data: NDArray[np.float32]
    result: Result


@cache
def trial() -> Trial:
    atmosphere = Atmosphere([line("Fe I 6302.5")], GRID)
    truth = drawn(3000)
    data = noisy(atmosphere.synthesise(truth))
    inversion = Inversion(atmosphere, 1e3)
    return Trial(inversion, truth, data, inversion(data))


def deviations(made: Trial) -> NDArray[np.float64]:
    """Errors in units of their predicted deviation, of pixels with a field that no bound is near to."""
    result, truth = made.result, made.truth
    off = result.unknowns - truth
    off[:, 6] = (off[:, 6] + np.pi / 2) % np.pi - np.pi / 2
    sigma = np.sqrt(np.einsum("ijj->ij", result.covariance))
    used = (result.chi2 < 1.3) & (truth[:, 0] > 300) & (sigma > 0).all(axis=1)
    return np.asarray((off / np.where(sigma > 0, sigma, 1.0))[used])


def test_nearly_every_pixel_is_fitted_to_the_noise() -> None:
    assert np.mean(trial().result.chi2 < 1.3) > 0.995


def test_what_is_found_is_not_biased() -> None:
    z = deviations(trial())
    assert (np.abs(z.mean(axis=0)) < 0.05 + 3.5 / np.sqrt(len(z))).all()


@pytest.mark.parametrize("emphasis", [(1.0, 10.0, 4.0), (0.2, 1.0, 1.0)])
def test_errors_and_chi_squared_are_those_of_the_noise_whatever_the_fit_weighs(
    emphasis: tuple[float, float, float],
) -> None:
    made = trial()
    some = np.flatnonzero(made.truth[:, 0] > 300)[:800]
    result = Inversion(made.inversion.model, 1e3, emphasis=emphasis)(made.data[some])
    z = deviations(Trial(made.inversion, made.truth[some], made.data[some], result))
    # Taken for weights of noise, the emphasis would make errors up to ten times too small.
    np.testing.assert_allclose(1.4826 * np.median(np.abs(z), axis=0), 1.0, atol=0.17)
    assert np.median(result.chi2) == pytest.approx(1.0, abs=0.03)


def test_it_scatters_as_the_curvature_says() -> None:
    z = deviations(trial())
    assert (np.abs(1.4826 * np.median(np.abs(z), axis=0) - 1) < 0.05 + 3.5 * 1.17 / np.sqrt(2 * len(z))).all()


def test_results_are_in_units_of_people() -> None:
    made = trial()
    found, good = made.result.parameters, made.result.chi2 < 1.3
    angle = np.degrees(made.truth[:, 1])
    assert np.median(np.abs(found[good, COLUMN["inclination"]] - angle[good])) < 2.0
    assert np.median(found[good, COLUMN["width"]]) == pytest.approx(30.0, abs=5.0)
    assert (found[good, COLUMN["filling"]] == 1.0).all()
    assert (made.result.errors[good, COLUMN["field"]] >= 0).all()


def test_fitted_profiles_differ_from_the_data_by_the_noise() -> None:
    made = trial()
    good = made.result.chi2 < 1.3
    residual = made.data - made.inversion.synthesised(made.result)
    assert residual[good].std() == pytest.approx(1e-3, rel=0.02)


def test_a_pixel_gives_the_same_alone_and_among_others() -> None:
    made = trial()
    alone = made.inversion(made.data[17:18])
    np.testing.assert_allclose(alone.parameters[0], made.result.parameters[17], rtol=1e-6)


def test_pixels_with_a_lost_value_are_left_out_and_the_others_are_not() -> None:
    made = trial()
    data = made.data[:3].copy()
    data[1, 2, 5] = np.nan
    result = made.inversion(data)
    assert np.isnan(result.parameters[1]).all()
    assert np.isnan(result.chi2[1])
    assert result.evaluations[1] == 0
    assert np.isfinite(result.parameters[[0, 2]]).all()
    assert np.isnan(made.inversion.synthesised(result)[1]).all()


def test_a_parameter_can_be_held_and_others_bounded() -> None:
    made = trial()
    inversion = Inversion(
        made.inversion.model,
        1e3,
        fixed={"damping": 0.3, "velocity": 0.0},
        bounds={"field": (0, 800)},
        restarts=0,
    )
    result = inversion(made.data[:200])
    assert result.parameters[:, COLUMN["damping"]] == pytest.approx(0.3)
    assert (result.errors[:, COLUMN["velocity"]] == 0).all()
    assert result.parameters[:, COLUMN["field"]].max() <= 800
    assert inversion.freedom == made.inversion.freedom + 2


def test_wavelengths_of_no_weight_are_not_looked_at() -> None:
    made = trial()
    weights = np.full((3, 61), 1e3)
    weights[:, :10] = 0.0
    spoilt = made.data[:100].copy()
    spoilt[:, :, :10] = 7.0
    result = Inversion(made.inversion.model, weights)(spoilt)
    assert np.mean(result.chi2 < 1.4) > 0.95


def test_a_filling_factor_is_found_behind_a_spectral_psf() -> None:
    stray = 1.0 - 0.4 * np.exp(-(((GRID - 6302.4936) / 0.08) ** 2))
    atmosphere = Atmosphere(
        [line("Fe I 6302.5")], GRID, psf=gaussian(0.03, 0.01), oversampling=2, stray=stray
    )
    truth = drawn(400, 10, least=1000.0)
    result = Inversion(atmosphere, 1e3)(noisy(atmosphere.synthesise(truth)))
    good = result.chi2 < 1.3
    assert good.mean() > 0.98
    off = np.abs(result.parameters[:, COLUMN["filling"]] - truth[:, 9]) / np.maximum(
        result.errors[:, COLUMN["filling"]], 1e-3
    )
    assert np.median(off[good]) < 1.0

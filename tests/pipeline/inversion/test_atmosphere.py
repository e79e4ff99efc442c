"""Synthetic profiles and their derivatives against dense numpy and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.lines import line
from tests.pipeline.inversion.models import F64, dense_profiles, drawn

PAIR = [line("Fe I 6301.5"), line("Fe I 6302.5")]
GRID: F64 = 6300.9 + 0.0215 * np.arange(108, dtype=np.float64)
PSF = np.exp(-0.5 * (np.arange(-6, 7) / 2.2) ** 2)


def double(**options: object) -> Atmosphere:
    return Atmosphere(PAIR, GRID, dtype=np.float64, **options)  # type: ignore[arg-type]


def test_profiles_are_those_of_the_transfer_equation() -> None:
    p = drawn(30)
    made = double().synthesise(p)
    expected = np.stack([dense_profiles(PAIR, GRID, one) for one in p])
    assert np.abs(made - expected).max() < 1e-10


def test_single_precision_is_far_below_the_noise() -> None:
    p = drawn(30)
    assert np.abs(Atmosphere(PAIR, GRID).synthesise(p) - double().synthesise(p)).max() < 1e-6


def test_derivatives_are_those_of_finite_differences() -> None:
    stray = 1.0 - 0.4 * np.exp(-((GRID - 6302) ** 2))
    atmosphere = double(psf=PSF / PSF.sum(), oversampling=2, stray=stray)
    p = drawn(10, atmosphere.unknowns)
    profiles, slopes = atmosphere.slopes(p)
    np.testing.assert_allclose(profiles, atmosphere.synthesise(p), atol=1e-13)
    for k in range(atmosphere.unknowns):
        by = np.zeros(atmosphere.unknowns)
        by[k] = 1e-2 if k == 0 else 1e-5
        measured = (atmosphere.synthesise(p + by) - atmosphere.synthesise(p - by)) / (2 * by[k])
        assert np.abs(slopes[:, k] - measured).max() < 1e-8 * max(1.0, np.abs(measured).max())


def test_the_psf_is_a_convolution_in_the_order_of_the_wavelengths() -> None:
    lopsided = np.array([0.1, 0.2, 0.3, 0.4, 0.0])
    fine: F64 = GRID[0] + 0.5 * 0.0215 * np.arange(-2, 2 * GRID.size + 1, dtype=np.float64)
    p = drawn(3, 10)
    p[:, 9] = 1.0
    sharp = np.stack([dense_profiles(PAIR, fine, one) for one in p])
    expected = np.apply_along_axis(lambda row: np.convolve(row, lopsided, mode="valid"), 2, sharp)[:, :, ::2]
    made = double(psf=lopsided, oversampling=2, stray=np.zeros(GRID.size)).synthesise(p)
    np.testing.assert_allclose(made, expected[:, :, : GRID.size], atol=1e-11)


def test_wavelengths_may_descend() -> None:
    p = drawn(3)
    down = Atmosphere(PAIR, GRID[::-1].copy(), dtype=np.float64).synthesise(p)
    np.testing.assert_allclose(down[:, :, ::-1], double().synthesise(p), atol=1e-14)


def test_a_filling_factor_mixes_with_light_of_no_field() -> None:
    stray = 1.0 - 0.4 * np.exp(-((GRID - 6302) ** 2))
    p = drawn(5, 10)
    share = p[:, 9, None]
    single = np.array([0.0, 1.0, 0.0])
    mixed = double(stray=stray, psf=single, oversampling=2).synthesise(p)
    plain = double().synthesise(p[:, :9])
    np.testing.assert_allclose(mixed[:, 0], share * plain[:, 0] + (1 - share) * stray, atol=1e-11)
    np.testing.assert_allclose(mixed[:, 3], share * plain[:, 3], atol=1e-11)


def test_what_points_to_the_observer_is_positive_in_the_blue_wing_of_v() -> None:
    p = drawn(1)
    p[0, 0], p[0, 1], p[0, 2] = 500.0, 0.3, 0.0
    made = double().synthesise(p)[0, 3]
    assert made[np.searchsorted(GRID, 6302.4936 - 0.04)] > 0.01
    assert made[np.searchsorted(GRID, 6302.4936 + 0.04)] < -0.01


def test_a_receding_gas_is_red() -> None:
    p = drawn(1)
    p[0, 0], p[0, 2] = 0.0, 3.0
    made = double().synthesise(p)[0, 0]
    assert GRID[made.argmin()] == pytest.approx(6301.5012 * (1 + 3.0 / 299792.458), abs=0.022)


def test_a_psf_on_uneven_wavelengths_is_refused() -> None:
    with pytest.raises(ValueError, match="equal steps"):
        Atmosphere(PAIR, GRID + 1e-2 * (GRID - 6300) ** 2, psf=PSF)


def test_an_atmosphere_without_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="without lines"):
        Atmosphere([], GRID)

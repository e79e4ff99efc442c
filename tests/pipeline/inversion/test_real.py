"""Real spectra: no Milne–Eddington atmosphere, and yet near one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.inversion import real


def test_the_slit_of_hinode_is_fitted_as_well_as_one_atmosphere_can(real_data: Path) -> None:
    made = real.hinode_fitted(real_data)
    assert np.median(made.result.chi2) < 3.3
    assert real.by_stokes(made)[1:].max() < 2.0
    assert np.abs(np.median(made.result.parameters[:, 3])) < 1.0
    bright = made.spectra.profiles[:, 0].max(axis=1)
    dark = bright < np.quantile(bright, 0.05)
    assert np.median(made.result.parameters[dark, 0]) > 3 * np.median(made.result.parameters[:, 0])


def test_wavelengths_of_hinode_descend_in_the_file(real_data: Path) -> None:
    right = real.hinode(real_data)
    wrong = right._replace(profiles=right.profiles[:, :, ::-1].copy(), noise=real.NOISE)
    chi2 = np.median(real.inverted_pair(wrong).result.chi2)
    assert chi2 > 5 * np.median(real.hinode_fitted(real_data).result.chi2)


def test_the_spot_of_gregor_has_the_line_where_it_should_be(real_data: Path) -> None:
    made = real.gregor_fitted(real_data)
    assert made.result.chi2[0] < 6.0
    assert abs(made.result.parameters[0, 3]) < 1.0

"""What is left unexplained: nothing under the true PSF and noise; each wrong one has its own number."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, blurred, observed
from pipeline.kernels.deconvolve import padded_shape, transfer_function
from pipeline.kernels.misfit import UNKNOWN, Misfit, misfit
from pipeline.kernels.restore import restore

F32: TypeAlias = NDArray[np.float32]
Telescope: TypeAlias = Literal["WST", "SDI"]


def kernel(fwhm: float = 5.0, wing: float = 0.08) -> F32:
    y, x = np.mgrid[:129, :129] - 64
    r = np.hypot(x, y)
    core, wide = np.exp(-4 * np.log(2) * (r / fwhm) ** 2), (1 + (r / 6) ** 2) ** -1.4
    return np.asarray((1 - wing) * core / core.sum() + wing * wide / wide.sum(), np.float32)


@lru_cache(maxsize=4)
def sun(telescope: Telescope, size: int = 256, *, pupil: bool = False) -> tuple[F32, F32, F32]:
    """An image, the variance of its noise and its PSF: the Gaussian, or the simulator's own pupil."""
    gain: Literal["SINGLE", "LOW"] = "SINGLE" if telescope == "WST" else "LOW"
    config = SimulationConfig(telescope=telescope, size=size, gain=gain)
    made = observed(config, psf=None if pupil else kernel())
    variance = np.square(np.broadcast_to(made.noise, made.data.shape)).astype(np.float32)
    return np.asarray(made.data, np.float32), variance, made.psf


def left(image: F32, variance: F32, psf: F32) -> Misfit:
    return restore(image, variance, transfer_function(psf, padded_shape(image.shape, 64))).left


@pytest.mark.parametrize("pupil", [True, False], ids=["pupil", "Gaussian"])
@pytest.mark.parametrize("telescope", ["WST", "SDI"])
def test_with_its_own_psf_and_noise_a_sharp_limb_is_explained(telescope: Telescope, *, pupil: bool) -> None:
    found = left(*sun(telescope, pupil=pupil))
    assert found.noise == pytest.approx(1.0, abs=0.05)
    assert 0.4 < found.structure < 1.5


def test_a_disk_cut_by_its_margin_is_explained() -> None:
    image, variance, psf = sun("WST", pupil=True)
    part = slice(0, 256), slice(60, 200)
    found = left(np.ascontiguousarray(image[part]), np.ascontiguousarray(variance[part]), psf)
    assert found.noise == pytest.approx(1.0, abs=0.06)
    assert found.structure < 1.5


def test_a_real_image_taken_as_the_truth_is_explained(real_data: Path) -> None:
    path = real_data / "aia" / "AIA20110319_105400_0171.fits"
    scene = np.maximum(np.asarray(fits.getdata(path), np.float32)[300:556, 20:276], 0.0)
    electrons = np.maximum(blurred(scene * np.float32(1e3 / np.median(scene)), kernel()), 0.0)
    rng = np.random.default_rng(1)
    image = (rng.poisson(electrons) + rng.normal(0.0, 5.0, electrons.shape)).astype(np.float32)
    variance = electrons + np.float32(25.0)
    found = left(image, variance, kernel())
    assert found.noise == pytest.approx(1.0, abs=0.06)
    assert 0.5 < found.structure < 1.5
    assert left(image, variance * np.float32(0.25), kernel()).noise > 3.0


@pytest.mark.parametrize("telescope", ["WST", "SDI"])
@pytest.mark.parametrize("wrong", [(5.75, 0.08), (5.0, 0.16)], ids=["core 15 % too wide", "twice the wing"])
def test_a_psf_that_is_too_wide_leaves_the_limb_unexplained(
    telescope: Telescope, wrong: tuple[float, float]
) -> None:
    image, variance, _ = sun(telescope)
    found = left(image, variance, kernel(*wrong))
    assert found.structure > 2.4
    assert found.noise == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("wrong", [(4.35, 0.08), (5.0, 0.04)], ids=["core too narrow", "half the wing"])
def test_a_psf_that_is_too_narrow_explains_every_image(wrong: tuple[float, float]) -> None:
    """What it leaves blurred is a source as likely as the true one: no residual can tell."""
    image, variance, _ = sun("WST")
    assert left(image, variance, kernel(*wrong)).structure < 1.5


@pytest.mark.parametrize("telescope", ["WST", "SDI"])
@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
def test_noise_that_is_not_the_images_is_measured(telescope: Telescope, factor: float) -> None:
    image, variance, psf = sun(telescope, pupil=True)
    found = left(image, variance * np.float32(factor), psf)
    assert found.noise == pytest.approx(1.0 / factor, rel=0.1)


def test_gaps_are_no_misfit_and_too_few_pixels_tell_nothing() -> None:
    rng = np.random.default_rng(4)
    residual = rng.standard_normal((128, 128)).astype(np.float32)
    ones, seen = np.ones_like(residual), np.ones(residual.shape, bool)
    gap = slice(30, 44), slice(20, 70)
    seen[gap], broken = False, residual.copy()
    broken[gap] = 1e4
    found = misfit(broken, residual, ones, seen)
    assert 0.9 < found.noise < 1.1
    assert 0.8 < found.structure < 1.4
    assert np.isnan(misfit(residual, residual, ones, np.zeros_like(seen))).all()
    assert np.isnan(misfit(residual[:12, :12], residual[:12, :12], ones[:12, :12], seen[:12, :12])).all()


def test_of_several_tiles_the_worst_counts() -> None:
    assert Misfit(0.4, 1.2).worse(Misfit(1.5, 3.0)) == (0.4, 3.0)
    assert UNKNOWN.worse(Misfit(1.1, 1.3)) == Misfit(1.1, 1.3).worse(UNKNOWN) == (1.1, 1.3)

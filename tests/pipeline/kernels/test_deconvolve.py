"""Richardson–Lucy deconvolution: the same numbers as the plain method, sooner."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.backend import BackendName, backend, gpu_is_usable
from pipeline.kernels.columns import LENGTH, filter_columns
from pipeline.kernels.deconvolve import (
    Transfer,
    convolved,
    linear_filter,
    noise_figures,
    noise_filter,
    padded_shape,
    richardson_lucy,
    transfer_function,
)

BACKENDS = [
    "numpy",
    pytest.param(
        "cupy",
        marks=pytest.mark.skipif(
            not gpu_is_usable(), reason="needs CuPy (the extra `gpu`) and a CUDA device"
        ),
    ),
]
SIZE = 96


def gaussian_psf(size: int = SIZE, sigma: float = 1.6, lopsided: float = 0.0) -> NDArray[np.float64]:
    """A core with wings; `lopsided` adds a ghost on one side."""
    y, x = np.mgrid[:size, :size] - size // 2
    psf = np.exp(-(x**2 + y**2) / (2 * sigma**2)) + 0.02 * np.exp(-np.hypot(x, y) / 6.0)
    psf += lopsided * np.exp(-((x - 5) ** 2 + y**2) / 2)
    normalised: NDArray[np.float64] = psf / psf.sum()
    return normalised


def scene(size: int = SIZE) -> NDArray[np.float64]:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:size, :size]
    truth = 20.0 + 80.0 * (np.hypot(x - size / 2, y - size / 2) < size / 3)
    for _ in range(15):
        a, b = rng.uniform(size * 0.2, size * 0.8, 2)
        truth += rng.uniform(300, 3000) * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 1.5)
    return np.asarray(truth)


def blurred(truth: NDArray[np.float64], psf: NDArray[np.float64]) -> NDArray[np.float64]:
    spectrum = np.fft.rfft2(truth) * np.fft.rfft2(np.fft.ifftshift(psf))
    return np.asarray(np.fft.irfft2(spectrum, s=truth.shape))


def observation(psf: NDArray[np.float64]) -> NDArray[np.float32]:
    light = np.maximum(blurred(scene(), psf), 0.0)
    return np.random.default_rng(5).poisson(light).astype(np.float32)


def plain(image: NDArray[np.float32], psf: NDArray[np.float64], iterations: int) -> NDArray[np.float64]:
    """The loop of aiapy.psf.deconvolve, in float64."""
    transfer = np.fft.rfft2(np.fft.ifftshift(psf))
    estimate = image.astype(np.float64)
    for _ in range(iterations):
        ratio = image / np.fft.irfft2(np.fft.rfft2(estimate) * transfer)
        estimate = estimate * np.fft.irfft2(np.fft.rfft2(ratio) * transfer.conj())
    return estimate


def misfit(estimate: NDArray[np.floating], image: NDArray[np.float32], psf: NDArray[np.float64]) -> float:
    """Negative Poisson log-likelihood, but for a constant."""
    model = np.maximum(blurred(estimate.astype(np.float64), psf), 1e-6)
    return float((model - image * np.log(model)).sum())


@pytest.mark.parametrize("where", BACKENDS)
@pytest.mark.parametrize("lopsided", [0.0, 0.1], ids=["symmetric", "lopsided"])
def test_plain_iterations_agree_with_aiapys_loop_to_float32_rounding(
    where: BackendName, lopsided: float
) -> None:
    psf = gaussian_psf(lopsided=lopsided)
    image = observation(psf)
    transfer = transfer_function(psf, image.shape)
    assert np.iscomplexobj(transfer.values) == (lopsided > 0)
    found = richardson_lucy(image, transfer, iterations=25, accelerate=False, where=where)
    assert found.dtype == np.float32
    assert np.abs(found - plain(image, psf, 25)).max() < 3e-5 * np.ptp(image)


@pytest.mark.parametrize("where", BACKENDS)
@pytest.mark.parametrize("total_variation", [0.0, 0.01])
def test_no_light_is_made_or_lost(where: BackendName, total_variation: float) -> None:
    psf = gaussian_psf()
    image = observation(psf)
    found = richardson_lucy(
        image,
        transfer_function(psf, image.shape),
        iterations=12,
        total_variation=total_variation,
        where=where,
    )
    assert abs(found.sum(dtype=np.float64) / image.sum(dtype=np.float64) - 1) < 1e-5


@pytest.mark.parametrize("where", BACKENDS)
@pytest.mark.parametrize("lopsided", [0.0, 0.1], ids=["symmetric", "lopsided"])
def test_the_residual_brings_back_what_the_estimate_does_not_explain(
    where: BackendName, lopsided: float
) -> None:
    psf = gaussian_psf(lopsided=lopsided)
    image = observation(psf) - np.float32(30.0)
    image[:20] = np.random.default_rng(6).normal(0, 5, (20, SIZE))
    transfer = transfer_function(psf, image.shape)
    estimate = richardson_lucy(image, transfer, iterations=6, where=where)
    found = richardson_lucy(image, transfer, iterations=6, add_residual=True, where=where)
    wanted = estimate + image - blurred(estimate.astype(np.float64), psf)
    assert np.abs(found - wanted).max() < 1e-5 * np.ptp(image)
    assert found.sum(dtype=np.float64) == pytest.approx(image.sum(dtype=np.float64), rel=1e-5)
    assert found.min() < 0


def test_gaps_have_no_residual_and_stay_missing() -> None:
    psf = gaussian_psf()
    image = observation(psf)
    image[40:43, 50:52] = np.nan
    found = richardson_lucy(image, transfer_function(psf, image.shape), iterations=4, add_residual=True)
    assert (np.isnan(found) == np.isnan(image)).all()


@pytest.mark.parametrize("residual", [False, True])
def test_the_noise_figures_are_those_of_the_linear_filter(residual: bool) -> None:
    psf = gaussian_psf(sigma=0.8)
    transfer = transfer_function(psf, (SIZE, SIZE))
    noise = np.random.default_rng(8).standard_normal((SIZE, SIZE))
    spectrum = linear_filter(transfer, 9)
    if residual:
        spectrum = spectrum + 1 - transfer.values * spectrum
    after = np.fft.irfft2(np.fft.rfft2(noise) * spectrum, s=noise.shape)
    figures = noise_figures(transfer, 9, add_residual=residual)
    assert figures.gain == pytest.approx(after.var() / noise.var(), rel=0.1)
    assert figures.change == pytest.approx((after - noise).var() / noise.var(), rel=0.1)
    even = convolved(np.ones((SIZE, SIZE), np.float32), noise_filter(transfer, 9, add_residual=residual))
    assert even == pytest.approx(figures.gain, rel=0.1)


def test_thirteen_accelerated_iterations_fit_better_than_twenty_five_plain_ones() -> None:
    psf = gaussian_psf()
    image = observation(psf)
    transfer = transfer_function(psf, image.shape)
    soon = richardson_lucy(image, transfer, iterations=13)
    late = richardson_lucy(image, transfer, iterations=25, accelerate=False)
    assert misfit(soon, image, psf) < misfit(late, image, psf)


@pytest.mark.parametrize("lopsided", [0.0, 0.1], ids=["symmetric", "lopsided"])
def test_the_linear_filter_is_landwebers_iterations_in_one_step(lopsided: float) -> None:
    psf = gaussian_psf(lopsided=lopsided)
    image = observation(psf)
    transfer = transfer_function(psf, image.shape)
    exact = np.fft.rfft2(np.fft.ifftshift(psf))
    spectrum, estimate = np.fft.rfft2(image), np.zeros(transfer.values.shape, complex)
    for _ in range(7):
        estimate += exact.conj() * (spectrum - exact * estimate)
    found = spectrum * linear_filter(transfer, 7)
    assert np.abs(found - estimate).max() < 1e-5 * np.abs(estimate).max()


def test_five_iterations_from_a_linear_start_fit_better_than_twenty_five_plain_ones() -> None:
    """For a PSF like AIA's: most light in the core, some of it scattered far."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    core, wings = np.exp(-(x**2 + y**2) / (2 * 0.5**2)), np.exp(-np.hypot(x, y) / 5)
    psf = 0.8 * core / core.sum() + 0.2 * wings / wings.sum()
    image = observation(psf)
    transfer = transfer_function(psf, image.shape)
    soon = richardson_lucy(image, transfer, iterations=5, linear_start=25)
    late = richardson_lucy(image, transfer, iterations=25, accelerate=False)
    assert misfit(soon, image, psf) < misfit(late, image, psf)
    assert (soon >= 0).all()
    assert abs(soon.sum(dtype=np.float64) / image.sum(dtype=np.float64) - 1) < 1e-5


@pytest.mark.parametrize("where", BACKENDS)
def test_missing_pixels_stay_missing_and_disturb_nobody(where: BackendName) -> None:
    psf = gaussian_psf()
    image = observation(psf)
    transfer = transfer_function(psf, image.shape)
    whole = richardson_lucy(image, transfer, iterations=10, where=where)
    holed = image.copy()
    holed[40:43, 50:52] = np.nan
    found = richardson_lucy(holed, transfer, iterations=10, where=where)
    assert (np.isnan(found) == np.isnan(holed)).all()
    far = np.ones(image.shape, bool)
    far[28:55, 38:64] = False
    assert np.abs(found - whole)[far].max() < 0.01 * np.ptp(whole)


def test_an_image_of_nothing_but_gaps_or_of_zeros_comes_back_as_it_is() -> None:
    transfer = transfer_function(gaussian_psf(), (SIZE, SIZE))
    nothing = np.full((SIZE, SIZE), np.nan, np.float32)
    assert np.isnan(richardson_lucy(nothing, transfer, iterations=3)).all()
    dark = np.zeros((SIZE, SIZE), np.float32)
    assert (richardson_lucy(dark, transfer, iterations=3) == 0).all()


def test_negative_values_count_as_zero_and_the_result_has_none() -> None:
    psf = gaussian_psf()
    image = observation(psf)
    image[10, 10] = -50.0
    zeroed = np.maximum(image, 0)
    transfer = transfer_function(psf, image.shape)
    found = richardson_lucy(image, transfer, iterations=5)
    assert found.min() >= 0
    np.testing.assert_array_equal(found, richardson_lucy(zeroed, transfer, iterations=5))


def test_a_mirrored_edge_keeps_light_from_coming_in_at_the_other_side() -> None:
    psf = gaussian_psf(lopsided=0.3)
    image = np.full((64, 80), 10.0, np.float32)
    image[:, :2] = 5000.0
    around = richardson_lucy(image, transfer_function(psf, image.shape), iterations=15)
    shape = padded_shape(image.shape, 24)
    mirrored = richardson_lucy(image, transfer_function(psf, shape), iterations=15)
    assert mirrored.shape == image.shape
    assert np.abs(mirrored[:, -5:] - 10.0).max() < 1.0
    assert np.abs(around[:, -5:] - 10.0).max() > 5.0


def test_total_variation_calms_noise_without_blurring_the_fit_away() -> None:
    psf = gaussian_psf()
    image = observation(psf)
    transfer = transfer_function(psf, image.shape)
    rough = richardson_lucy(image, transfer, iterations=30)
    calm = richardson_lucy(image, transfer, iterations=30, total_variation=0.02)
    corner = (slice(2, 14), slice(2, 14))
    assert calm[corner].std() < 0.9 * rough[corner].std()
    assert np.abs(calm - scene()).mean() < np.abs(rough - scene()).mean()


@pytest.mark.parametrize("shape", [(96, 96), (64, 64), (120, 150), (97, 65)])
def test_a_transfer_function_neither_moves_nor_dims_an_image(shape: tuple[int, int]) -> None:
    transfer = transfer_function(gaussian_psf(), shape)
    point = np.zeros(shape, np.float32)
    point[shape[0] // 3, shape[1] // 2] = 1.0
    out = np.empty_like(point)
    numpy = backend("numpy")
    numpy.convolve(point, transfer.values, numpy.scratch(shape), adjoint=False, out=out)
    assert out.argmax() == shape[0] // 3 * shape[1] + shape[1] // 2
    assert out.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("columns", [3, 16, 37])
def test_columns_of_the_detectors_length_go_a_faster_way_to_the_same_place(columns: int) -> None:
    rng = np.random.default_rng(columns)
    shape = (LENGTH, columns)
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    values = rng.random(shape).astype(np.float32)
    wanted = np.fft.ifft(np.fft.fft(spectrum, axis=0) * values, axis=0)
    filter_columns(spectrum, values)
    np.testing.assert_allclose(spectrum, wanted, atol=3e-6)


def test_a_transfer_function_for_another_shape_is_refused() -> None:
    small = Transfer((8, 8), np.ones((8, 5), np.float32))
    with pytest.raises(ValueError, match="smaller than the image"):
        richardson_lucy(np.ones((16, 16), np.float32), small, iterations=1)


@pytest.mark.skipif(gpu_is_usable(), reason="a GPU is here")
def test_without_a_gpu_auto_means_numpy_and_cupy_is_refused_with_a_reason() -> None:
    assert backend("auto").name == "numpy"
    with pytest.raises(RuntimeError, match="needs CuPy"):
        backend("cupy")

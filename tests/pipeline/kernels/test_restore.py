"""Deconvolution that tells structure from noise: sharper and quieter at once, no light made or lost."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter

from pipeline.kernels.deconvolve import Transfer, padded_shape, transfer_function
from pipeline.kernels.noise_level import noise_level
from pipeline.kernels.restore import Restored, RestoreSettings, restore
from pipeline.kernels.starlet import responses, smoothed
from pipeline.kernels.tiles import tiles

SIZE = 192
F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]


def kernel(fwhm: float = 4.0, wing: float = 0.08) -> F64:
    y, x = np.mgrid[:129, :129] - 64
    r = np.hypot(x, y)
    core, wide = np.exp(-4 * np.log(2) * (r / fwhm) ** 2), (1 + (r / 6) ** 2) ** -1.4
    return np.asarray((1 - wing) * core / core.sum() + wing * wide / wide.sum())


def disk() -> F64:
    """Counts of a disk with bright points, and faint emission around it."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIZE, :SIZE]
    r = np.hypot(x - SIZE / 2, y - SIZE / 2)
    points = np.zeros((SIZE, SIZE))
    points[rng.integers(50, 142, 60), rng.integers(50, 142, 60)] = rng.uniform(2e3, 2e4, 60)
    return np.asarray(np.where(r < 60, 500.0, 5.0) + gaussian_filter(points, 1.0))


class Seen(NamedTuple):
    image: F32
    light: F64
    transfer: Transfer

    @property
    def variance(self) -> F32:
        return np.asarray(self.light + 4.0, np.float32)


@lru_cache(maxsize=8)
def seen(seed: int = 0) -> Seen:
    transfer = transfer_function(kernel(), (SIZE, SIZE))
    light = np.fft.irfft2(np.fft.rfft2(disk()) * transfer.values, s=(SIZE, SIZE))
    rng = np.random.default_rng(seed)
    image = rng.poisson(light) + rng.normal(0.0, 2.0, light.shape)
    return Seen(image.astype(np.float32), light, transfer)


def found(seed: int = 0, *, with_variance: bool = False, **settings: float) -> Restored:
    one = seen(seed)
    chosen = RestoreSettings(**settings)  # type: ignore[arg-type]
    return restore(one.image, one.variance, one.transfer, chosen, with_variance=with_variance)


def rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_the_smoothing_is_a_b3_spline_with_holes_mirrored_at_the_edges() -> None:
    image = np.random.default_rng(1).standard_normal((40, 51)).astype(np.float32)
    taps = np.zeros(17)
    taps[::4] = np.array([1, 4, 6, 4, 1]) / 16
    wanted = convolve1d(convolve1d(image.astype(np.float64), taps, axis=0), taps, axis=1)
    assert np.abs(smoothed(image, 2) - wanted).max() < 1e-6


def test_responses_are_the_noise_of_the_planes() -> None:
    point = np.zeros((128, 128))
    point[64, 64] = 1.0
    *planes, last = responses(point, 3)
    current = np.random.default_rng(2).standard_normal((600, 600)).astype(np.float32)
    for scale, plane in enumerate(planes):
        smooth = smoothed(current, scale)
        assert plane.deviation == pytest.approx((current - smooth).std(), rel=0.03)
        current = smooth
    assert last.deviation == pytest.approx(current.std(), rel=0.1)
    assert planes[0].samples > planes[1].samples > planes[2].samples >= 1


def test_the_result_is_sharper_and_where_nothing_is_to_be_seen_it_has_less_noise() -> None:
    first, second = found(0).data, found(1).data
    truth, image = disk(), seen(0).image
    assert rms(first - truth) < 0.75 * rms(image - truth)
    y, x = np.mgrid[:SIZE, :SIZE]
    quiet = np.hypot(x - SIZE / 2, y - SIZE / 2) > 75
    assert rms((first - second)[quiet]) < 0.7 * rms((image - seen(1).image)[quiet])


def test_light_is_neither_made_nor_lost_and_faint_emission_keeps_its_mean() -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    off = np.hypot(x - SIZE / 2, y - SIZE / 2) > 72
    means = []
    for seed in range(4):
        data = found(seed).data
        assert data.sum(dtype=np.float64) == pytest.approx(seen(seed).image.sum(dtype=np.float64), rel=2e-4)
        means.append(data[off].mean(dtype=np.float64))
    assert np.mean(means) == pytest.approx(5.0, rel=0.02)


def test_at_the_limb_it_does_not_ring_beyond_two_percent_of_the_disk() -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    r = np.hypot(x - SIZE / 2, y - SIZE / 2)
    smooth = np.where(r < 60, 500.0, 5.0)
    one = seen()
    light = np.fft.irfft2(np.fft.rfft2(smooth) * one.transfer.values, s=smooth.shape)
    noise = np.random.default_rng(5).normal(0.0, np.sqrt(light + 4.0))
    data = restore((light + noise).astype(np.float32), (light + 4).astype(np.float32), one.transfer).data
    bins = r.astype(int)
    profile = np.bincount(bins.ravel(), data.ravel()) / np.bincount(bins.ravel())
    assert profile[5:55].max() < 1.02 * 500.0
    assert profile[66:90].min() > 5.0 - 0.02 * 500.0


def test_the_misfit_falls_to_the_noise() -> None:
    misfit = found().misfit
    assert misfit[0] > 100 > 10 > misfit[2]
    assert 0.8 < misfit[-1] < 1.3


def test_without_a_significance_it_is_the_linear_filter() -> None:
    one = seen()
    values = one.transfer.values.astype(np.float64)
    left = np.fft.rfft2(one.image.astype(np.float64))
    wanted = np.zeros_like(left)
    for tau in (0.1, 0.01):
        step = (1 + tau) * values / (values**2 + tau) * left
        wanted, left = wanted + step, left - values * step
    data = found(significance=-1.0, rounds=2).data
    assert np.abs(data - np.fft.irfft2(wanted, s=data.shape)).max() < 1e-3 * np.ptp(data)


def test_the_variance_is_that_of_repeated_exposures() -> None:
    made = [found(seed, with_variance=True) for seed in range(8)]
    measured = np.var([one.data for one in made], axis=0, ddof=1, dtype=np.float64)
    told = np.mean([one.variance for one in made if one.variance is not None], axis=0)
    y, x = np.mgrid[:SIZE, :SIZE]
    on_disk = np.hypot(x - SIZE / 2, y - SIZE / 2) < 50
    assert 0.7 < np.sqrt(told[on_disk].mean() / measured[on_disk].mean()) < 1.3


def test_gaps_are_filled_with_what_their_surroundings_suggest() -> None:
    one = seen()
    image = one.image.copy()
    image[90:93, 90:93] = np.nan
    data = restore(image, one.variance, one.transfer).data
    assert np.isfinite(data).all()
    assert abs(data[90:93, 90:93].mean() / found().data[90:93, 90:93].mean() - 1) < 0.3
    nothing = restore(np.full_like(image, np.nan), one.variance, one.transfer).data
    assert np.isnan(nothing).all()


def test_a_field_that_ends_in_a_dark_sky_is_not_lit_from_outside() -> None:
    one = seen()
    y, x = np.mgrid[:SIZE, :SIZE]
    r = np.hypot(x - SIZE / 2, y - SIZE / 2)
    image = np.where(r > 78, np.float32(np.nan), one.image)
    data = restore(image, one.variance, one.transfer).data
    rim = (r > 70) & (r < 76)
    assert data[rim].mean() == pytest.approx(found().data[rim].mean(), rel=0.15)


def test_a_saturated_pixel_is_a_lower_bound() -> None:
    one = seen()
    full = np.float32(900.0)
    over = np.asarray(one.image > full)
    clipped = np.minimum(one.image, full)
    blind = restore(clipped, one.variance, one.transfer).data
    told = restore(clipped, one.variance, one.transfer, at_least=over).data
    around = gaussian_filter(over.astype(float), 3) > 0.01
    truth = disk()
    assert rms((told - truth)[around & ~over]) < rms((blind - truth)[around & ~over])


def test_an_image_and_a_mirrored_margin_give_what_the_image_alone_gives_far_from_its_edges() -> None:
    one = seen()
    wider = transfer_function(kernel(), padded_shape(one.image.shape, 40))
    apart = restore(one.image, one.variance, wider).data - found().data
    assert rms(apart[40:-40, 40:-40]) < 0.05 * rms(found().data[40:-40, 40:-40] - one.image[40:-40, 40:-40])
    with pytest.raises(ValueError, match="smaller than the image"):
        restore(one.image, one.variance, transfer_function(kernel(), (64, 64)))


def test_weights_of_tiles_add_up_to_one_everywhere() -> None:
    centres = [(x, y) for y in (20.0, 60.0, 130.0) for x in (30.0, 90.0)]
    total = np.zeros((150, 120))
    for tile in tiles((150, 120), centres, margin=8):
        total[tile.inner] += tile.weight
        rows, columns = tile.within
        assert total[tile.outer][rows, columns].shape == tile.weight.shape
    np.testing.assert_allclose(total, 1.0, atol=1e-6)
    with pytest.raises(ValueError, match="no grid"):
        list(tiles((10, 10), [(1.0, 1.0), (5.0, 5.0)], 1))


def test_the_noise_of_an_image_is_found_in_it() -> None:
    light = gaussian_filter(disk(), 2.0)
    rng = np.random.default_rng(7)
    image = 3.0 * rng.poisson(light / 3.0) + rng.normal(0.0, 5.0, light.shape)
    level = noise_level(image.astype(np.float32))
    assert level is not None
    assert np.sqrt(level.constant) == pytest.approx(5.0, rel=0.2)
    assert level.slope == pytest.approx(3.0, rel=0.2)
    assert noise_level(np.full((8, 8), np.nan, np.float32)) is None
    assert noise_level(np.full((64, 64), np.nan, np.float32)) is None
    assert noise_level(np.ones((64, 64), np.float32)) is None

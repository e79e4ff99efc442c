"""Ours, and what it is compared with; each takes an exposure and the PSF it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.deconvolution.scenes import SIZE, Exposure, Optics
from pipeline.kernels.deconvolve import convolved, richardson_lucy
from pipeline.kernels.restore import RestoreSettings, restore

F64: TypeAlias = NDArray[np.float64]
Method: TypeAlias = Callable[[Exposure, Optics], F64]
#: Numbers of iterations that are tried until what is left is as large as the noise.
_ITERATIONS: Final = (2, 5, 10, 20, 40)


def ours(significance: float = 5.0, rounds: int = 5) -> Method:
    """`pipeline.kernels.restore`."""
    settings = RestoreSettings(significance=significance, rounds=rounds)

    def method(seen: Exposure, told: Optics) -> F64:
        return restore(seen.image, seen.variance, told.transfer, settings).data.astype(np.float64)

    return method


def wiener(caution: float = 1.0) -> Method:
    """The best linear filter there can be: with the truth's own spectrum, and `caution` times the noise."""

    def method(seen: Exposure, told: Optics) -> F64:
        power = _radial(np.abs(scipy.fft.rfft2(seen.scene.truth - seen.scene.truth.mean())) ** 2)
        noise = caution * float(seen.variance.mean()) * SIZE * SIZE
        values = told.transfer.values
        return _filtered(seen.image, np.conj(values) * power / (np.abs(values) ** 2 * power + noise))

    return method


def lucy(total_variation: float = 0.0, iterations: tuple[int, ...] = _ITERATIONS) -> Method:
    """Richardson–Lucy, accelerated, until what is left is as large as the noise."""

    def method(seen: Exposure, told: Optics) -> F64:
        found = seen.image
        # The variance of the read-out, which is no light, is added as if it were (Snyder et al. 1993).
        offset = np.float32(seen.read_offset)
        for count in iterations:
            found = richardson_lucy(
                seen.image + offset, told.transfer, iterations=count, total_variation=total_variation
            )
            left = seen.image + offset - convolved(found, told.transfer)
            if float(np.mean(left**2 / seen.variance)) <= 1.0:
                break
        return found.astype(np.float64) - offset

    return method


def lucy_and_residual(seen: Exposure, told: Optics) -> F64:
    """Richardson–Lucy, and what it leaves through a Wiener filter."""
    found = lucy()(seen, told)
    left = seen.image - convolved(found.astype(np.float32), told.transfer)
    power = _radial(np.abs(scipy.fft.rfft2(found - found.mean())) ** 2)
    values = told.transfer.values
    noise = float(seen.variance.mean()) * SIZE * SIZE
    return found + _filtered(left, np.conj(values) * power / (np.abs(values) ** 2 * power + noise))


def blind_lucy(seen: Exposure, told: Optics) -> F64:
    """Image and PSF by turns, from a narrow Gaussian (Fish et al. 1995); the PSF told is not used."""
    image = np.maximum(seen.image.astype(np.float64), 1e-6)
    y, x = np.indices((SIZE, SIZE)) - SIZE // 2
    kernel = np.exp(-(x**2 + y**2) / (2 * 1.2**2))
    kernel /= kernel.sum()
    found = image.copy()
    for _ in range(5):
        for _ in range(4):
            kernel = np.maximum(_lucy_step(kernel, found / found.sum(), image / image.sum()), 0.0)
            kernel /= kernel.sum()
        centred = scipy.fft.ifftshift(kernel)
        for _ in range(4):
            found = np.maximum(_lucy_step(found, centred, image, shifted=False), 0.0)
    return found


def skimage_lucy(seen: Exposure, told: Optics) -> F64:
    """scikit-image, 30 iterations as in its examples."""
    from skimage.restoration import richardson_lucy as plain

    image = np.maximum(seen.image.astype(np.float64), 0.0)
    top = image.max()
    found: F64 = plain(image / top, told.kernel, num_iter=30, clip=False, filter_epsilon=1e-9) * top
    return found


def skimage_unsupervised(seen: Exposure, told: Optics) -> F64:
    """scikit-image: Wiener–Hunt, its parameters sampled."""
    from skimage.restoration import unsupervised_wiener

    top = float(seen.image.max())
    found, _ = unsupervised_wiener(seen.image.astype(np.float64) / top, told.kernel, clip=False, rng=0)
    return np.asarray(found * top)


def regularised(seen: Exposure, told: Optics) -> F64:
    """`regularizepsf`, to a Gaussian of a third of the width, over patches of half the image's side."""
    from regularizepsf import ArrayPSF, ArrayPSFTransform
    from regularizepsf.util import IndexedCube

    side = SIZE // 2
    # Its window is applied twice: sin⁴ adds up to a constant in quarter steps, to 1.5 along each axis.
    starts = range(-3 * side // 4, SIZE, side // 4)
    corners = [(i, j) for i in starts for j in starts]
    y, x = np.indices((side, side)) - side // 2
    target = np.exp(-(x**2 + y**2) / (2 * 0.85**2))
    cut = (told.kernel.shape[0] - 1) // 2
    source = np.zeros((side, side))
    source[side // 2 - cut : side // 2 + cut + 1, side // 2 - cut : side // 2 + cut + 1] = told.kernel
    made = [
        ArrayPSF(IndexedCube(corners, np.stack([scipy.fft.ifftshift(one / one.sum())] * len(corners))))
        for one in (source, target)
    ]
    transform = ArrayPSFTransform.construct(made[0], made[1], alpha=2.0, epsilon=0.1)
    return np.asarray(
        transform.apply(seen.image.astype(np.float64), workers=1, normalization_coefficient=1 / 2.25)
    )


#: Told the true PSF; the first is ours.
METHODS: Final[dict[str, Method]] = {
    "significant structure (ours)": ours(),
    "Wiener, true spectrum": wiener(),
    "Richardson–Lucy": lucy(),
    "Richardson–Lucy + Wiener residual": lucy_and_residual,
    "Richardson–Lucy + TV": lucy(0.01),
}
#: Families of one prior, from the boldest to the most cautious.
PRIORS: Final[dict[str, tuple[Method, ...]]] = {
    "significant structure": (
        *(ours(one, rounds) for rounds in (5, 3) for one in (5.0, 8.0, 12.0, 20.0, 40.0, 80.0)),
        *(ours(one, rounds) for rounds in (2, 1) for one in (5.0, 20.0)),
    ),
    "total variation": tuple(lucy(one, (20,)) for one in (0.01, 0.03)),
    "few iterations": tuple(lucy(0.0, (one,)) for one in (5, 3, 2, 1)),
    "linear (Wiener)": tuple(wiener(10.0**one) for one in np.arange(0.0, 3.1, 1 / 3)),
}
#: Slower, and compared at one signal-to-noise ratio.
OTHERS: Final[dict[str, Method]] = {
    "blind Richardson–Lucy": blind_lucy,
    "scikit-image richardson_lucy": skimage_lucy,
    "scikit-image unsupervised_wiener": skimage_unsupervised,
    "regularizepsf": regularised,
}


def _radial(power: F64) -> F64:
    """The mean over rings, at each frequency."""
    rings = np.minimum(
        np.rint(np.hypot(scipy.fft.fftfreq(SIZE)[:, None], scipy.fft.rfftfreq(SIZE)) * SIZE).astype(int), SIZE
    )
    count = np.maximum(np.bincount(rings.ravel(), minlength=SIZE + 1), 1)
    return np.asarray((np.bincount(rings.ravel(), power.ravel(), SIZE + 1) / count)[rings])


def _filtered(image: NDArray[np.floating], values: NDArray[np.complexfloating]) -> F64:
    mean = float(image.mean(dtype=np.float64))
    made: F64 = scipy.fft.irfft2(scipy.fft.rfft2(image - mean) * values, s=image.shape)
    return made + mean


def _lucy_step(estimate: F64, other: F64, image: F64, *, shifted: bool = True) -> F64:
    """One step for either factor of a convolution; `shifted`: the estimate's origin is its middle."""
    spectrum = scipy.fft.rfft2(other)
    start = scipy.fft.ifftshift(estimate) if shifted else estimate
    light = scipy.fft.irfft2(scipy.fft.rfft2(start) * spectrum, s=image.shape)
    ratio = image / np.maximum(light, 1e-12 * image.max())
    back = scipy.fft.irfft2(scipy.fft.rfft2(ratio) * np.conj(spectrum), s=image.shape)
    made = start * back / other.sum()
    return np.asarray(scipy.fft.fftshift(made) if shifted else made)

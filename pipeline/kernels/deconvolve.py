"""Richardson–Lucy deconvolution, accelerated, on real FFTs in float32.

Richardson 1972 (JOSA 62, 55), Lucy 1974 (AJ 79, 745); acceleration by Biggs &
Andrews 1997 (Applied Optics 36, 1766); total variation by Dey et al. 2006
(Microscopy Research and Technique 69, 260). Formulas in science.md §6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pipeline.kernels.backend import Backend, BackendName, backend
from pipeline.kernels.fill import fill_gaps

Edge = Literal["circular", "mirror"]

#: Below this fraction of the image's mean, a blurred value is rounding of the FFT and no light to divide by.
_FLOOR: Final = 1e-7
#: A linear start may be negative; it is lifted to this fraction of the image, from where iterations can rise.
_LEAST: Final = 0.001


@dataclass(frozen=True, eq=False)
class Transfer:
    """A point spread function ready for convolutions of one shape.

    Attributes
    ----------
    shape
        (ny, nx) of the arrays it convolves.
    values
        `rfft2` of the PSF, its centre at pixel (0, 0): float32 where the PSF
        is point-symmetric, so that its transform is real, else complex64.
    """

    shape: tuple[int, int]
    values: NDArray[Any]


def transfer_function(psf: NDArray[Any], shape: tuple[int, int]) -> Transfer:
    """The transfer function of a PSF for arrays of a shape.

    Parameters
    ----------
    psf
        Shape (ky, kx), its centre at pixel (ky // 2, kx // 2). It is cut, or
        padded with zeros, to `shape` about its centre and normalised to 1
        there: light scattered farther than half the array cannot be told
        from light that stayed.
    shape
        (ny, nx) of the arrays to convolve.
    """
    kernel = np.zeros(shape)
    take, put = [], []
    for size, wanted in zip(psf.shape, shape, strict=True):
        reach = min(size // 2, wanted // 2)
        stop = min(size - size // 2, wanted - wanted // 2)
        take.append(slice(size // 2 - reach, size // 2 + stop))
        put.append(np.arange(-reach, stop) % wanted)
    kernel[np.ix_(*put)] = psf[tuple(take)]
    spectrum = scipy.fft.rfft2(kernel / kernel.sum(), workers=1)
    # The transform of a point-symmetric PSF is real, up to rounding.
    symmetric = np.abs(spectrum.imag).max() < 1e-6
    values = spectrum.real.astype(np.float32) if symmetric else spectrum.astype(np.complex64)
    return Transfer(shape, values)


def padded_shape(shape: tuple[int, int], margin: int) -> tuple[int, int]:
    """The shape that an image and a mirrored margin need, rounded up to sizes that transform fast."""
    ny, nx = (scipy.fft.next_fast_len(size + 2 * margin, real=True) for size in shape)
    return int(ny), int(nx)


def richardson_lucy(
    image: NDArray[np.float32],
    transfer: Transfer,
    *,
    iterations: int,
    accelerate: bool = True,
    linear_start: int = 0,
    total_variation: float = 0.0,
    add_residual: bool = False,
    where: BackendName = "numpy",
) -> NDArray[np.float32]:
    """Deconvolve an image.

    Parameters
    ----------
    image
        float32, shape (ny, nx). NaN pixels count as not observed. Negative
        values have no meaning for the method and are taken as zero; the
        caller flags them.
    transfer
        Of the PSF. Where its shape is the image's, the image continues
        periodically; where it is larger, the image is padded with its mirror
        image up to that shape, which keeps the periodic continuation away.
    iterations
        Number of iterations.
    accelerate
        Extrapolate between iterations (Biggs & Andrews); ten accelerated
        iterations come closer than twenty plain ones.
    total_variation
        Weight λ of the total-variation penalty; 0 for none. Useful values
        are 0.001 to 0.02.
    add_residual
        Return ``x + (y − Hx)`` instead of x, with the negative values of y as
        they are: what the estimate does not explain stays where it was
        measured. The method knows light only and takes noise about zero for
        light wherever it is positive; the residual takes that back.
    where
        Backend.

    Returns
    -------
    NDArray[np.float32]
        Same shape; NaN where the image was. The sum over the transformed
        array is kept to 1e-5: that of the image's positive values, or with
        the residual that of all its values.
    """
    work = backend(where)
    ny, nx = image.shape
    rows, columns = transfer.shape
    if rows < ny or columns < nx:
        raise ValueError(
            f"the transfer function is for {transfer.shape}, smaller than the image {image.shape}"
        )
    before = ((rows - ny) // 2, (columns - nx) // 2)
    margins = [
        (first, size - n - first) for first, size, n in zip(before, transfer.shape, (ny, nx), strict=True)
    ]
    missing = np.isnan(image)
    if missing.all():
        return image.copy()
    gaps = bool(missing.any())
    # The method multiplies: a pixel that starts at zero stays there, so gaps start from their neighbourhood.
    start = np.maximum(fill_gaps(image, missing) if gaps else image, np.float32(0.0))
    seen = np.pad((~missing).astype(np.float32), margins, mode="symmetric") if gaps else None
    settings = _Settings(iterations, accelerate, linear_start, total_variation, add_residual)
    padded = np.pad(start, margins, mode="symmetric") if transfer.shape != image.shape else start
    estimate = work.get(_iterate(work, padded, seen, transfer, settings))
    result = np.ascontiguousarray(estimate[before[0] : before[0] + ny, before[1] : before[1] + nx])
    if add_residual:
        result += image  # NaN where that is
    elif gaps:
        result[missing] = np.nan
    return result


@dataclass(frozen=True)
class _Settings:
    iterations: int
    accelerate: bool
    linear_start: int
    total_variation: float
    add_residual: bool


def convolved(
    image: NDArray[np.float32], transfer: Transfer, *, where: BackendName = "numpy"
) -> NDArray[np.float32]:
    """An image seen through a transfer function; with zeros around it where that is for a larger array."""
    work = backend(where)
    ny, nx = image.shape
    padded = np.zeros(transfer.shape, np.float32)
    padded[:ny, :nx] = image
    out = work.empty(transfer.shape)
    work.convolve(
        work.put(padded), work.put(transfer.values), work.scratch(transfer.shape), adjoint=False, out=out
    )
    return np.ascontiguousarray(work.get(out)[:ny, :nx])


@lru_cache(maxsize=2)
def linear_filter(transfer: Transfer, iterations: int) -> NDArray[Any]:
    """What n iterations of Landweber's method do to a spectrum: ``(1 − (1 − |H|²)ⁿ) / H``.

    Landweber 1951 (Amer. J. Math. 73, 615): ``x ← x + Hᵀ(y − Hx)`` from zero,
    a geometric series. On an evenly lit image Richardson–Lucy takes the same
    steps, so that this saves its first iterations; where H vanishes the
    filter stays below n.

    Parameters
    ----------
    transfer
        Of a PSF that is nowhere negative and sums to 1, so that |H| ≤ 1.
    iterations
        n, at least 1.

    Returns
    -------
    numpy.ndarray
        In `rfft2` layout, of the type of the transfer's values.
    """
    values = transfer.values
    result: NDArray[Any] = _landweber(values, iterations).astype(values.dtype)
    return result


def _landweber(values: NDArray[Any], iterations: int) -> NDArray[Any]:
    squared = np.minimum(np.abs(values).astype(np.float64) ** 2, 1.0)
    with np.errstate(divide="ignore"):  # log(1 − 1) is −∞, and exp of it the 0 that is meant
        gain = -np.expm1(iterations * np.log1p(-squared))
    found: NDArray[Any] = np.conj(values) * np.divide(
        gain, squared, out=np.full_like(gain, iterations), where=squared > 0
    )
    return found


@dataclass(frozen=True)
class NoiseFigures:
    """What a deconvolution does to white noise.

    Attributes
    ----------
    gain
        Variance of the result's noise over that of the image's, Σ f².
    change
        Variance of what it changes the noise by, Σ (f − δ)².
    """

    gain: float
    change: float


#: Every so many rows of a transfer function are enough for the means below (0.1 % for AIA's).
_STRIDE: Final = 8


@lru_cache(maxsize=8)
def noise_figures(transfer: Transfer, iterations: int, *, add_residual: bool) -> NoiseFigures:
    """What a deconvolution does to noise, were it the linear filter it comes close to.

    Parameters
    ----------
    transfer
        Of a point-symmetric PSF.
    iterations
        Of Landweber's method, see `linear_filter`: as many as those of the start and of the method together.
    add_residual
        Whether the residual is added, which makes the filter L into ``L + 1 − HL``.
    """
    values = transfer.values[::_STRIDE]
    found = _landweber(values, iterations)
    if add_residual:
        found = found + 1.0 - values * found
    # A column of `rfft2` stands for two of the whole spectrum, but for the first and, where even, the last.
    weight = np.full(values.shape[1], 2.0)
    weight[0] = 1.0
    if transfer.shape[1] % 2 == 0:
        weight[-1] = 1.0
    total = weight.sum() * values.shape[0]
    return NoiseFigures(
        gain=float((np.abs(found) ** 2 * weight).sum() / total),
        change=float((np.abs(found - 1.0) ** 2 * weight).sum() / total),
    )


def carried_variance(
    variance: NDArray[np.float32], transfer: Transfer, iterations: int, *, add_residual: bool
) -> NDArray[np.float32]:
    """Variance of each pixel of a deconvolved image, from that of the image; see `noise_filter`.

    Parameters
    ----------
    variance
        float32, shape (ny, nx); NaN where it is not known.
    transfer, iterations, add_residual
        As for `noise_figures`.

    Returns
    -------
    NDArray[np.float32]
        Same shape; the mean variance around a gap stands for its own.
    """
    unknown = np.isnan(variance)
    if unknown.all():
        return variance.copy()
    filled = fill_gaps(variance, unknown) if unknown.any() else variance
    ny, nx = variance.shape
    rows, columns = transfer.shape
    padded = np.pad(filled, [(0, rows - ny), (0, columns - nx)], mode="symmetric")
    found = convolved(padded, noise_filter(transfer, iterations, add_residual=add_residual))[:ny, :nx]
    return np.maximum(found, np.float32(0.0))


@lru_cache(maxsize=2)
def noise_filter(transfer: Transfer, iterations: int, *, add_residual: bool) -> Transfer:
    """The transfer function that carries an image's variance to that of its deconvolution.

    The square of the impulse response of the linear filter which `noise_figures` describes: exact for that
    filter and for noise that is independent from pixel to pixel.
    """
    found = _landweber(transfer.values, iterations)
    if add_residual:
        found = found + 1.0 - transfer.values * found
    response = scipy.fft.irfft2(found, s=transfer.shape, workers=1)
    spectrum = scipy.fft.rfft2(np.square(response, dtype=np.float32), workers=1)
    symmetric = np.abs(spectrum.imag).max() < 1e-5 * np.abs(spectrum.real).max()
    return Transfer(
        transfer.shape, spectrum.real.astype(np.float32) if symmetric else spectrum.astype(np.complex64)
    )


def _iterate(
    work: Backend,
    observed: NDArray[np.float32],
    seen: NDArray[np.float32] | None,
    transfer: Transfer,
    settings: _Settings,
) -> Any:
    floor = _FLOOR * float(observed.mean(dtype=np.float64))
    data, values = work.put(observed), work.put(transfer.values)
    current, previous = work.put(observed), work.put(observed)
    change, predicted, correction = (work.empty(observed.shape) for _ in range(3))
    change[...] = 0.0
    scratch = work.scratch(observed.shape)
    if settings.linear_start:
        first = work.put(linear_filter(transfer, settings.linear_start))
        work.convolve(data, first, scratch, adjoint=False, out=current)
        work.lift(current, data, _LEAST, floor)
        previous[...] = current
    mask = None if seen is None else work.put(seen)
    weight = None if mask is None else _weight(work, mask, values)
    dot, square, last_square = 0.0, 0.0, 0.0
    for step in range(settings.iterations):
        alpha = 0.0
        if settings.accelerate and step > 1 and last_square > 0:
            # α = Σ g(k−1)·g(k−2) / Σ g(k−2)², clipped to [0, 1)
            alpha = min(max(dot / last_square, 0.0), 0.999)
        work.predict(current, previous, alpha, predicted)
        work.convolve(predicted, values, scratch, adjoint=False, out=correction)
        work.ratio(data, correction, mask, floor)
        work.convolve(correction, values, scratch, adjoint=True, out=correction)
        if weight is not None:
            correction *= weight
        if settings.total_variation > 0:
            correction /= 1.0 - settings.total_variation * work.curvature(predicted)
        previous, current = current, previous
        last_square = square
        dot, square = work.update(predicted, correction, change, current)
    if settings.total_variation > 0 and seen is None:
        # The penalty alone does not keep the sum.
        current *= float(data.sum(dtype=np.float64)) / float(current.sum(dtype=np.float64))
    if settings.add_residual:
        # The caller adds the image as it was measured: nothing of it was clipped there.
        work.convolve(current, values, scratch, adjoint=False, out=correction)
        current -= correction
    return current


def _weight(work: Backend, mask: Any, values: Any) -> Any:
    """1 / Hᵀ·mask: makes up for the light that pixels without a value would have contributed."""
    covered = work.empty(mask.shape)
    work.convolve(mask, values, work.scratch(mask.shape), adjoint=True, out=covered)
    # A pixel none of whose light is seen has nothing to be corrected with; 1 % keeps the division tame.
    covered[covered < 0.01] = 1.0
    return 1.0 / covered

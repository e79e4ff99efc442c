"""Deconvolution that adds structure only where it is more than noise.

Significant residuals, after Murtagh, Starck & Bijaoui 1995 (A&A Suppl. 112, 179), with a regularised
inverse instead of their first-order iterations: what an estimate leaves unexplained is filtered with ``G =
(1 + τ) H* / (|H|² + τ)``, decomposed into planes of one size of structure each
(`pipeline.kernels.starlet`), and of every plane only what exceeds the noise that G makes there is added to
the estimate. τ falls from round to round: a structure is taken at the strongest regularisation at which it
can be told from noise, so that little noise comes with it. The smoothest plane is always added, as it is: a
mean over more pixels than the largest structure is linear in the image, has no bias, and the flux is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from pipeline.kernels.backend import backend
from pipeline.kernels.deconvolve import Transfer
from pipeline.kernels.fill import continued
from pipeline.kernels.misfit import UNKNOWN, Misfit
from pipeline.kernels.misfit import misfit as misfit_of
from pipeline.kernels.starlet import Response, add_significant, responses, smoothed
from pipeline.read_only import read_only

F32: TypeAlias = NDArray[np.float32]
#: τ of the first round, and what it is multiplied with from one to the next.
_FIRST: Final = 0.1
_NEXT: Final = 0.1
#: Rounds whose χ² is not lower than this part of the one before have nothing left to add.
_STALLED: Final = 0.99
#: A round after which it is higher than so many times the one before is taken back: at the smallest τ what a
#: mirrored margin or a lifted value leaves can be made larger than it was.
_WORSE: Final = 1.2
#: A filter's response to a pixel is over within half as many.
_ENOUGH: Final = 512
#: More light than this part of it is not made by lifting; of an image without light there is no such part.
_LITTLE: Final = 0.01


@dataclass(frozen=True)
class RestoreSettings:
    """How an image is restored.

    Attributes
    ----------
    rounds
        At most so many; each divides τ by ten.
    scales
        Planes that are cleaned of noise: structures of up to ``2**scales`` pixels. What is larger has little
        noise, and keeps it: with more planes the light that a wing took to faint places comes back less.
    significance
        Of a structure that is added, in standard deviations by which the mean square of noise scatters; below
        0 everything is added, which makes a linear filter.
    lowest
        No value of a source of light is negative: one that lies further below zero than so many deviations of
        the image's noise is lifted to there. Noise about zero is left alone, so that means over faint
        emission stay right. Without a significance nothing is lifted.
    """

    rounds: int = 5
    scales: int = 3
    significance: float = 5.0
    lowest: float = 3.0


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored image.

    Attributes
    ----------
    data
        float32, shape (ny, nx); with values in gaps too, which the structures around them suggest.
    variance
        Of its noise, where asked for.
    misfit
        Mean square of what the estimate leaves unexplained over the noise's variance: before each round, and
        last that of the result. It has in it what stays below the noise everywhere; see `left`.
    left
        Whether noise and PSF are the image's.
    """

    data: F32
    variance: F32 | None
    misfit: tuple[float, ...] = (0.0,)
    left: Misfit = UNKNOWN


def restore(
    image: F32,
    variance: F32,
    transfer: Transfer,
    settings: RestoreSettings | None = None,
    *,
    at_least: NDArray[np.bool_] | None = None,
    with_variance: bool = False,
) -> Restored:
    """Deconvolve an image, as far as it is more than noise.

    Parameters
    ----------
    image
        float32, shape (ny, nx). NaN pixels count as not observed.
    variance
        Of the image's noise, same shape, positive where the image has a value.
    transfer
        Of the PSF; where its shape is larger than the image's, the image is padded with its mirror image.
    settings
        See `RestoreSettings`.
    at_least
        Pixels whose true value may be larger (saturated ones), same shape.
    with_variance
        Whether the variance of the result is computed too.
    """
    chosen = settings or RestoreSettings()
    missing = ~np.isfinite(image) | ~np.isfinite(variance)
    if missing.all():
        return Restored(image.copy(), variance.copy() if with_variance else None)
    frame = _Padded.of(image.shape, transfer.shape)
    filled = continued(image, missing) if missing.any() else image
    noise = continued(variance, missing) if missing.any() else variance
    unseen = missing.astype(np.uint8)
    if at_least is not None:
        unseen[at_least & ~missing] = _AT_LEAST
    problem = _Problem(frame.pad(filled), frame.pad(noise), frame.pad(unseen), transfer.values, frame)
    estimate, kept, residual, misfit = _rounds(problem, transfer, chosen, with_variance=with_variance)
    left = misfit_of(frame.cut(residual), filled, noise, unseen == 0)
    if not unseen.any():
        # Lifting makes a little light; the bright give it back.
        ratio = problem.observed.sum(dtype=np.float64) / estimate.sum(dtype=np.float64)
        estimate *= np.float32(ratio if abs(ratio - 1.0) < _LITTLE else 1.0)
    return Restored(
        frame.cut(estimate), None if kept is None else frame.cut(kept * problem.noise), misfit, left
    )


@dataclass(frozen=True)
class _Padded:
    """Where an image lies in the larger array that is transformed."""

    top: int
    left: int
    shape: tuple[int, int]
    margins: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, shape: tuple[int, ...], larger: tuple[int, int]) -> _Padded:
        (ny, nx), (rows, columns) = shape, larger
        if rows < ny or columns < nx:
            raise ValueError(f"the transfer function is for {larger}, smaller than the image {(ny, nx)}")
        top, left = (rows - ny) // 2, (columns - nx) // 2
        return cls(top, left, (ny, nx), ((top, rows - ny - top), (left, columns - nx - left)))

    def pad(self, plane: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(np.pad(plane, self.margins, mode="symmetric"))

    def cut(self, plane: F32) -> F32:
        ny, nx = self.shape
        return np.ascontiguousarray(plane[self.top : self.top + ny, self.left : self.left + nx])


@dataclass(frozen=True, eq=False)
class _Problem:
    observed: F32
    noise: F32
    unseen: NDArray[np.uint8]
    values: NDArray[Any]
    frame: _Padded

    def residual(self, blurred: F32, *, first: bool = False) -> float:
        """`blurred` becomes what it leaves unexplained; returns its mean square over the noise's variance.

        In the first round gaps count with what they were filled with, for else they would be dark. The margin
        is no part of the mean: it is no measurement, and where it meets itself the array has a step that no
        PSF makes.
        """
        sums = np.zeros((blurred.shape[0], 2))
        unseen = np.zeros_like(self.unseen) if first else self.unseen
        left, columns = self.frame.left, self.frame.shape[1]
        observed, noise = read_only(self.observed), read_only(self.noise)
        _residual(observed, noise, read_only(unseen), blurred, left, left + columns, sums)
        total, count = sums[self.frame.top : self.frame.top + self.frame.shape[0]].sum(axis=0)
        return float(total / max(count, 1.0))


#: In `unseen`: 0 for a measurement, 1 for a gap, this for a lower bound.
_AT_LEAST: Final = 2


def _rounds(
    problem: _Problem, transfer: Transfer, settings: RestoreSettings, *, with_variance: bool
) -> tuple[F32, F32 | None, F32, tuple[float, ...]]:
    """The estimate, the share of noise that came with it, what it leaves unexplained, and the misfits."""
    work = backend("numpy")
    shape = transfer.shape
    estimate = np.zeros(shape, np.float32)
    residual, spare = np.empty(shape, np.float32), np.empty(shape, np.float32)
    scratch = work.scratch(shape)
    kept, share = (np.zeros(shape, np.float32) if with_variance else None for _ in range(2))
    misfit: list[float] = []
    lowest = np.float32(settings.lowest if settings.significance >= 0 else np.inf)
    best = estimate
    for number in range(settings.rounds + 1):
        tau = _FIRST * _NEXT**number
        work.convolve(estimate, problem.values, scratch, adjoint=False, out=residual)
        misfit.append(problem.residual(residual, first=number == 0))
        if number > 1 and misfit[-1] > _WORSE * misfit[-2]:
            misfit.pop()
            if kept is not None and share is not None:
                kept -= np.square(share)
            work.convolve(best, problem.values, scratch, adjoint=False, out=residual)
            problem.residual(residual)
            return best, kept, residual, tuple(misfit)
        stalled = number > 1 and misfit[-1] > _STALLED * misfit[-2]
        if misfit[-1] <= 1.0 or stalled or number == settings.rounds:
            break
        best = estimate.copy()
        work.convolve(residual, inverse(transfer, tau), scratch, adjoint=False, out=residual)
        *planes, last = noise_of_inverse(transfer, tau, settings.scales)
        if share is not None:
            share[...] = last.deviation
        for scale, response in enumerate(planes):
            smoothed(residual, scale, spare)
            add_significant(residual, spare, problem.noise, response, settings.significance, estimate, share)
            residual, spare = spare, residual
        _add_smooth(residual, problem.noise, lowest, estimate)
        if kept is not None and share is not None:
            kept += np.square(share)
    return estimate, kept, residual, tuple(misfit)


def inverse(transfer: Transfer, tau: float) -> NDArray[Any]:
    """The filter ``(1 + τ) H* / (|H|² + τ)`` in `rfft2` layout; 1 at the zero frequency, where H is."""
    values = transfer.values
    weight = np.abs(values)
    np.square(weight, out=weight)
    weight += np.float32(tau)
    found: NDArray[Any] = np.conj(values)
    found *= np.float32(1.0 + tau)
    found /= weight
    return found


@lru_cache(maxsize=64)
def noise_of_inverse(transfer: Transfer, tau: float, scales: int) -> tuple[Response, ...]:
    """What that filter makes of white noise, in each plane; from every n-th frequency, which is enough."""
    ny, nx = transfer.shape
    rows, columns = (min(size, _ENOUGH) for size in (ny, nx))
    chosen = np.ix_(
        np.rint(np.arange(rows) * (ny / rows)).astype(int),
        np.rint(np.arange(columns // 2 + 1) * (nx / columns)).astype(int),
    )
    coarse = Transfer((rows, columns), transfer.values[chosen])
    kernel = scipy.fft.irfft2(inverse(coarse, tau), s=(rows, columns), workers=1)
    return responses(np.fft.fftshift(kernel), scales)


@njit(cache=True, nogil=True, error_model="numpy")
def _residual(
    observed: F32,
    noise: F32,
    unseen: NDArray[np.uint8],
    blurred: F32,
    first: int,
    stop: int,
    sums: NDArray[np.float64],
) -> None:
    for i in range(observed.shape[0]):
        seen, sigma, kind, target = observed[i], noise[i], unseen[i], blurred[i]
        square, count = 0.0, 0
        for j in range(seen.size):
            left = seen[j] - target[j]
            if kind[j] == 1 or (kind[j] == _AT_LEAST and left < 0):
                left = np.float32(0.0)
            if kind[j] == 0 and first <= j < stop:
                square += np.float64(left) * np.float64(left) / np.float64(sigma[j])
                count += 1
            target[j] = left
        sums[i, 0], sums[i, 1] = square, count


def _add_smooth(smooth: F32, noise: F32, lowest: np.float32, estimate: F32) -> None:
    _add_and_lift(read_only(smooth), read_only(noise), lowest, estimate)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_and_lift(smooth: F32, noise: F32, lowest: np.float32, estimate: F32) -> None:
    for i in range(estimate.shape[0]):
        more, sigma, target = smooth[i], noise[i], estimate[i]
        for j in range(more.size):
            target[j] = max(target[j] + more[j], -lowest * np.sqrt(sigma[j]))

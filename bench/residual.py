"""How close a deconvolved image comes to the data, and how many iterations that takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.frames import CHANNEL, Level1
from pipeline.instruments.sdo_aia.noise import BUILT_IN
from pipeline.instruments.sdo_aia.steps.psf import PsfDeconvolveParams
from pipeline.kernels.deconvolve import Transfer, richardson_lucy

#: Iterations of the peer that ours are compared with.
PLAIN_ITERATIONS: Final = 25
#: What the step does when a recipe says nothing else.
DEFAULT: Final = PsfDeconvolveParams()


def residual(image: NDArray[np.float32], estimate: NDArray[np.floating], transfer: Transfer) -> float:
    """Mean square of what an estimate leaves unexplained, over the variance of the noise.

    ``1/n · Σ (y − Hx)²/σ²`` with the photon and read noise of the counts, in
    float64, circular as both contenders convolve. The Poisson deviance, which
    Richardson–Lucy makes small, knows no values below zero; images have them.
    """
    observed = image.astype(np.float64)
    spectrum = scipy.fft.rfft2(estimate.astype(np.float64), workers=1)
    spectrum *= transfer.values
    left = observed - scipy.fft.irfft2(spectrum, s=image.shape, workers=1)
    return float(np.mean(left**2 / BUILT_IN[CHANNEL].variance_at(observed)))


def ours(image: NDArray[np.float32], transfer: Transfer, iterations: int) -> NDArray[np.float32]:
    """The deconvolution as the step does it when a recipe says nothing else."""
    return richardson_lucy(
        image,
        transfer,
        iterations=iterations,
        accelerate=DEFAULT.accelerate,
        linear_start=DEFAULT.linear_start,
        add_residual=DEFAULT.result == "unbiased",
    )


def plain(image: NDArray[np.float32], transfer: Transfer) -> NDArray[np.float32]:
    """The method and the number of iterations of the peer, with our kernel."""
    return richardson_lucy(image, transfer, iterations=PLAIN_ITERATIONS, accelerate=False)


@lru_cache(maxsize=2)
def fewest_iterations(frame: Level1, transfer: Transfer) -> int:
    """Iterations of ours whose residual is not above that of the peer's; more come closer still."""
    image = frame.respiked
    target = residual(image, plain(image, transfer), transfer)
    low, high = 1, PLAIN_ITERATIONS
    while low < high:
        middle = (low + high) // 2
        if residual(image, ours(image, transfer, middle), transfer) <= target:
            high = middle
        else:
            low = middle + 1
    return low

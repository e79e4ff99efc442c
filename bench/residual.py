"""How close a deconvolved image comes to the data, and how many iterations that takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.frames import Level1
from pipeline.instruments.sdo_aia.steps.psf import PsfDeconvolveParams
from pipeline.kernels.deconvolve import Transfer, richardson_lucy

#: Iterations of the peer that ours are compared with.
PLAIN_ITERATIONS: Final = 25
#: What the step does when a recipe says nothing else.
DEFAULT: Final = PsfDeconvolveParams()


def residual(image: NDArray[np.float32], estimate: NDArray[np.floating], transfer: Transfer) -> float:
    """Poisson deviance per pixel of an estimate: the quantity Richardson–Lucy makes small.

    ``2/n · Σ (y ln(y/Hx) − y + Hx)``, in float64, circular as both contenders
    convolve; pixels of no light count with their ``Hx`` only.
    """
    observed = np.maximum(image.astype(np.float64), 0.0)
    spectrum = scipy.fft.rfft2(estimate.astype(np.float64), workers=1)
    spectrum *= transfer.values
    blurred = np.maximum(scipy.fft.irfft2(spectrum, s=image.shape, workers=1), 1e-9)
    logarithm = np.where(observed > 0, observed * np.log(np.maximum(observed, 1e-9) / blurred), 0.0)
    return float(2.0 * np.mean(logarithm - observed + blurred))


def ours(image: NDArray[np.float32], transfer: Transfer, iterations: int) -> NDArray[np.float32]:
    """The deconvolution as the step does it when a recipe says nothing else."""
    return richardson_lucy(
        image,
        transfer,
        iterations=iterations,
        accelerate=DEFAULT.accelerate,
        linear_start=DEFAULT.linear_start,
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

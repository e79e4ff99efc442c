"""How far a kernel is from the truth in each direction, where most of the transfer function lies."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from bench.psf.truth import FINE, Truth
from pipeline.psf.angular import half_height

F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]

#: Wavenumbers, in parts of that where the transfer function is a half.
_PLACES: Final = (0.4, 0.7, 1.0, 1.3, 1.7)
_ANGLES: Final = np.arange(24) * 2.0 * np.pi / 24


def angular_error(kernel: NDArray[Any], injected: Truth) -> float:
    """Root mean square over directions of the transfer function's error, in parts of its height at 0.

    A shift of the kernel counts for nothing: no image tells it from where the telescope pointed.
    """
    wavenumbers = np.linspace(0.01, 0.5, 26)
    mean = np.array([transfer_at(injected.fine, FINE, k)[:12].real.mean() for k in wavenumbers])
    half = half_height(wavenumbers, mean)
    at = half * np.array(_PLACES)[:, None]
    true, found = (
        np.stack([transfer_at(one, fine, float(k)) for k in at[:, 0]])
        for one, fine in ((injected.fine, FINE), (kernel.astype(np.float64), 1))
    )

    def apart(shift: F64) -> F64:
        along = shift[0] * np.cos(_ANGLES) + shift[1] * np.sin(_ANGLES)
        rest = (found * np.exp(-2j * np.pi * at * along) - true).ravel()
        return np.concatenate([rest.real, rest.imag])

    return float(np.sqrt(2.0 * least_squares(apart, [0.0, 0.0]).cost / true.size))


def transfer_at(kernel: F64, fine: int, k: float) -> C128:
    """The transfer function of a kernel of samples of a pixel's part, at a wavenumber in all directions."""
    half = kernel.shape[0] // 2
    x = np.arange(-half, half + 1) / fine
    across = np.exp(-2j * np.pi * k * np.outer(np.cos(_ANGLES), x))
    up = np.exp(-2j * np.pi * k * np.outer(np.sin(_ANGLES), x))
    found: C128 = np.einsum("ay,yx,ax->a", up, kernel, across, optimize=True)
    return found

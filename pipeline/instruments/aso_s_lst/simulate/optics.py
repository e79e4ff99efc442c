"""A physical point spread function: diffraction at an aberrated pupil, jitter, pixels, scattering wings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.special import eval_jacobi

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

#: Zernike modes (n, m) of the wavefront: defocus, astigmatism, coma, trefoil, spherical aberration.
_MODES: Final = ((2, 0), (2, -2), (2, 2), (3, -1), (3, 1), (3, -3), (3, 3), (4, 0))
#: Radius of the pupil's central obstruction over its own.
OBSTRUCTION: Final = 0.3


@dataclass(frozen=True)
class Pupil:
    """The optics of one telescope.

    Attributes
    ----------
    blur
        Full width at half maximum without aberrations, pixels.
    aberration
        Root mean square of the wavefront's error, radians.
    jitter
        Standard deviation of the image's motion during an exposure, pixels.
    wings
        Share of the light that is scattered.
    core, slope
        Of the scattering: ``(1 + (r/core)²)^(-slope/2)``, core in pixels.
    seed
        Of the aberrations.
    """

    blur: float = 2.2
    aberration: float = 0.6
    jitter: float = 0.4
    wings: float = 0.08
    core: float = 6.0
    slope: float = 2.8
    seed: int = 7


def physical_psf(pupil: Pupil, size: int = 129) -> F32:
    """A kernel of odd side, its sum 1, its core in the middle.

    Parameters
    ----------
    pupil
        The optics; a blur of 0 gives a point.
    size
        Side of the kernel, pixels; scattering beyond it is left out.
    """
    if size % 2 == 0:
        raise ValueError(f"the side of a kernel is odd; found {size}")
    if pupil.blur == 0:
        point = np.zeros((size, size), np.float32)
        point[size // 2, size // 2] = 1.0
        return point
    y, x = np.indices((size, size), dtype=np.float64) - size // 2
    core = _smeared(_diffraction(pupil, size), pupil.jitter)
    scattered = (1.0 + (x**2 + y**2) / pupil.core**2) ** (-0.5 * pupil.slope)
    made = (1.0 - pupil.wings) * core / core.sum() + pupil.wings * scattered / scattered.sum()
    return np.asarray(made / made.sum(), dtype=np.float32)


def _diffraction(pupil: Pupil, size: int) -> F64:
    """The pattern of the aberrated pupil on pixels, by its autocorrelation.

    The pupil is laid out in spatial frequencies: cut off at 1/blur cycles per pixel. Frequencies beyond half
    a cycle are kept by sampling the pattern finer than pixels.
    """
    fine = max(2, math.ceil(4.0 / pupil.blur))
    side = fft.next_fast_len(size * fine)
    frequency = fft.fftfreq(side) * fine
    fx, fy = np.meshgrid(frequency, frequency)
    # Radius of the pupil: half of the cut-off.
    rho = np.hypot(fx, fy) * 2.0 * pupil.blur
    phi = np.arctan2(fy, fx)
    inside = (rho <= 1.0) & (rho >= OBSTRUCTION)
    wave = np.where(inside, np.exp(1j * _wavefront(pupil, rho, phi)), 0.0)
    pattern = np.abs(fft.ifft2(wave)) ** 2
    pattern = fft.fftshift(_square(pattern, fine))
    pattern = _centred(pattern)
    middle, half = side // 2, (size // 2) * fine
    taken = slice(middle - half, middle + half + 1, fine)
    return np.ascontiguousarray(pattern[taken, taken])


def _wavefront(pupil: Pupil, rho: F64, phi: F64) -> F64:
    random = np.random.default_rng(pupil.seed)
    weights = random.normal(0.0, 1.0, len(_MODES))
    weights *= pupil.aberration / math.sqrt(float((weights**2).sum()))
    made = np.zeros_like(rho)
    for (n, m), weight in zip(_MODES, weights, strict=True):
        k = abs(m)
        radial = rho**k * (-1.0) ** ((n - k) // 2) * eval_jacobi((n - k) // 2, k, 0, 1.0 - 2.0 * rho**2)
        turned = np.cos(k * phi) if m >= 0 else np.sin(k * phi)
        made += weight * math.sqrt((2 - (m == 0)) * (n + 1)) * radial * turned
    return made


def _square(pattern: F64, fine: int) -> F64:
    """Integrated over square pixels."""
    spectrum = fft.fft2(pattern)
    rows, columns = (np.sinc(fft.fftfreq(length) * fine) for length in pattern.shape)
    return np.asarray(fft.ifft2(spectrum * rows[:, None] * columns[None, :]).real)


def _centred(pattern: F64) -> F64:
    """Its core moved to the middle: that is where a limb stands, and what pointing is measured by."""
    pattern = np.maximum(pattern, 0.0)
    ny, nx = pattern.shape
    core = pattern**2
    y = float((core.sum(1) * np.arange(ny)).sum() / core.sum()) - ny // 2
    x = float((core.sum(0) * np.arange(nx)).sum() / core.sum()) - nx // 2
    phase = np.exp(2j * np.pi * (fft.fftfreq(ny)[:, None] * y + fft.fftfreq(nx)[None, :] * x))
    return np.asarray(np.maximum(fft.ifft2(fft.fft2(pattern) * phase).real, 0.0))


def _smeared(pattern: F64, sigma: float) -> F64:
    if sigma == 0:
        return pattern
    ny, nx = pattern.shape
    squares = fft.fftfreq(ny)[:, None] ** 2 + fft.fftfreq(nx)[None, :] ** 2
    gauss = np.exp(-2.0 * (np.pi * sigma) ** 2 * squares)
    return np.asarray(np.maximum(fft.ifft2(fft.fft2(pattern) * gauss).real, 0.0))


def blurred(scene: NDArray[np.floating], psf: NDArray[np.floating]) -> F32:
    """A scene as a telescope with a point spread function sees it; edges see themselves mirrored.

    Parameters
    ----------
    scene
        Shape (y, x).
    psf
        Of odd sides; its sum stays what it is.
    """
    ny, nx = scene.shape
    half_y, half_x = psf.shape[0] // 2, psf.shape[1] // 2
    padded = np.pad(scene.astype(np.float32), ((half_y,) * 2, (half_x,) * 2), mode="symmetric")
    shape = tuple(fft.next_fast_len(length, real=True) for length in padded.shape)
    product = fft.rfft2(padded, shape) * fft.rfft2(psf.astype(np.float32), shape)
    made = fft.irfft2(product, shape)
    seen = made[2 * half_y : 2 * half_y + ny, 2 * half_x : 2 * half_x + nx]
    return np.ascontiguousarray(seen, dtype=np.float32)

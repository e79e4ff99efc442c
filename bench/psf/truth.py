"""PSFs that are put into images to be found again: pupils with aberrations, Gaussians, Moffats, with wings.

Only the Gaussians and the Moffats are of the family that is fitted; pupils are made as light makes them, and
what is fitted to those of known λ/D is their mean over directions, to second order. They are sampled twice in
a pixel and hold the pixel itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pipeline.psf.shape import Shape, profile_of_kernel, shape_of

F64 = NDArray[np.float64]
#: Samples in a pixel.
FINE: Final = 2
#: Half the side of a PSF, pixels: that of the wings.
HALF: Final = 200


@dataclass(frozen=True, eq=False)
class Truth:
    """A PSF on an odd square of half pixels, its sum 1, and what is true of it.

    Attributes
    ----------
    kind
        What it is.
    fine
        Its values.
    shape
        Its widths, pixels.
    wing
        Share of its light in the wing.
    q
        λ/D in pixels, where it has a pupil.
    """

    kind: str
    fine: F64
    shape: Shape
    wing: float
    q: float | None = None


def gaussian(fwhm: float, rng: np.random.Generator, axes: float = 0.0) -> F64:
    """Elliptical, its axes in a ratio of up to 1.15, or in the given one."""
    x, y = _turned(rng)
    drawn = rng.uniform(1.0, 1.15)
    ratio = (axes or drawn) ** 0.5
    found: F64 = np.exp(-4.0 * np.log(2.0) * ((x * ratio) ** 2 + (y / ratio) ** 2) / fwhm**2)
    return found


def moffat(fwhm: float, rng: np.random.Generator, axes: float = 0.0) -> F64:
    """Elliptical, its axes in a ratio of up to 1.15, or in the given one; β between 2.2 and 4.5."""
    x, y = _turned(rng)
    drawn, beta = rng.uniform(1.0, 1.15), rng.uniform(2.2, 4.5)
    ratio = (axes or drawn) ** 0.5
    alpha = 0.5 * fwhm / np.sqrt(2.0 ** (1.0 / beta) - 1.0)
    found: F64 = (1.0 + ((x * ratio) ** 2 + (y / ratio) ** 2) / alpha**2) ** -beta
    return found


def pupil(q: float, rms: float, jitter: float, rng: np.random.Generator) -> F64:
    """An annular pupil with six aberrations, seen through jitter; `q` is λ/D in pixels."""
    size = 1024  # of half pixels
    frequencies = scipy.fft.fftshift(scipy.fft.fftfreq(size)) * FINE
    x, y = np.meshgrid(frequencies * 2.0 * q, frequencies * 2.0 * q)  # of the pupil: OTF ends at 1/q
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    shapes = [
        np.sqrt(6) * r**2 * np.cos(2 * angle),
        np.sqrt(6) * r**2 * np.sin(2 * angle),
        np.sqrt(8) * (3 * r**3 - 2 * r) * np.cos(angle),
        np.sqrt(8) * (3 * r**3 - 2 * r) * np.sin(angle),
        np.sqrt(5) * (6 * r**4 - 6 * r**2 + 1),
        np.sqrt(8) * r**3 * np.cos(3 * angle),
    ]
    weights = rng.normal(size=len(shapes))
    weights *= rms / np.linalg.norm(weights)
    phase = sum(w * s for w, s in zip(weights, shapes, strict=True))
    open_ = (r <= 1.0) & (r >= rng.uniform(0.0, 0.3))
    field = np.where(open_, np.exp(1j * phase), 0.0)
    image = np.abs(scipy.fft.fftshift(scipy.fft.fft2(scipy.fft.ifftshift(field)))) ** 2
    k2 = np.add.outer(scipy.fft.fftfreq(size) ** 2, scipy.fft.rfftfreq(size) ** 2) * FINE**2
    blurred = scipy.fft.irfft2(
        scipy.fft.rfft2(image) * np.exp(-2.0 * np.pi**2 * jitter**2 * k2), s=image.shape
    )
    middle, half = size // 2, FINE * HALF
    found: F64 = np.maximum(
        blurred[middle - half : middle + half + 1, middle - half : middle + half + 1], 0.0
    )
    return found


def truth(kind: str, fwhm: float, wing: float, seed: int, axes: float = 0.0, rms: float = 0.0) -> Truth:
    """A PSF of a kind ("gauss", "moffat", "pupil", "sharp"), about as wide as said, with a wing or none.

    A sharp pupil has weak aberrations and hardly moves.

    Parameters
    ----------
    kind, fwhm, wing, seed
        What it is.
    axes
        Their ratio, of Gaussians and Moffats; 0 for one between 1 and 1.15.
    rms
        Aberration of a pupil, radians; 0 for one of those of its kind.
    """
    rng = np.random.default_rng(seed)
    q = None
    if kind in ("pupil", "sharp"):
        width, least, most, jitter = (0.62, 0.3, 0.7, 0.15) if kind == "pupil" else (0.9, 0.0, 0.3, 0.05)
        q = width * fwhm
        drawn = rng.uniform(least, most)
        core = pupil(q, rms or drawn, jitter * fwhm, rng)
    else:
        core = {"gauss": gaussian, "moffat": moffat}[kind](np.sqrt(max(fwhm**2 - 0.5, 1.0)), rng, axes)
    core = core / core.sum()
    r = np.hypot(*_grid())
    r0, p = rng.uniform(4.0, 10.0), rng.uniform(2.4, 3.3)
    haze = np.where(r <= HALF, (1.0 + (r / r0) ** 2) ** (-0.5 * p), 0.0)
    fine = _boxed((1.0 - wing) * core + wing * haze / haze.sum())
    radii, mean, within = profile_of_kernel(fine)
    widths = shape_of(radii / FINE, mean, within)
    return Truth(kind, fine, widths, wing, q)


def _boxed(values: F64) -> F64:
    """Seen by square pixels."""
    ky, kx = np.meshgrid(
        scipy.fft.fftfreq(values.shape[0]) * FINE, scipy.fft.rfftfreq(values.shape[1]) * FINE, indexing="ij"
    )
    seen = scipy.fft.irfft2(scipy.fft.rfft2(values) * np.sinc(kx) * np.sinc(ky), s=values.shape)
    found: F64 = seen / seen.sum()
    return found


def _grid() -> tuple[F64, F64]:
    x = np.arange(-FINE * HALF, FINE * HALF + 1) / FINE
    return x[None, :], x[:, None]


def _turned(rng: np.random.Generator) -> tuple[F64, F64]:
    x, y = _grid()
    angle = rng.uniform(0.0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)

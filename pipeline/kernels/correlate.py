"""How far one image is shifted against another, to a small part of a pixel.

Correlation of band-passed images, half way to phase correlation: each spectrum is divided by the root of its
size, so that weak structures count beside strong ones, and what is coarser or finer than a band is left out:
clouds and gradients there, noise here. The peak is found on whole pixels, then by evaluating the transform
between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

F32 = NDArray[np.float32]

#: Steps of a pixel in which the peak is looked for, one after the other.
_STEPS: Final = (1.0 / 8.0, 1.0 / 64.0)
_REACH: Final = 6


@dataclass(frozen=True)
class Shift:
    """A shift, and how clear it is.

    Attributes
    ----------
    x, y
        Pixels by which the moving image's structures lie farther along the axes than the reference's.
    clearness
        Height of the peak over the standard deviation of the correlation; below some 10 it may be chance.
    """

    x: float
    y: float
    clearness: float

    @property
    def error(self) -> float:
        """About one standard deviation of each coordinate: as simulated disks show it."""
        return 2.0 / self.clearness


def disk_window(shape: tuple[int, int], x: float, y: float, radius: float, soft: float = 0.1) -> F32:
    """1 on a disk, 0 outside, falling as a cosine over the outermost `soft` of the radius."""
    i, j = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(j - x, i - y) / radius
    falling = np.clip((1.0 - distance) / soft, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * falling), dtype=np.float32)


def spectrum(image: F32, window: F32, band: tuple[float, float] = (2.0, 16.0)) -> NDArray[np.complex64]:
    """What `shift` compares: the spectrum of an image's structures within a band.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN counts as the mean.
    window
        Same shape, 0 where the image is not to be looked at, with soft edges.
    band
        Wavelengths in pixels of the finest and the coarsest structures that count.
    """
    inside = (window > 0) & np.isfinite(image)
    mean = np.float32(image[inside].mean(dtype=np.float64)) if inside.any() else np.float32(0.0)
    made = fft.rfft2(np.where(inside, image - mean, np.float32(0.0)) * window)
    ky, kx = fft.fftfreq(image.shape[0])[:, None], fft.rfftfreq(image.shape[1])[None, :]
    k2 = (ky**2 + kx**2).astype(np.float32)
    fine, coarse = np.float32((band[0] / 2.355) ** 2), np.float32((band[1] / 2.355) ** 2)
    passed = np.exp(-0.5 * (2 * np.pi) ** 2 * k2 * fine / 4) * (
        1.0 - np.exp(-0.5 * (2 * np.pi) ** 2 * k2 * coarse / 4)
    )
    size = np.abs(made)
    # Of half its power: noise that stands where there is no structure does not count as much as structure.
    return np.asarray(made * passed / np.sqrt(size + 1e-6 * size.max() + 1e-30), dtype=np.complex64)


def shift(
    reference: NDArray[np.complex64],
    moving: NDArray[np.complex64],
    shape: tuple[int, int],
    most: float = 32.0,
) -> Shift:
    """The shift between two images, from their spectra.

    Parameters
    ----------
    reference, moving
        As `spectrum` makes them.
    shape
        Of the images.
    most
        Largest shift that is looked for along each axis, pixels.
    """
    product = moving * np.conj(reference)
    surface = fft.irfft2(product, s=shape)
    ny, nx = shape
    reach = int(min(most, ny // 2 - 1, nx // 2 - 1))
    near = np.r_[0 : reach + 1, -reach:0]
    part = surface[np.ix_(near % ny, near % nx)]
    row, column = np.unravel_index(int(np.argmax(part)), part.shape)
    y, x = float(near[row]), float(near[column])
    clearness = float(part[row, column] / (surface.std() + 1e-30))
    for step in _STEPS:
        offsets = np.arange(-_REACH, _REACH + 1) * step * (1.5 if step == _STEPS[0] else 1.0)
        peak = _between(product, shape, y + offsets, x + offsets)
        row, column = np.unravel_index(int(np.argmax(peak)), peak.shape)
        dy, dx = _vertex(peak[:, column], int(row)), _vertex(peak[row], int(column))
        spacing = offsets[1] - offsets[0]
        y += float(offsets[row] + dy * spacing)
        x += float(offsets[column] + dx * spacing)
    return Shift(x, y, clearness)


def _between(product: NDArray[np.complex64], shape: tuple[int, int], ys: F32, xs: F32) -> NDArray[np.float32]:
    """The correlation at places between pixels."""
    ky, kx = fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])
    rows = np.exp(2j * math.pi * np.outer(ys, ky)).astype(np.complex64)
    columns = np.exp(2j * math.pi * np.outer(kx, xs)).astype(np.complex64)
    # Columns of a real transform stand for two, but for the first and, of even length, the last.
    weight = np.full(kx.size, 2.0, np.float32)
    weight[0] = 1.0
    if shape[1] % 2 == 0:
        weight[-1] = 1.0
    return np.asarray(((rows @ product) * weight @ columns).real, dtype=np.float32)


def _vertex(values: NDArray[np.float32], at: int) -> float:
    """Of the parabola through a maximum and its neighbours, in steps from it."""
    if not 0 < at < values.size - 1:
        return 0.0
    before, here, behind = (float(one) for one in values[at - 1 : at + 2])
    bend = before - 2.0 * here + behind
    return 0.5 * (before - behind) / bend if bend < 0 else 0.0

"""Suns that frames are made of: drawn ones in white light and Lyman α, and real images.

What is drawn here shares nothing with what the estimation assumes of scenes: structure is drawn from noise of
several scales, spots and plage are put on it, the limb is an edge in white light and fades in Lyman α.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.psf.truth import FINE, Truth
from pipeline.kernels.limb import Circle

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Across a disk's edge, samples that its brightness is spread over: what that blurs is taken off again.
_EDGE: Final = 1.0


@dataclass(frozen=True, eq=False)
class Scene:
    """A Sun before any blur.

    Attributes
    ----------
    fine
        Brightness, samples of half a pixel.
    sun
        Its disk, pixels.
    softened
        Variance of the blur that drawing it left, pixels².
    """

    fine: F32
    sun: Circle
    softened: float = 0.0


def noise(shape: tuple[int, int], slope: float, turn: float, rng: np.random.Generator) -> F64:
    """Gaussian structure of variance 1 whose power falls beyond a wavenumber (per sample)."""
    k2 = np.add.outer(scipy.fft.fftfreq(shape[0]) ** 2, scipy.fft.rfftfreq(shape[1]) ** 2)
    amplitude = (1.0 + k2 / turn**2) ** (-0.25 * slope)
    amplitude[0, 0] = 0.0
    white = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32), workers=1)
    found = scipy.fft.irfft2(white * amplitude, s=shape, workers=1)
    result: F64 = found / found.std()
    return result


def white_light(size: int, radius: float, rng: np.random.Generator) -> Scene:
    """A disk that darkens towards its edge, with granulation, a network, spots and faculae."""
    r, mu, sun, edge = _disk(size, radius, rng)
    u, v = rng.uniform(0.45, 0.75), rng.uniform(-0.05, 0.25)
    brightness = 1.0 - u * (1.0 - mu) - v * (1.0 - mu) ** 2
    shape = brightness.shape
    structure = 0.012 * noise(shape, 3.0, 0.06, rng) + 0.006 * noise(shape, 2.2, 0.01, rng)
    brightness *= 1.0 + structure * (0.4 + 0.6 * mu)
    for _ in range(rng.integers(2, 7)):
        brightness *= 1.0 - rng.uniform(0.2, 0.8) * _spot(shape, sun, rng.uniform(2.0, 12.0), rng)
    for _ in range(8):
        brightness *= 1.0 + 0.08 * (1.0 - mu) * _spot(shape, sun, rng.uniform(6.0, 25.0), rng)
    corona = 2e-5 * np.exp(-np.maximum(r - radius, 0.0) / 60.0)
    return Scene((brightness * edge + corona).astype(np.float32), sun, _EDGE**2 / 12.0 / FINE**2)


def lyman(size: int, radius: float, rng: np.random.Generator) -> Scene:
    """A network of many scales, plage and filaments, a limb that brightens and then fades."""
    r, mu, sun, _ = _disk(size, radius, rng)
    shape = mu.shape
    field = 0.5 * noise(shape, 3.2, 0.012, rng) + 0.35 * noise(shape, 2.6, 0.05, rng)
    brightness = np.exp(field) * (1.0 + 0.3 * (1.0 - mu))
    for _ in range(rng.integers(3, 8)):
        brightness += (
            rng.uniform(1.0, 5.0) * _spot(shape, sun, rng.uniform(6.0, 35.0), rng) * np.exp(0.7 * field)
        )
    for _ in range(5):
        brightness *= 1.0 - 0.5 * _spot(shape, sun, rng.uniform(3.0, 9.0), rng)
    beyond = np.maximum(r - radius, 0.0)
    fading = 0.7 * np.exp(-beyond / rng.uniform(4.0, 9.0)) + 0.03 * np.exp(-beyond / 60.0)
    fading *= np.exp(0.3 * field)
    inside = 1.0 / (1.0 + np.exp((r - radius) / 1.5))
    return Scene((brightness * inside + fading * (1.0 - inside)).astype(np.float32), sun)


def behind(scene: Scene, body: Circle) -> Scene:
    """A scene with a dark body before it."""
    y, x = _places(scene.fine.shape)
    r = np.hypot(x - body.x, y - body.y)
    clear = np.clip((r - body.radius) * FINE / _EDGE + 0.5, 0.0, 1.0)
    return replace(scene, fine=(scene.fine * clear).astype(np.float32), softened=_EDGE**2 / 12.0 / FINE**2)


def seen(scene: Scene, truth: Truth, electrons: float, rng: np.random.Generator) -> F32:
    """A frame of a scene: blurred, sampled, with the noise of photons and 10 electrons of the read-out."""
    fine = scene.fine
    ny, nx = fine.shape
    size = [scipy.fft.next_fast_len(n, real=True) for n in (ny, nx)]
    kernel = np.zeros(size, np.float32)
    half = truth.fine.shape[0] // 2
    at = np.arange(-half, half + 1)
    inside = at[(at > -min(size) // 2) & (at < min(size) // 2)]
    kernel[np.ix_(inside, inside)] = truth.fine[np.ix_(inside + half, inside + half)]
    spectrum = scipy.fft.rfft2(np.pad(fine, [(0, size[0] - ny), (0, size[1] - nx)]), workers=1)
    spectrum *= scipy.fft.rfft2(kernel, workers=1)
    if scene.softened:
        k2 = np.add.outer(scipy.fft.fftfreq(size[0]) ** 2, scipy.fft.rfftfreq(size[1]) ** 2) * FINE**2
        spectrum *= np.exp(2.0 * np.pi**2 * scene.softened * np.minimum(k2, 0.5))
    image = scipy.fft.irfft2(spectrum, s=size, workers=1)[:ny:FINE, :nx:FINE]
    count = np.maximum(image, 0.0) * (electrons / np.percentile(image, 99.5))
    found: F32 = (rng.poisson(count) + rng.normal(0.0, 10.0, count.shape)).astype(np.float32)
    return found


def _disk(size: int, radius: float, rng: np.random.Generator) -> tuple[F64, F64, Circle, F64]:
    middle = 0.5 * (size - 1)
    sun = Circle(middle + rng.uniform(-3.0, 3.0), middle + rng.uniform(-3.0, 3.0), radius)
    y, x = _places((FINE * size, FINE * size))
    r = np.hypot(x - sun.x, y - sun.y)
    mu = np.sqrt(np.maximum(1.0 - (r / radius) ** 2, 0.0))
    return r, mu, sun, np.clip((radius - r) * FINE / _EDGE + 0.5, 0.0, 1.0)


def _places(shape: tuple[int, ...]) -> tuple[F64, F64]:
    y, x = (np.arange(n) / FINE for n in shape)
    return y[:, None], x[None, :]


def _spot(shape: tuple[int, ...], sun: Circle, width: float, rng: np.random.Generator) -> F64:
    """A rugged patch somewhere on the disk, 1 in its middle."""
    y, x = _places(shape)
    away, angle = 0.9 * sun.radius * np.sqrt(rng.uniform()), rng.uniform(0.0, 2.0 * np.pi)
    dx, dy = x - sun.x - away * np.cos(angle), y - sun.y - away * np.sin(angle)
    ratio = rng.uniform(0.5, 1.0)
    found: F64 = np.exp(-(((dx / width) ** 2 + (dy / (width * ratio)) ** 2) ** 2))
    return found

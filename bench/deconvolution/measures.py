"""What a result is judged by, beside the truth and a second exposure."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from bench.deconvolution.scenes import BLOCK, SIZE, Scene

F64: TypeAlias = NDArray[np.float64]
#: Rings of frequencies, each 1/100 cycle per pixel wide.
_RINGS: Final = 50


class Judged(NamedTuple):
    """Gains and ratios are those of the result over those of the image as it was seen.

    Attributes
    ----------
    mtf50
        Frequency up to which more than half of the truth's amplitude is in it.
    correlation
        Frequency up to which it correlates with the truth by more than half (Fourier ring correlation).
    limb
        Steepness of the limb: 10 to 90 % of its fall.
    noise
        Scatter between two exposures in quiet areas.
    error
        Root mean square of the difference from the truth.
    photometry
        Root mean square of the relative error of blocks of 8 × 8 pixels on the disk, percent.
    corona
        Mean off the limb over the truth's.
    overshoot
        Largest deviation of the mean radial profile from the truth's, 3 to 20 pixels from the limb, in
        percent of the disk; `before` that of the image as it was seen.
    """

    mtf50: float
    correlation: float
    limb: float
    noise: float
    error: float
    photometry: float
    corona: float
    overshoot: float
    before: float


def judged(scene: Scene, seen: tuple[F64, F64], found: tuple[F64, F64]) -> Judged:
    """Two exposures as they were seen, and what was made of them."""
    (before, again), (after, anew) = seen, found
    old, new = _rings(before, scene.truth), _rings(after, scene.truth)
    selected = _blocks(scene.distance).max(axis=(1, 3)) < -10
    relative = _blocks(after).mean(axis=(1, 3)) / _blocks(scene.truth).mean(axis=(1, 3)) - 1.0
    return Judged(
        mtf50=_reach(new[0]) / _reach(old[0]),
        correlation=_reach(new[1]) / _reach(old[1]),
        limb=_limb(scene, before) / _limb(scene, after),
        noise=_rms((after - anew)[scene.quiet]) / _rms((before - again)[scene.quiet]),
        error=_rms(after - scene.truth) / _rms(before - scene.truth),
        photometry=100.0 * _rms(relative[selected]),
        corona=float(after[scene.corona].mean() / scene.truth[scene.corona].mean()),
        overshoot=_overshoot(scene, after),
        before=_overshoot(scene, before),
    )


def mtf50(scene: Scene, image: F64, where: NDArray[np.floating] | None = None) -> float:
    """Cycles per pixel; within a smooth window where one is given."""
    window = 1.0 if where is None else where
    return _reach(_rings(image * window, scene.truth * window)[0])


def _rings(image: F64, truth: F64) -> tuple[F64, F64]:
    """Regression of the image on the truth, and their correlation, ring by ring."""
    one, two = (scipy.fft.rfft2(plane - plane.mean()) for plane in (image, truth))
    frequency = np.hypot(scipy.fft.fftfreq(SIZE)[:, None], scipy.fft.rfftfreq(SIZE))
    rings = np.minimum((frequency * 2 * _RINGS).astype(int), _RINGS).ravel()
    cross, own, other = (
        np.bincount(rings, plane.ravel(), _RINGS + 1)[:_RINGS]
        for plane in ((one * np.conj(two)).real, np.abs(one) ** 2, np.abs(two) ** 2)
    )
    return cross / other, cross / np.sqrt(own * other)


def _reach(curve: F64) -> float:
    """Frequency where a curve falls below a half for the first time; else the largest there is."""
    below = np.flatnonzero(curve < 0.5)
    if not below.size:
        return 0.5
    n = int(below[0])
    part = 0.5 if n == 0 else n - 0.5 + (curve[n - 1] - 0.5) / (curve[n - 1] - curve[n])
    return float(part / (2 * _RINGS))


def _profile(scene: Scene, image: F64, reach: int = 30) -> F64:
    """Mean over the circle, every half pixel."""
    bins = np.rint(2.0 * (scene.distance + reach)).astype(int)
    inside = (bins >= 0) & (bins <= 4 * reach)
    sums, count = (np.bincount(bins[inside], weights, 4 * reach + 1) for weights in (image[inside], None))
    return np.asarray(sums / np.maximum(count, 1))


def _limb(scene: Scene, image: F64) -> float:
    """Pixels between 10 and 90 % of the disk's brightness, looked for from outside."""
    profile = _profile(scene, image)
    disk, sky = profile[20:40].mean(), profile[100:].mean()
    rise = ((profile - sky) / (disk - sky))[::-1]
    places = []
    for level in (0.1, 0.9):
        n = int(np.flatnonzero(rise >= level)[0])
        places.append(n - (rise[n] - level) / (rise[n] - rise[n - 1]))
    return float(places[1] - places[0]) / 2.0


def _overshoot(scene: Scene, image: F64) -> float:
    apart = _profile(scene, image - scene.truth)
    level = float(_profile(scene, scene.truth)[20:40].mean())
    places = np.abs(np.arange(apart.size) / 2.0 - 30.0)
    return float(100.0 * np.abs(apart[(places >= 3) & (places <= 20)]).max() / level)


def _blocks(plane: F64) -> F64:
    return plane.reshape(SIZE // BLOCK, BLOCK, SIZE // BLOCK, BLOCK)


def _rms(values: F64) -> float:
    return float(np.sqrt(np.mean(np.square(values))))

"""The campaign: who gains how much, at which signal-to-noise ratio, and what a wrong PSF costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter

from bench.deconvolution.measures import Judged, judged, mtf50
from bench.deconvolution.methods import Method, ours
from bench.deconvolution.scenes import Exposure, Optics, Scene, exposed, gaussian

#: Of the photons where the scene is 1.
RATIOS: Final = (10.0, 20.0, 30.0, 60.0, 100.0, 300.0)
#: Gain in resolution that the mission tells, with less noise.
CLAIMED: Final = 3.0


@dataclass(frozen=True)
class Case:
    """One scene through one PSF at one signal-to-noise ratio, twice."""

    scene: Scene
    optics: Optics
    snr: float
    pair: tuple[Exposure, Exposure]

    @classmethod
    def of(cls, scene: Scene, optics: Optics, snr: float) -> Case:
        """Two exposures that differ in their noise alone."""
        first, second = (exposed(scene, optics, snr, seed) for seed in (1, 2))
        return cls(scene, optics, snr, (first, second))

    def judge(self, method: Method, told: Optics | None = None) -> Judged:
        """What a method makes of both; told the true PSF, or another."""
        seen = tuple(one.image.astype(np.float64) for one in self.pair)
        found = tuple(method(one, told or self.optics) for one in self.pair)
        return judged(self.scene, (seen[0], seen[1]), (found[0], found[1]))


def compared(case: Case, methods: Mapping[str, Method]) -> dict[str, Judged]:
    """Every method on one case."""
    return {name: case.judge(method) for name, method in methods.items()}


def quietly(case: Case, family: Sequence[Method]) -> tuple[float, float]:
    """Of one prior's methods: the largest gain in MTF50 that leaves no more noise, and that noise, or NaN."""
    each = [case.judge(method) for method in family]
    calm = [(one.mtf50, one.noise) for one in each if one.noise <= 1.0]
    return max(calm, default=(float("nan"), float("nan")))


@dataclass(frozen=True)
class Apart:
    """Gain in MTF50 and error over that before, of the brighter and of the fainter part of a disk."""

    bright: float
    faint: float
    bright_error: float
    faint_error: float


def apart(case: Case, significance: float = 5.0) -> Apart:
    """Where the gain is: the brightest tenth of the disk, and its fainter half."""
    seen = case.pair[0].image.astype(np.float64)
    found = ours(significance)(case.pair[0], case.optics)
    smooth = gaussian_filter(case.scene.truth, 8)
    disk = case.scene.distance < -20
    bright = disk & (smooth > np.percentile(smooth[disk], 90))
    gains, errors = [], []
    for part in (bright, case.scene.quiet):
        window = gaussian_filter(part.astype(np.float64), 3)
        gains.append(mtf50(case.scene, found, window) / mtf50(case.scene, seen, window))
        before, after = ((image - case.scene.truth)[part] for image in (seen, found))
        errors.append(float(np.sqrt(np.mean(after**2) / np.mean(before**2))))
    return Apart(gains[0], gains[1], errors[0], errors[1])


def wrong(case: Case) -> dict[str, Judged]:
    """What it costs to be told another PSF than the true one, a Gaussian of 5 pixels with 8 % in its wing."""
    told = {
        "the true one": (5.0, 0.08),
        "core 5 % too narrow": (4.75, 0.08),
        "core 5 % too wide": (5.25, 0.08),
        "core 15 % too wide": (5.75, 0.08),
        "wing 0.5 % of the light too weak": (5.0, 0.075),
        "half the wing": (5.0, 0.04),
        "no wing": (5.0, 0.0),
    }
    return {
        name: case.judge(ours(), Optics(name, gaussian(fwhm, wing))) for name, (fwhm, wing) in told.items()
    }

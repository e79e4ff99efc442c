"""What the likelihood is made of: terms that may each be left out, and that share the parameters of the PSF.

A term compares what was measured with what a transfer function makes of a scene it knows up to some
coefficients; those that enter linearly are solved for inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.psf.hankel import Series
from pipeline.psf.model import Bounds, CoreModel, Wing, core
from pipeline.psf.statistics import BIN, BINS, INNER, Power, Rings, wavenumbers

F64 = NDArray[np.float64]

#: Of a mean profile: what no number of frames makes smaller, constant and of its brightness.
_FLOOR: Final = 5e-5
_RELATIVE: Final = 1e-4
#: Pixels between knots of what structure leaves in a mean profile.
_KNOTS: Final = 4.0
#: Of mean powers: models of scenes are no better than this.
_POWER_FLOOR: Final = 0.05


class Term(Protocol):
    """A part of the likelihood."""

    @property
    def extra(self) -> tuple[Bounds, ...]:
        """Its own parameters."""

    @property
    def start(self) -> F64:
        """What they begin with."""

    def residuals(self, transfer: F64, parameters: F64, own: F64, loosened: float) -> F64:
        """Over their standard deviation, to which `loosened` of the largest value is added."""


class Linear:
    """Least squares for coefficients that have a prior, solved anew for each transfer function."""

    def __init__(self, prior: F64) -> None:
        self.rows = np.diag(np.where(prior > 0, 1.0 / np.where(prior > 0, prior, 1.0), 0.0))

    def rest(self, design: F64, values: F64) -> F64:
        """Residuals, those of the prior last."""
        whole = np.vstack([design, self.rows])
        wanted = np.concatenate([values, np.zeros(len(self.rows))])
        normal = whole.T @ whole
        normal[np.diag_indices_from(normal)] *= 1.0 + 1e-12
        found = np.linalg.lstsq(normal, whole.T @ wanted, rcond=1e-14)[0]
        rest: F64 = wanted - whole @ found
        return rest


@dataclass(frozen=True)
class Bins:
    """A mean profile in bins as wide as their place needs: fine at the edge, coarse away from it."""

    place: F64
    width: F64
    values: F64
    sigma: F64

    @classmethod
    def of(cls, rings: Rings, least: float, most: float) -> Bins:
        """From sums; bins in which half of the frames have no value are left out."""
        known = rings.weight > 0.5 * rings.frames
        rows = []
        for first, last in _groups(least, most):
            inside = np.arange(max(first, 0), min(last, BINS))
            inside = inside[known[inside]] if inside.size else inside
            if inside.size < last - first or inside.size == 0:
                continue
            weight = rings.weight[inside]
            mean = rings.total[inside] / weight
            place = INNER + BIN * (inside + 0.5) + rings.offset[inside] / weight
            value = mean.mean()
            sigma = np.sqrt(
                (rings.white[inside] / weight**2).mean() / inside.size + _FLOOR**2 + (_RELATIVE * value) ** 2
            )
            rows.append((place.mean(), inside.size * BIN, value, sigma))
        return (
            cls(*(np.array(column) for column in zip(*rows, strict=True)))
            if rows
            else cls(*[np.zeros(0)] * 4)
        )


def _groups(least: float, most: float) -> list[tuple[int, int]]:
    """First and last (excluded) bins that are taken together."""
    edges = [
        place
        for width, near, far in ((4.0, 30.0, 1e9), (1.0, 12.0, 30.0), (0.5, 0.0, 12.0))
        for place in _steps(width, near, far, least, most)
    ]
    ordered = sorted(set(edges))
    index = [round((edge - INNER) / BIN) for edge in ordered]
    return list(pairwise(index))


def _steps(width: float, near: float, far: float, least: float, most: float) -> list[float]:
    outer = [e for e in np.arange(near, min(far, most) + 0.01, width) if e <= most]
    inner = [-e for e in np.arange(near, min(far, -least) + 0.01, width) if -e >= least]
    return [float(edge) for edge in (*outer, *inner)]


def width_of(bins: Bins) -> float:
    """A first guess of the width at half maximum, from how steep an edge is; pixels."""
    near = np.abs(bins.place) < 20.0
    place, values = bins.place[near], bins.values[near]
    if place.size < 8:
        return 4.0
    steepest = np.abs(np.gradient(values, place)).max()
    height = abs(np.median(values[place < -8.0]) - np.median(values[place > 8.0]))
    return float(np.clip(0.94 * height / max(steepest, 1e-9), 1.5, 12.0))


class LimbTerm:
    """The Sun's limb: a disk that darkens towards a sharp edge, a faint corona, a background."""

    extra = (Bounds("limb", -2.5, 2.5, 0.0, 0.0, "how far the limb lies from where it was found [pixel]"),)
    start = np.zeros(1)

    def __init__(self, rings: Rings, series: Series) -> None:
        self.radius = rings.radius / rings.frames
        self.bins = Bins.of(rings, -120.0, 110.0)
        self.series = series
        self.matrix = series.profile(self.radius + self.bins.place, self.bins.width)
        self.slope = series.profile(self.radius + self.bins.place + 0.05, self.bins.width) - series.profile(
            self.radius + self.bins.place - 0.05, self.bins.width
        )
        self.slope *= 10.0
        # Brightness of the disk by powers of μ, of the corona, and of a background that was left.
        radii = np.arange(0.125, series.reach - 1.0, 0.25)
        beyond = radii > self.radius
        corona = np.where(beyond, np.exp(-(radii - self.radius) / 80.0), 0.0)
        self.scenes = np.column_stack(
            [
                *(series.disk(self.radius, power) for power in (0.0, 1.0, 2.0, 0.5)),
                series.of_rings(radii, corona[:, None])[:, 0],
            ]
        )
        # What structure of the disk leaves in the mean: hats along the radius, as high as sectors tell.
        inner = slice(int((-70.0 - INNER) / BIN), int((-20.0 - INNER) / BIN))
        left = float(np.sqrt(np.median(rings.smooth[inner] / np.maximum(rings.weight[inner], 1) ** 2))) + 1e-5
        knots = self.radius - np.arange(0.0, 61.0, _KNOTS)
        hats = np.maximum(1.0 - np.abs(radii[:, None] - knots) / _KNOTS, 0.0) * ~beyond[:, None]
        self.scenes = np.column_stack([self.scenes, series.of_rings(radii, hats)])
        self.width = width_of(self.bins)
        self.linear = Linear(np.array([0.0, 2.0, 2.0, 0.5, 0.01, *[2.0 * left] * knots.size, 2e-4]))

    def residuals(self, transfer: F64, parameters: F64, own: F64, loosened: float) -> F64:
        """Of the mean profile across the limb."""
        blurred = transfer[:, None] * self.scenes
        k2 = (2.0 * np.pi * self.series.k[:, None]) ** 2
        # A limb that lies elsewhere: the profile moved, to the second order of the shift.
        there = self.matrix @ (blurred * (1.0 - 0.5 * own[0] ** 2 * k2)) - own[0] * (self.slope @ blurred)
        design = np.column_stack([there, np.ones(self.bins.place.size)])
        sigma = self.bins.sigma + loosened * self.bins.values.max()
        return self.linear.rest(design / sigma[:, None], self.bins.values / sigma)


class SpectrumTerm:
    """The power of the disk's structure, against that of a finer image of such structure."""

    def __init__(self, power: Power, size: int, proxy: Proxy, model: CoreModel, q: float | None) -> None:
        self.k, self.theta, modes = wavenumbers(size)
        self.good = (modes > 0) & (self.k > 2.0 / size)
        mean = power.total / power.frames
        self.logarithm = np.log(np.maximum(mean, 1e-30))
        between = np.maximum(power.square / power.frames - mean**2, 0.0) / mean**2
        # Frames minutes apart show one scene: their scatter tells of noise, not of how the scene was drawn.
        independent = 9.0 / 4.0 * modes * max(1.0, min(power.frames, 10))
        self.sigma = np.sqrt(0.25 / independent + between / power.frames**2 + _POWER_FLOOR**2)
        self.proxy = np.interp(np.log(np.maximum(self.k, 1e-4)), np.log(proxy.k), proxy.logarithm)
        self.model, self.q = model, q
        self.wing = Wing.at(np.linspace(0.0, 0.5, 251))
        high = self.good & (self.k > 0.42)
        noise = float(np.log(np.exp(self.logarithm[high]).mean()))
        level = float(np.median((self.logarithm - self.proxy)[self.good & (self.k < 0.06)]))
        self.extra = (
            Bounds(
                "c0", level - 30.0, level + 30.0, 0.0, 0.0, "ln of the structure's power over the proxy's"
            ),
            Bounds("c1", -5.0, 5.0, 0.0, proxy.slope, "its slope"),
            Bounds("c2", -2.0, 2.0, 0.0, proxy.bend, "its bend"),
            Bounds("lnN", noise - 12.0, noise + 1.0, noise, 3.0, "ln of the power of noise"),
        )
        self.start = np.array([level, 0.0, 0.0, noise - 0.1])
        self.above = float(np.mean(self.logarithm[self.good] > noise + np.log(2.0)))
        """Share of the bins that lie above twice the noise."""

    def residuals(self, transfer: F64, parameters: F64, own: F64, loosened: float) -> F64:
        """Of the logarithm of the power in each bin."""
        del transfer
        w, lnr0, p = parameters[6:9]
        wing = np.interp(self.k, self.wing.k, self.wing(lnr0, p))
        value = (1.0 - w) * core(parameters, self.k, self.q, self.model, self.theta) + w * wing
        x = np.log(np.maximum(self.k, 1e-4) / 0.1)
        bright = (
            self.proxy + own[0] + own[1] * x + own[2] * x**2 + 2.0 * np.log(np.maximum(np.abs(value), 1e-12))
        )
        rest = (self.logarithm - np.logaddexp(bright, own[3])) / (self.sigma + loosened)
        found: F64 = rest[self.good]
        return found


@dataclass(frozen=True)
class Proxy:
    """The power of structure before any blur, up to a factor; how far its slope and bend may be off (1 σ)."""

    k: F64
    logarithm: F64
    slope: float = 0.15
    bend: float = 0.05

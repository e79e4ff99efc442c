"""What the likelihood is made of: terms that may each be left out, and that share the parameters of the PSF.

A term compares what was measured with what a transfer function makes of a scene it knows up to some
coefficients; those that enter linearly are solved for inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.limb import Circle
from pipeline.psf.hankel import Series
from pipeline.psf.model import Bounds, CoreModel, Wing, core
from pipeline.psf.occulter import DEPTHS, DISTANCES, Dark
from pipeline.psf.pupil import Opening
from pipeline.psf.rings import BIN, BINS, INNER, Rings
from pipeline.psf.statistics import Power, disk_power, patch_size, wavenumbers

F64 = NDArray[np.float64]

#: Of a mean profile: what no number of frames makes smaller, constant and of its brightness.
_FLOOR: Final = 5e-5
_RELATIVE: Final = 1e-4
#: Of the dark side: of the disk's brightness, and of its own, for the bright side is known blurred.
_DARK_FLOOR: Final = 1e-4
_DARK_RELATIVE: Final = 0.03
#: How far from its edge the bright side is measured in the mean, pixels: what wings took there is missing.
_MEASURED: Final = 32.0
#: Prior of the haze at the edge of a body, constant, rising, bent: the bright side ends at the Sun's limb.
_HAZE: Final = (0.05, 0.03, 0.01)
#: Depths between which what structure leaves in a mean profile is interpolated; pixels.
_KNOTS: Final = (0.0, 4.0, 8.0, 12.0, 17.0, 23.0, 30.0, 40.0, 55.0, 75.0)
#: Scenes, of those that a term has, whose edge may lie elsewhere.
_SHIFTED: Final = 5
#: Of mean powers: models of scenes are no better than this.
_POWER_FLOOR: Final = 0.2


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
        return self.solved(design, values)[1]

    def solved(self, design: F64, values: F64) -> tuple[F64, F64]:
        """The coefficients, and the residuals with those of the prior last."""
        whole = np.vstack([design, self.rows])
        wanted = np.concatenate([values, np.zeros(len(self.rows))])
        normal = whole.T @ whole
        normal[np.diag_indices_from(normal)] *= 1.0 + 1e-11
        found = np.linalg.solve(normal, whole.T @ wanted)
        return found, wanted - whole @ found


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
        rows, shared = [], rings.shared
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
                shared * (rings.white[inside] / weight**2).mean() / inside.size
                + _FLOOR**2
                + (_RELATIVE * value) ** 2
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


class Seen:
    """Circular scenes as they are seen in bins, for any transfer function and small shifts."""

    def __init__(self, series: Series, radius: float, bins: Bins, scenes: F64) -> None:
        self.shape = (bins.place.size, scenes.shape[1])
        at, step = radius + bins.place, 0.05
        there = series.profile(at, bins.width)
        slope = (series.profile(at + step, bins.width) - series.profile(at - step, bins.width)) / (2.0 * step)
        bend = -((2.0 * np.pi * series.k) ** 2) * there
        self.there, self.slope, self.bend = (
            np.concatenate([(one * scene) @ series.between for scene in taken.T])
            for one, taken in ((there, scenes), (slope, scenes[:, :_SHIFTED]), (bend, scenes[:, :_SHIFTED]))
        )

    def __call__(self, transfer: F64, shift: float) -> F64:
        """The scenes, moved outwards; shape (bin, scene)."""
        found = self.there @ transfer
        # The shift counts for what has an edge: scenes after those are smooth.
        moved = self.slope.shape[0]
        found[:moved] += -shift * (self.slope @ transfer) + 0.5 * shift**2 * (self.bend @ transfer)
        result: F64 = found.reshape(self.shape[::-1]).T
        return result


class LimbTerm:
    """The Sun's limb: a disk that darkens towards a sharp edge, a faint corona, a background."""

    extra = (Bounds("limb", -2.5, 2.5, 0.0, 0.0, "how far the limb lies from where it was found [pixel]"),)
    start = np.zeros(1)

    def __init__(self, rings: Rings, series: Series) -> None:
        radius = rings.radius / rings.frames
        self.bins = Bins.of(rings, -120.0, 110.0)
        # Brightness of the disk by powers of μ, of the corona, and of a background that was left.
        radii = np.arange(0.125, series.reach - 1.0, 0.25)
        beyond = radii > radius
        corona = np.where(beyond, np.exp(-(radii - radius) / 80.0), 0.0)
        # What structure of the disk leaves in the mean: hats along the radius, as high as sectors tell.
        left = _left(rings, -70.0, -20.0) + 1e-5
        hats = _hats(radius - radii) * ~beyond[:, None]
        disks = np.column_stack([series.disk(radius, power) for power in (0.0, 1.0, 2.0, 0.5)])
        rest = series.of_rings(radii, np.column_stack([corona, hats]))
        self.seen = Seen(series, radius, self.bins, np.column_stack([disks, rest]))
        self.width = width_of(self.bins)
        self.linear = Linear(np.array([0.0, 2.0, 2.0, 0.5, 0.01, *[2.0 * left] * hats.shape[1], 2e-4]))
        self.scenes = np.column_stack([disks, rest])
        self.rings, self.left = rings, left

    def residuals(self, transfer: F64, parameters: F64, own: F64, loosened: float) -> F64:
        """Of the mean profile across the limb."""
        return self._solved(transfer, own[0], loosened)[1]

    def scene(self, transfer: F64, shift: float) -> F64:
        """The transform of the Sun that fits best, before any blur."""
        found: F64 = self.scenes @ self._solved(transfer, shift, 0.0)[0][:-1]
        return found

    def _solved(self, transfer: F64, shift: float, loosened: float) -> tuple[F64, F64]:
        design = np.column_stack([self.seen(transfer, shift), np.ones(self.bins.place.size)])
        sigma = self.bins.sigma + loosened * self.bins.values.max()
        return self.linear.solved(design / sigma[:, None], self.bins.values / sigma)


class EdgeTerm:
    """The edge of a dark body: a step, brightness beyond it that is smooth, a haze on both sides.

    The haze is the wings' light from elsewhere; how bright it is deep in the dark is `DarkTerm`'s to tell.
    """

    extra = (Bounds("edge", -2.5, 2.5, 0.0, 0.0, "how far the edge lies from where it was found [pixel]"),)
    start = np.zeros(1)

    def __init__(self, rings: Rings, series: Series) -> None:
        radius = rings.radius / rings.frames
        self.bins = Bins.of(rings, -28.0, 42.0)
        radii = np.arange(0.125, series.reach - 1.0, 0.25)
        left = _left(rings, 20.0, 45.0) + 1e-4
        hats = _hats(radii - radius) * (radii > radius)[:, None]
        scenes = np.column_stack([series.disk(radius, 0.0), series.of_rings(radii, hats)])
        self.seen = Seen(series, radius, self.bins, scenes)
        self.haze = np.vander(self.bins.place / 28.0, len(_HAZE), increasing=True)
        self.width = width_of(self.bins)
        self.linear = Linear(np.array([0.0, *[2.0 * left] * hats.shape[1], *_HAZE]))
        self.scenes = scenes * np.array([-1.0, *[1.0] * hats.shape[1]])
        self.rings, self.left = rings, left

    def residuals(self, transfer: F64, parameters: F64, own: F64, loosened: float) -> F64:
        """Of the mean profile across the edge."""
        return self._solved(transfer, own[0], loosened)[1]

    def scene(self, transfer: F64, shift: float) -> F64:
        """The transform of what lies beyond the edge, before any blur; of the brightness that is everywhere
        nothing is in it."""
        found: F64 = self.scenes @ self._solved(transfer, shift, 0.0)[0][: -len(_HAZE)]
        return found

    def _solved(self, transfer: F64, shift: float, loosened: float) -> tuple[F64, F64]:
        there = self.seen(transfer, shift)
        there[:, 0] = 1.0 - there[:, 0]
        sigma = self.bins.sigma + loosened * self.bins.values.max()
        design = np.column_stack([there, self.haze])
        return self.linear.solved(design / sigma[:, None], self.bins.values / sigma)


def _left(rings: Rings, least: float, most: float) -> float:
    """How much structure is left in the mean over all frames."""
    inside = slice(int((least - INNER) / BIN), int((most - INNER) / BIN))
    variance = np.median(rings.smooth[inside] / np.maximum(rings.weight[inside], 1) ** 2)
    return float(np.sqrt(rings.shared * variance))


def _hats(depth: F64) -> F64:
    """Hats at knots of depths, one in a column."""
    knots = np.array(_KNOTS)
    found = [np.interp(depth, knots, one, left=one[0], right=0.0) for one in np.eye(knots.size)[:-1]]
    return np.stack(found, axis=1)


class DarkTerm:
    """How bright the dark side is, by depth: scattered light, and a background that was left."""

    extra = ()
    start = np.zeros(0)

    def __init__(self, dark: Dark, series: Series) -> None:
        known = dark.weight > 0.5 * dark.frames
        weight = dark.weight[known]
        self.values = dark.total[known] / weight
        self.matrix = dark.matrix[known] / weight[:, None]
        within = series.encircled(DISTANCES)
        self.shares = (within[1:] - within[:-1]) @ series.between
        # Of what shines, the bright side keeps what its own wings do not carry across its edge.
        middle = np.sqrt(DISTANCES[1:] * DISTANCES[:-1])
        self.lost = (np.arccos(np.minimum(_MEASURED / middle, 1.0)) / np.pi) @ self.shares
        self.deep = 0.5 * (DEPTHS[1:] + DEPTHS[:-1])[known]
        self.sigma = np.sqrt(_DARK_FLOOR**2 + (_DARK_RELATIVE * self.values) ** 2)
        self.linear = Linear(np.array([2e-4]))

    def residuals(self, transfer: F64, parameters: F64, own: F64, loosened: float) -> F64:
        """Of the mean brightness at each depth that the core does not reach."""
        shining = self.matrix @ (self.shares @ transfer) * (1.0 + self.lost @ transfer)
        sigma = self.sigma + 0.1 * loosened
        rest = self.linear.rest(1.0 / sigma[:, None], (self.values - shining) / sigma)
        reached = 0.53 / np.exp(parameters[0])
        rest[:-1] *= np.clip((self.deep / reached - 1.2) / 0.6, 0.0, 1.0)
        return rest


class SpectrumTerm:
    """The power of the disk's structure, against that of a finer image of such structure."""

    def __init__(
        self, power: Power, size: int, proxy: Proxy, model: CoreModel, opening: Opening | None
    ) -> None:
        self.k, self.theta, modes = wavenumbers(size)
        self.good = (modes > 0) & (self.k > 2.0 / size)
        mean = power.total / power.frames
        self.logarithm = np.log(np.maximum(mean, 1e-30))
        between = np.maximum(power.square / power.frames - mean**2, 0.0) / np.maximum(mean**2, 1e-60)
        # Frames minutes apart show one scene: their scatter tells of noise, not of how the scene was drawn.
        independent = 9.0 / 4.0 * np.maximum(modes, 1) * max(1.0, min(power.frames, 10))
        self.sigma = np.sqrt(0.25 / independent + between / power.frames**2 + _POWER_FLOOR**2)
        self.proxy = np.interp(np.log(np.maximum(self.k, 1e-4)), np.log(proxy.k), proxy.logarithm)
        self.model, self.opening = model, opening
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
        value = (1.0 - w) * core(parameters, self.k, self.opening, self.model, self.theta) + w * wing
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


def proxy_of(images: Sequence[tuple[NDArray[np.float32], Circle]], *, slope: float, bend: float) -> Proxy:
    """The power of structure in finer images, brought to the pixels of those that are blurred.

    Parameters
    ----------
    images
        Images and the disks in them.
    slope, bend
        How far its slope and bend in the logarithm of the wavenumber may be off (1 σ).
    """
    k, logarithm = [], []
    for image, sun in images:
        power = disk_power(image, sun)
        at, _, modes = wavenumbers(patch_size(sun.radius))
        known = (modes > 0).all(axis=1)
        k.append(at[known].mean(axis=1))
        logarithm.append(np.log(np.maximum(power.total[known].mean(axis=1), 1e-30)))
    common = k[0]
    mean = np.mean([np.interp(common, one, other) for one, other in zip(k, logarithm, strict=True)], axis=0)
    return Proxy(common, mean, slope, bend)

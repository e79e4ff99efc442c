"""What of a PSF depends on the direction, as edges tell it: how elliptical it is, how lopsided.

An edge shows how an image is blurred across it, and a circle has edges of all directions. To first order

    H(k, θ) = H₀(k) [1 + i φ₁(x) (c₁ cos θ + c₂ sin θ) + i φ₃(x) (t₁ cos 3θ + t₂ sin 3θ)]
              + ½ k H₀'(k) (e₁ cos 2θ + e₂ sin 2θ),    x = k / k½,
    φ₁ = x³ / (1 + x³/4),    φ₃ = x³ / [(x² + 1/20) (1 + x³/10)],

where H₀ is what the mean round the circle told and k½ the wavenumber at which it is a half: coma, trefoil,
ellipticity. Each makes a wave round the circle of its own order. A shift of the circle, or a disk that is not
quite round, moves the edge to and fro in the same order but with another profile, and is fitted beside it; so
is what structure leaves. Most of what trefoil does to an edge is to move it: a disk is taken for round in the
third order, but for a tenth of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.psf.hankel import Series
from pipeline.psf.reference import Parameter, Psf, Verdict
from pipeline.psf.rings import BIN, INNER, NEAR
from pipeline.psf.terms import EdgeTerm, LimbTerm
from pipeline.psf.waves import ORDERS

F64 = NDArray[np.float64]

#: Names of the heights, by order of the wave: cosine, sine.
NAMES: Final = {1: ("c1", "c2"), 2: ("e1", "e2"), 3: ("t1", "t2")}
MEANINGS: Final = {
    "c1": "coma along x: phase at half height [rad]",
    "c2": "coma along y: phase at half height [rad]",
    "e1": "ellipticity along x and y",
    "e2": "ellipticity along the diagonals",
    "t1": "trefoil, cosine: phase at half height [rad]",
    "t2": "trefoil, sine: phase at half height [rad]",
}
#: Distances from the edge over which waves are compared, in half widths of the PSF, and at least; pixels.
_REACH: Final = (3.0, 6.0)
#: Pixels by which the edge may be to and fro (1 σ), by order; a telescope's distortion makes no more trefoil.
_MOVED: Final = {1: 10.0, 2: 10.0, 3: 0.1}
#: What no number of frames makes smaller: of the brightness, and prior of a wave of the disk's brightness.
_FLOOR: Final = 3e-4
_DISK: Final = 0.02


#: Standard deviations that heights of an order may have: of a phase in radians, of an axis' ratio.
_KNOWN: Final = {1: 0.08, 2: 0.05, 3: 0.08}
#: Mean square of what may be left over; standard deviations from which on a height is one; and the part of
#: it that linear waves of strong aberrations are off by, measured on known PSFs.
_CHI2: Final = 4.0
_CLEAR: Final = 2.5
_SYSTEMATIC: Final = 0.15


@dataclass(frozen=True)
class Wave:
    """One order of what depends on the direction.

    Attributes
    ----------
    order
        How often it repeats in a turn.
    height
        Of the cosine and the sine.
    error
        Standard deviation of each.
    chi2
        Mean square of what is left over, over its variance.
    """

    order: int
    height: tuple[float, float]
    error: float
    chi2: float


@dataclass(frozen=True)
class Directions:
    """What of a PSF depends on the direction.

    Attributes
    ----------
    parameters
        Heights that are known, by their names in `NAMES`.
    half
        The wavenumber at which phases are told, cycles per pixel.
    ellipse, odd
        Where ellipticity, and coma with trefoil, come from.
    reasons
        Why one of them is not identified.
    """

    parameters: tuple[Parameter, ...] = ()
    half: float = 0.1
    ellipse: Verdict = Verdict.UNKNOWN
    odd: Verdict = Verdict.UNKNOWN
    reasons: tuple[str, ...] = ()

    def height(self, name: str) -> float:
        """Of one of them; 0 where it is not known."""
        return next((one.value for one in self.parameters if one.name == name), 0.0)

    def lopsided(self, k: F64, theta: F64) -> F64:
        """The phase of the transfer function."""
        c1, c2, t1, t2 = (self.height(name) for name in (*NAMES[1], *NAMES[3]))
        if not any((c1, c2, t1, t2)):
            return np.zeros(())
        coma = phase(k, self.half, 1) * (c1 * np.cos(theta) + c2 * np.sin(theta))
        trefoil = phase(k, self.half, 3) * (t1 * np.cos(3 * theta) + t2 * np.sin(3 * theta))
        found: F64 = coma + trefoil
        return found


def directions(
    told: Sequence[Sequence[Wave]], half: float, laboratory: Psf | None, spectrum: Sequence[Parameter] = ()
) -> Directions:
    """What edges tell, the laboratory's values where they do not.

    Parameters
    ----------
    told
        The waves of each edge.
    half
        The wavenumber at which the transfer function is a half.
    laboratory
        The PSF that was measured before launch.
    spectrum
        The ellipticity that structure on the disk suggests, which stands where nothing better is known.
    """
    parameters: list[Parameter] = []
    verdicts, reasons = {}, []
    for what, orders in (("ellipticity", (2,)), ("coma and trefoil", (1, 3))):
        waves = [_together([one for edge in told for one in edge if one.order == order]) for order in orders]
        why = [reason for order, wave in zip(orders, waves, strict=True) if (reason := _doubt(order, wave))]
        known = [one for wave in waves if wave is not None for one in _parameters(wave)]
        names = [name for order in orders for name in NAMES[order]]
        before = [one for one in (laboratory.parameters if laboratory else ()) if one.name in names]
        if not why:
            verdicts[what] = Verdict.IDENTIFIED
        elif before:
            known, verdicts[what] = before, Verdict.LABORATORY
            reasons.append(f"{what}: that of the laboratory, for {'; '.join(why)}")
        else:
            known = [one for one in spectrum if one.name in names]
            verdicts[what] = Verdict.UNKNOWN
            stands = "that which the spectrum suggests" if known else "taken as none"
            reasons.append(f"{what}: not identified, {stands}, for {'; '.join(why)}")
        parameters += known
    return Directions(
        tuple(parameters), half, verdicts["ellipticity"], verdicts["coma and trefoil"], tuple(reasons)
    )


def _together(waves: Sequence[Wave]) -> Wave | None:
    """One order as several edges tell it, weighted by how well each knows it."""
    if not waves:
        return None
    weights = np.array([1.0 / one.error**2 for one in waves])
    first, second = (float(weights @ [one.height[n] for one in waves] / weights.sum()) for n in (0, 1))
    return Wave(waves[0].order, (first, second), float(weights.sum() ** -0.5), max(one.chi2 for one in waves))


def _doubt(order: int, wave: Wave | None) -> str:
    """Why an order cannot be believed; nothing where it can."""
    if wave is None:
        return "no edge was seen all round"
    if not wave.error <= _KNOWN[order]:
        return f"wave {order} round the edge is known to {wave.error:.2f} only"
    if not wave.chi2 <= _CHI2:
        return f"wave {order} round the edge is not what a PSF makes (chi2 {wave.chi2:.1f})"
    return ""


def _parameters(wave: Wave) -> list[Parameter]:
    """The heights of an order; none that is no more than its error, for then it is 0 as far as is known."""
    clear = np.hypot(*wave.height) > _CLEAR * wave.error
    found = []
    for name, value in zip(NAMES[wave.order], wave.height, strict=True):
        error = float(np.hypot(wave.error, _SYSTEMATIC * value))
        found.append(Parameter(name, value if clear else 0.0, error, MEANINGS[name]))
    return found


def phase(k: F64, half: float, order: int) -> F64:
    """How a phase grows with the wavenumber: 0.8 to 0.9 where the transfer function is a half."""
    x = k / half
    found: F64 = x**3 / (1.0 + 0.25 * x**3) if order == 1 else x**3 / ((x**2 + 0.05) * (1.0 + 0.1 * x**3))
    return found


def half_height(k: F64, transfer: F64) -> float:
    """The wavenumber at which a transfer function falls to a half."""
    below = np.flatnonzero(transfer < 0.5)
    if not below.size or below[0] == 0:
        return float(k[-1])
    n = int(below[0])
    share = (transfer[n - 1] - 0.5) / max(transfer[n - 1] - transfer[n], 1e-9)
    return float(k[n - 1] + share * (k[n] - k[n - 1]))


def waves_of(
    term: LimbTerm | EdgeTerm, series: Series, transfer: F64, shift: float, fwhm: float
) -> Sequence[Wave]:
    """The orders that an edge tells; none of an edge too little of which was seen."""
    heights, errors = term.rings.waves.solved()
    errors = errors * np.sqrt(term.rings.shared)
    place = INNER + BIN * (np.arange(NEAR.start, NEAR.stop) + 0.5)
    if heights.shape[1] != place.size:
        return []
    reach = max(_REACH[0] * 0.5 * fwhm, _REACH[1])
    near = (np.abs(place) < min(reach, 28.0)) & np.isfinite(heights).all(axis=0)
    if near.sum() < 20:
        return []
    radius = term.rings.radius / term.rings.frames
    # The edge lies where the fit of the mean has put it.
    at, scene = radius + place[near] - shift, term.scene(transfer, shift)
    blurred = series.between @ transfer
    flat = scene * blurred
    moved = (series.profile(at + 0.05) - series.profile(at - 0.05)) @ flat / 0.1
    # What structure and the disk's brightness leave: each part of the scene, seen without any wave in it.
    parts = series.profile(at) @ (term.scenes * blurred[:, None])
    priors = np.full(parts.shape[1], _DISK)
    priors[-9:] = 3.0 * term.left + 1e-4
    found = []
    for order in ORDERS:
        told = _told_by(order, series, transfer, scene)
        shape = series.profile(at, order=order) @ told
        design = np.column_stack([shape, moved, parts, np.ones(at.size)])
        prior = np.array([10.0, _MOVED[order], *priors, 1e-3])
        pair = slice(2 * order - 1, 2 * order + 1)
        found.append(_fitted(order, design, prior, heights[pair][:, near], errors[pair][:, near]))
    return found


def _told_by(order: int, series: Series, transfer: F64, scene: F64) -> F64:
    """The transform of the wave that a height of 1 makes, with the sign of its Bessel function."""
    if order == 2:
        slope = np.gradient(series.between @ transfer, series.k)
        return -0.5 * series.k * slope * scene
    half = half_height(series.nodes, transfer)
    sign = -1.0 if order == 1 else 1.0
    found: F64 = sign * phase(series.k, half, order) * (series.between @ transfer) * scene
    return found


def _fitted(order: int, design: F64, prior: F64, heights: F64, errors: F64) -> Wave:
    """Both heights of an order by least squares, and how well each is known."""
    height, error, chi2 = [], [], []
    for value, sigma in zip(heights, errors, strict=True):
        weight = 1.0 / np.hypot(sigma, _FLOOR)
        whole = np.vstack([design * weight[:, None], np.diag(1.0 / prior)])
        wanted = np.concatenate([value * weight, np.zeros(prior.size)])
        inverse = np.linalg.pinv(whole.T @ whole)
        found = inverse @ (whole.T @ wanted)
        rest = (wanted - whole @ found)[: value.size]
        free = max(value.size - 6, 1)
        chi2.append(float(rest @ rest / free))
        height.append(float(found[0]))
        error.append(float(np.sqrt(inverse[0, 0] * max(1.0, chi2[-1]))))
    return Wave(order, (height[0], height[1]), max(error), max(chi2))

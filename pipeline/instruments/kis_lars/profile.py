"""What a line says: velocity of its core, its bisector, and how sure that is."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from pipeline.instruments.kis_lars.facts import F64, LIGHT

_TURNS: Final = 8
#: Newton's steps from where two pixels lie on either side of a level.
_NEWTON: Final = 4


class Core(NamedTuple):
    """The bottom of a line: wavelength, its error, and intensity there."""

    wavelength: float
    error: float
    intensity: float


class Bisector(NamedTuple):
    """Middles of a line at several depths.

    Attributes
    ----------
    wavelength, error
        One for each depth; NaN where the line does not reach.
    mean, mean_error
        Of all depths.
    """

    wavelength: F64
    error: F64
    mean: float
    mean_error: float


def continuum(wavelength: F64, intensity: F64, free: NDArray[np.bool_], order: int, turns: int) -> F64:
    """A polynomial through the continuum.

    Pixels off it by more than 2.5 standard deviations, such as faint lines, are left out.

    Parameters
    ----------
    wavelength, intensity
        Of the spectrum.
    free
        Pixels with a value where no line is known.
    order
        Of the polynomial.
    turns
        How often pixels are left out.
    """
    place = (wavelength - wavelength.mean()) / (0.5 * np.ptp(wavelength))
    used = free.copy()
    found = polynomial.polyfit(place[used], intensity[used], order)
    for _ in range(turns):
        away = intensity - polynomial.polyval(place, found)
        middle = float(np.median(away[used]))
        spread = 1.4826 * float(np.median(np.abs(away[used] - middle)))
        keep = free & (np.abs(away - middle) <= 2.5 * spread)
        if np.count_nonzero(keep) <= 4 * (order + 1):
            break
        if (keep == used).all():
            break
        used = keep
        found = polynomial.polyfit(place[used], intensity[used], order)
    return np.asarray(polynomial.polyval(place, found))


def core(wavelength: F64, intensity: F64, sigma: F64, around: float, half: float) -> Core | None:
    """The lowest point of a line, by a parabola.

    Weights fall to zero at `half` from the lowest point, so that no pixel comes or goes at once: for a line
    that is symmetric the parabola's middle is the line's, wherever the pixels lie.

    Parameters
    ----------
    wavelength, intensity, sigma
        Of the spectrum and its noise.
    around
        Where the line is looked for.
    half
        Half width of the part that is fitted, Å.

    Returns
    -------
    Core or None
        `None` where there is no lowest point.
    """
    middle = around
    for _ in range(_TURNS):
        away = (wavelength - middle) / half
        near = np.abs(away) < 1.0
        if np.count_nonzero(near) < 5 or not np.isfinite(intensity[near]).all():
            return None
        weight = (1.0 - away[near] ** 2) ** 2
        basis = np.stack([np.ones_like(weight), away[near], away[near] ** 2], axis=1)
        pseudo = np.linalg.solve(basis.T @ (weight[:, None] * basis), (weight[:, None] * basis).T)
        level, slope, bend = pseudo @ intensity[near]
        if bend <= 0:
            return None
        step = -slope / (2.0 * bend)
        middle += half * float(np.clip(step, -0.5, 0.5))
        if abs(step) < 1e-7:
            break
    else:
        return None
    error = half / (2.0 * bend) * float(np.sqrt(np.sum((pseudo[1] * sigma[near]) ** 2)))
    return Core(middle, error, float(level - slope**2 / (4.0 * bend)))


def bisector(
    wavelength: F64, intensity: F64, sigma: F64, bottom: Core, depths: F64, half: float
) -> Bisector | None:
    """Middles between the two sides of a line.

    Parameters
    ----------
    wavelength, intensity, sigma
        Of the spectrum, its continuum at 1, and its noise.
    bottom
        The line's core.
    depths
        Parts of the way from the continuum (0) to the core (1).
    half
        How far from the core the line is followed, Å.
    """
    near = np.abs(wavelength - bottom.wavelength) < half
    if not np.isfinite(intensity[near]).all() or np.count_nonzero(near) < 8:
        return None
    places, values, noise = wavelength[near], intensity[near], sigma[near]
    spline = CubicSpline(places, values)
    levels = 1.0 - depths * (1.0 - bottom.intensity)
    sides = [_crossings(places, values, spline, bottom.wavelength, levels, side) for side in (-1, 1)]
    middles = 0.5 * (sides[0] + sides[1])
    reached = np.isfinite(middles)
    if not reached.any():
        return None
    jacobian = np.zeros((len(levels), len(places)))
    for side in sides:
        jacobian += 0.5 * _influence(places, spline, side)
    mean = jacobian[reached].mean(axis=0)
    return Bisector(
        middles,
        np.where(reached, np.sqrt(((jacobian * noise) ** 2).sum(axis=1)), np.nan),
        float(middles[reached].mean()),
        float(np.sqrt(((mean * noise) ** 2).sum())),
    )


def _crossings(places: F64, values: F64, spline: CubicSpline, middle: float, levels: F64, side: int) -> F64:
    """Where one side of a line first reaches levels, going out from its middle; NaN where it never does."""
    start = int(np.searchsorted(places, middle))
    order = np.arange(start, len(places)) if side > 0 else np.arange(start - 1, -1, -1)
    highest = np.maximum.accumulate(values[order])
    index = np.searchsorted(highest, levels)
    found = np.full(len(levels), np.nan)
    reached = index < len(order)
    outer = places[order[np.minimum(index, len(order) - 1)]]
    before = np.where(index > 0, places[order[np.maximum(index - 1, 0)]], middle)
    low, high = spline(before), spline(outer)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.clip((levels - low) / (high - low), 0.0, 1.0)
    place = before + part * (outer - before)
    for _ in range(_NEWTON):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (spline(place) - levels) / spline(place, 1)
        place = np.clip(
            np.where(np.isfinite(step), place - step, place),
            np.minimum(before, outer),
            np.maximum(before, outer),
        )
    found[reached] = place[reached]
    return found


def _influence(places: F64, spline: CubicSpline, crossing: F64) -> F64:
    """How much a crossing moves with the intensity of each pixel, as if interpolated along straight lines."""
    made = np.zeros((len(crossing), len(places)))
    rows = np.flatnonzero(np.isfinite(crossing))
    index = np.clip(np.searchsorted(places, crossing[rows]) - 1, 0, len(places) - 2)
    part = (crossing[rows] - places[index]) / (places[index + 1] - places[index])
    slope = spline(crossing[rows], 1)
    made[rows, index] = -(1.0 - part) / slope
    made[rows, index + 1] = -part / slope
    return made


def velocity(wavelength: F64 | float, rest: float) -> F64 | float:
    """Velocity away from us, m/s."""
    return LIGHT * (wavelength - rest) / rest

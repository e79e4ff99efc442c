"""A wavelength scale from lines whose places are known, or from an atlas of the Sun's spectrum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares

from pipeline.instruments.kis_gris.calibration_file import Atlas
from pipeline.instruments.kis_gris.lines import Line

F64 = NDArray[np.float64]

#: Å: half width by which a line of the list is drawn to be looked for, and around it that its core is fitted.
_DRAWN, _CORE = 0.13, 0.16
_ROUNDS: Final = 6
#: Steps of the search for the dispersion.
_TRIALS: Final = 61
#: Correlation below which the spectrum is not that of the region.
LEAST_ALIKE: Final = 0.5


class Scale(NamedTuple):
    """A linear wavelength scale in air.

    Attributes
    ----------
    first, step
        Å of the first pixel, and from one to the next.
    scatter
        Å by which lines are off it, or the residual of an atlas says (root mean square).
    number
        Lines, or points of the atlas, that it rests on.
    alike
        Correlation of the spectrum with what was looked for.
    """

    first: float
    step: float
    scatter: float
    number: int
    alike: float


def drawn(lines: Sequence[Line]) -> Callable[[F64], F64]:
    """The spectrum that a list of lines lets one expect, as depth over wavelength."""

    def depth(at: F64) -> F64:
        found = np.zeros_like(at)
        for line in lines:
            found += line.depth * np.exp(-(((at - line.wavelength) / _DRAWN) ** 2))
        return found

    return depth


def of_atlas(atlas: Atlas) -> Callable[[F64], F64]:
    """The depth of an atlas over wavelength; 0 outside."""

    def depth(at: F64) -> F64:
        return np.interp(at, atlas.wavelengths, 1.0 - atlas.intensity, left=0.0, right=0.0)

    return depth


def found_by(
    depth: F64,
    expected: Callable[[F64], F64],
    around: float,
    nominal: float,
    *,
    reach: float,
    tolerance: float,
) -> Scale:
    """Where a spectrum lies, by its likeness to what is expected.

    Parameters
    ----------
    depth
        1 less the spectrum over its continuum.
    expected
        Depth over wavelength.
    around, nominal
        Å of the spectrum's middle, and from one pixel to the next, as they should be.
    reach, tolerance
        Å by which the middle may be elsewhere, and part by which the step may be another.
    """
    seen = depth - depth.mean()
    length = float(np.sqrt(np.sum(seen**2)))
    best = Scale(around, nominal, np.inf, 0, -1.0)
    more = int(reach / nominal)
    for step in nominal * (1.0 + np.linspace(-tolerance, tolerance, _TRIALS if tolerance else 1)):
        first = around - 0.5 * (depth.size - 1) * step - more * step
        template = expected(first + step * np.arange(depth.size + 2 * more))
        sums, squares = (np.concatenate([[0.0], np.cumsum(template**power)]) for power in (1, 2))
        size = depth.size
        mean = (sums[size:] - sums[:-size]) / size
        spread = np.sqrt(np.maximum(squares[size:] - squares[:-size] - size * mean**2, 1e-12))
        likeness = np.correlate(template, seen, mode="valid") / (length * spread)
        place = int(np.argmax(likeness))
        if likeness[place] > best.alike:
            best = Scale(first + place * step, float(step), np.inf, 0, float(likeness[place]))
    return best


def by_lines(depth: F64, guess: Scale, lines: Sequence[Line]) -> Scale:
    """A straight line through the cores of known lines; the guess where fewer than two are seen."""
    pixels, known, weights = [], [], []
    for line in lines:
        centre = (line.wavelength - guess.first) / guess.step
        found = _core(depth, centre, max(2.0, _CORE / guess.step)) if line.ruler else None
        if found is not None:
            pixels.append(found)
            known.append(line.wavelength)
            weights.append(line.depth)
    if len(pixels) < 2:
        return guess
    at, waves = np.array(pixels), np.array(known)
    middle = 0.5 * (depth.size - 1)
    step, centre = np.polyfit(at - middle, waves, 1, w=np.array(weights))
    away = waves - (centre + step * (at - middle))
    freedom = max(len(pixels) - 2, 1)
    scatter = float(np.sqrt(np.sum(away**2) / freedom)) if len(pixels) > 2 else 0.0
    return Scale(float(centre - step * middle), float(step), scatter, len(pixels), guess.alike)


def off_lines(depth: F64, scale: Scale, lines: Sequence[Line], reach: float) -> float | None:
    """Å by which a wavelength scale says too much, by the cores of known lines; none where none is seen.

    Parameters
    ----------
    depth
        1 less the spectrum over its continuum.
    scale
        As a header has it.
    lines
        Where they are known to be.
    reach
        Å by which it may be off.
    """
    middle = scale.first + 0.5 * (depth.size - 1) * scale.step
    guess = found_by(depth, drawn(lines), middle, scale.step, reach=reach, tolerance=0.0)
    if guess.alike < LEAST_ALIKE:
        return None
    sharp = [line for line in lines if line.ruler]
    cores = [
        _core(depth, (line.wavelength - guess.first) / guess.step, max(2.0, _CORE / guess.step))
        for line in sharp
    ]
    found = [
        (line.depth, scale.first + scale.step * core - line.wavelength)
        for line, core in zip(sharp, cores, strict=True)
        if core is not None
    ]
    weights = sum(weight for weight, _ in found)
    return sum(weight * off for weight, off in found) / weights if weights else None


def _core(depth: F64, centre: float, reach: float) -> float | None:
    """The place of a line's core near a pixel: the top of a parabola, again and again about that top.

    Pixels count the less the farther they are off, so that none of them comes in or drops out with a jump.
    """
    for _ in range(_ROUNDS):
        low, high = int(np.ceil(centre - 2.0 * reach)), int(np.floor(centre + 2.0 * reach))
        if low < 0 or high >= depth.size:
            return None
        at = np.arange(low, high + 1) - centre
        weights = np.exp(-((at / (0.7 * reach)) ** 2))
        curve, slope, _ = np.polyfit(at, depth[low : high + 1], 2, w=weights)
        if curve >= 0 or abs(slope / (2 * curve)) > 2.0 * reach:
            return None
        centre -= slope / (2.0 * curve)
    return float(centre)


def by_atlas(depth: F64, guess: Scale, atlas: Atlas) -> Scale:
    """The scale on which an atlas, blurred and veiled by stray light, is most like the spectrum."""
    middle, at = 0.5 * (depth.size - 1), np.arange(depth.size)
    grid = float(np.median(np.diff(atlas.wavelengths)))

    def model(values: F64) -> F64:
        centre, stretch, blur, share, offset = values
        blurred = gaussian_filter1d(1.0 - atlas.intensity, abs(blur) / grid)
        waves = centre + guess.step * (1.0 + stretch) * (at - middle)
        return np.asarray(share * np.interp(waves, atlas.wavelengths, blurred) + offset)

    start = np.array([guess.first + guess.step * middle, 0.0, 0.05, 1.0, 0.0])
    # A slit's mean may be blended by what the atlas does not have: outliers count little.
    fitted = least_squares(
        lambda values: model(values) - depth,
        start,
        x_scale=[0.01, 1e-4, 0.02, 0.1, 0.01],
        loss="soft_l1",
        f_scale=0.02,
    )
    centre, stretch, *_ = fitted.x
    step = guess.step * (1.0 + stretch)
    scatter = float(np.sqrt(np.mean((model(fitted.x) - depth) ** 2)))
    slope = float(np.sqrt(np.mean(np.gradient(depth, step) ** 2))) or 1.0
    return Scale(float(centre - step * middle), float(step), scatter / slope, depth.size, guess.alike)

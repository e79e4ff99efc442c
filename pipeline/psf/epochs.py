"""Whether the frames of a PSF are of one epoch: how wide an edge is, frame by frame, in order of time.

A telescope changes when it is focused anew, when it warms, when a filter is changed. A PSF of frames before
and after would be that of neither. What is asked of a frame is one number, which needs no scene: over how
many pixels brightness falls at the limb, or at the edge of a body before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import least_squares

from pipeline.psf.rings import BIN, BINS, INNER, Rings

F64 = NDArray[np.float64]

#: Distances from an edge over which it is followed, pixels.
_NEAR: Final = 10.0
#: Change of an edge's width that makes another epoch: as much as an answer may be wrong; what lies beyond
#: the edge of a body differs from frame to frame by nearly as much, so that there it is twice that.
CHANGE: Final = {"limb": 0.1, "occulter": 0.2}
#: By how many standard deviations it has to stand out, and frames that have to tell it on either side.
_SURE: Final = 6.0
#: The same of a drift, for which one line is tried and not many cuts.
_LINE: Final = 4.0
_FEWEST: Final = 3
#: No width is known better than this.
_FLOOR: Final = 0.005
_NORMAL: Final = 1.4826
#: Standard deviations from an edge beyond which nothing is blurred.
_FAR: Final = 20.0

#: Of each frame by name: when it began, what edge it shows, and how wide that is.
Edges = Mapping[str, tuple[str, str, float]]


def edge_width(rings: Rings) -> float:
    """Standard deviation of the blur that an edge shows, pixels; NaN where it shows none."""
    place: F64 = np.asarray(INNER + BIN * (np.arange(BINS) + 0.5), np.float64)
    mean = rings.total / np.maximum(rings.weight, 1)
    near = (np.abs(place) < _NEAR) & (rings.weight > 0)
    if near.sum() < _NEAR:
        return float("nan")
    at, value = place[near], mean[near]
    limb = bool(value[:6].mean() > value[-6:].mean())

    def apart(x: F64) -> F64:
        # A step on a background. Within the limb brightness rises as the root of the depth, blurred as the
        # step is: a slope in its stead would take the Sun's darkening for blur. Beyond a body it is even.
        depth = (x[0] - at if limb else at - x[0]) / x[1]
        step = special.ndtr(depth)
        rise = np.sqrt(x[1]) * blurred_root(depth) if limb else at * step
        design = np.column_stack([np.ones_like(at), step, rise])
        rest: F64 = value - design @ np.linalg.lstsq(design, value, rcond=None)[0]
        return rest

    found = least_squares(apart, [0.0, 2.0], bounds=([-4.0, 0.2], [4.0, _NEAR]))
    return float(found.x[1])


def blurred_root(depth: F64) -> F64:
    """The root of a depth, 0 where there is none, blurred by a Gaussian; in its standard deviations.

    Γ(3/2) / √(2π) e^(−x²/4) D₋₃⸝₂(−x) with Whittaker's function D (Abramowitz and Stegun, 19.5.3).
    """
    near = np.clip(depth, -_FAR, _FAR)
    within = 0.5 / np.sqrt(2.0) * np.exp(-0.25 * near**2) * special.pbdv(-1.5, -near)[0]
    deep = np.maximum(depth, _FAR)
    found: F64 = np.where(depth > _FAR, np.sqrt(deep) * (1.0 - 0.125 / deep**2), within)
    return found


def changes(edges: Edges) -> list[tuple[str, float]]:
    """When a new epoch began, and by what share the edge's width changed there; in order of time.

    Parameters
    ----------
    edges
        Of each frame.
    """
    found: dict[str, float] = {}
    for kind in sorted({one[1] for one in edges.values()}):
        told = sorted(
            (begin, name, width)
            for name, (begin, of, width) in edges.items()
            if of == kind and begin and np.isfinite(width)
        )
        widths = np.array([width for *_, width in told])
        found |= {told[n][0]: change for n, change in _steps(widths, CHANGE[kind])}
    return sorted(found.items())


def drift(edges: Edges) -> float:
    """By what share the edge's width changes evenly from the first frame to the last; 0 where it does not.

    Counts where it is sure, and so much that the mean's PSF would be wrong by half of `CHANGE` and more.
    """
    most = 0.0
    for kind in sorted({one[1] for one in edges.values()}):
        told = sorted((one[0], one[2]) for one in edges.values() if one[1] == kind and np.isfinite(one[2]))
        number = len(told)
        if number <= _FEWEST:
            continue
        place, widths = np.linspace(-0.5, 0.5, number), np.array([width for _, width in told])
        slope, middle = np.polyfit(place, widths, 1)
        rest = np.sqrt(np.sum((widths - middle - slope * place) ** 2) / (number - 2))
        error = max(float(rest), _FLOOR * middle) / np.sqrt(np.sum(place**2))
        change = slope / (middle - 0.5 * abs(slope))
        if abs(slope) > _LINE * error and abs(change) > max(1.2 * CHANGE[kind], abs(most)):
            most = float(change)
    return most


def _steps(widths: F64, enough: float, first: int = 0) -> Iterator[tuple[int, float]]:
    """Where a row of values steps, and by how much: the clearest step first, then those on its sides."""
    at, change = _clearest(widths, enough)
    if not at:
        return
    yield from _steps(widths[:at], enough, first)
    yield first + at, change
    yield from _steps(widths[at:], enough, first + at)


def _clearest(values: F64, enough: float) -> tuple[int, float]:
    """Where the values after differ most from those before; 0 where they do not."""
    if values.size < 2 * _FEWEST:
        return 0, 0.0
    # How neighbours differ tells the scatter, whatever steps there are; how a value differs from the mean of
    # its neighbours, whatever drift there is.
    apart = (
        np.median(np.abs(np.diff(values))) / np.sqrt(2.0),
        np.median(np.abs(np.diff(values, 2))) / np.sqrt(6.0),
    )
    scatter = max(_NORMAL * float(min(apart)), _FLOOR * float(np.median(values)))
    best, at, share = 0.0, 0, 0.0
    for n in range(_FEWEST, values.size - _FEWEST + 1):
        before, after = float(np.median(values[:n])), float(np.median(values[n:]))
        sure = abs(after - before) / (1.25 * scatter * np.sqrt(1.0 / n + 1.0 / (values.size - n)))
        # Of cuts that are all sure, the one that leaves least on both sides.
        left = np.abs(values[:n] - before).sum() + np.abs(values[n:] - after).sum()
        score = 1.0 / (left + 1e-9)
        if sure > _SURE and abs(after - before) > enough * min(before, after) and score > best:
            best, at, share = score, n, after / before - 1.0
    return at, share

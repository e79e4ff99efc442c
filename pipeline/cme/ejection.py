"""Ejections with the heights of their fronts, and what a line and a parabola make of these."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.cme.lines import Candidate, candidates
from pipeline.cme.series import F32, F64, RADIUS, Search, Series, significance

#: Degrees on either side of the strongest angle over which a front's height is measured.
_SECTOR: Final = 6.0
#: Significance of the sector's mean below which a frame shows no front.
_LEAST: Final = 3.0
#: How far from where it is expected a front is looked for, as parts of the field, turn by turn.
_REACH: Final = (0.16, 0.10, 0.07, 0.07)
#: How near to either end of the field no crest is measured, as a part of its height: the half of a front that
#: is seen there has another middle.
_EDGE: Final = 0.06
#: Share of the highest significance from which on an angle may lead, and how many of them are tried.
_CLEAR: Final = 0.6
_TRIED: Final = 24
#: Points that a parabola needs at least.
_PARABOLA: Final = 6
#: Standard deviations beyond which a height is left out.
_OUTLIER: Final = 3.5


class Fit(NamedTuple):
    """A polynomial through heights.

    Attributes
    ----------
    speed, speed_error
        km/s, in the middle of the times for a parabola; one standard deviation.
    acceleration, acceleration_error
        m/s²; NaN for a line.
    """

    speed: float
    speed_error: float
    acceleration: float = math.nan
    acceleration_error: float = math.nan


class Ejection(NamedTuple):
    """One ejection.

    Attributes
    ----------
    position_angle, width
        [deg] Of its middle, from solar north through east; from edge to edge, 360 of a full halo.
    front_angle
        [deg] Where the front is farthest out, and its height is measured.
    line, parabola
        Fits to the heights; the parabola is of NaN where there are too few.
    speed_median, speed_least, speed_most
        km/s over its position angles, by the lines that were tried.
    seconds, heights
        Of its front: middles of exposures, solar radii of the crest.
    scatter
        Standard deviation of the heights about the better fit, solar radii.
    score, confidence
        Significance of its strongest line; a rank from 0 to 1, no probability.
    """

    position_angle: float
    width: float
    front_angle: float
    line: Fit
    parabola: Fit
    speed_median: float
    speed_least: float
    speed_most: float
    seconds: F64
    heights: F64
    scatter: float
    score: float
    confidence: float


def found_in(series: Series, search: Search) -> tuple[list[Ejection], F32]:
    """The ejections of a series, in order of time, and the significance (t, h, a) they were found in."""
    significant = significance(series, search.lag_of(series))
    made: list[Ejection] = []
    for one in candidates(series, significant, search):
        ejection = _followed(series, significant, one, search)
        if ejection is not None and not any(_same(ejection, other, series.field) for other in made):
            made.append(ejection)
    return sorted(made, key=lambda one: float(one.seconds[0])), significant


def sector(series: Series, values: F32, angle: float) -> F32:
    """Means over the position angles about one, times the root of their number; shape (t, h)."""
    away = np.abs((series.angles - angle + 180.0) % 360.0 - 180.0)
    near = values[..., away <= max(_SECTOR, float(away.min()))]
    return np.asarray(near.mean(axis=2) * math.sqrt(near.shape[2]), np.float32)


def _followed(series: Series, significant: F32, one: Candidate, search: Search) -> Ejection | None:
    """A candidate whose front can be followed through enough frames, where it is farthest out."""
    clear = np.flatnonzero(one.scores >= _CLEAR * one.scores.max())
    tracks = []
    for place in clear[:: max(1, len(clear) // _TRIED)]:
        angle = float(series.angles[one.angles[place]])
        plane = sector(series, significant, angle)
        track = _track(series, plane, one.speeds[place], one.crossing, search)
        if track is not None:
            tracks.append((angle, *track))
    if not tracks:
        return None
    # Where it is at one time; angles side by side together, so that no single one leads by chance.
    at = np.array([np.interp(one.crossing, seconds, heights) for _, seconds, heights in tracks])
    wide = np.pad(at, 2, mode="edge")
    leading = np.convolve(wide, np.full(5, 0.2), mode="valid")
    angle, seconds, heights = tracks[int(leading.argmax())]
    line, scatter = fitted(seconds, heights, 1)
    parabola = Fit(math.nan, math.nan)
    if len(seconds) >= _PARABOLA:
        parabola, scatter = fitted(seconds, heights, 2)
    # A front that was lost for another one does not move as the line does that it was found by.
    if (
        not 0.5 * one.speeds.min() <= line.speed <= 2.0 * one.speeds.max()
        or line.speed < 3.0 * line.speed_error
    ):
        return None
    step = float(series.angles[1] - series.angles[0])
    width = min(360.0, len(one.angles) * step)
    place = float(series.angles[one.angles[0]]) + 0.5 * (len(one.angles) - 1) * step
    score = float(one.scores.max())
    return Ejection(
        position_angle=angle if width >= 360.0 else place % 360.0,
        width=width,
        front_angle=angle,
        line=line,
        parabola=parabola,
        speed_median=float(np.median(one.speeds)),
        speed_least=float(one.speeds.min()),
        speed_most=float(one.speeds.max()),
        seconds=seconds,
        heights=heights,
        scatter=scatter,
        score=score,
        confidence=_confidence(score, search, width, len(seconds)),
    )


def _track(
    series: Series, plane: F32, speed: float, crossing: float, search: Search
) -> tuple[F64, F64] | None:
    """Times and heights of a front along a line that is known about; none where it is lost."""
    course = np.array([speed / RADIUS, 0.5 * float(series.heights[0] + series.heights[-1])])
    seconds, heights = np.zeros(0), np.zeros(0)
    for reach in _REACH:
        expected = np.polyval(course, series.seconds - crossing)
        seconds, heights = _crests(series, plane, expected, reach)
        if len(seconds) < search.least_frames or np.ptp(heights) < 3.0 * series.step:
            return None
        course = np.polyfit(seconds - crossing, heights, 2 if len(seconds) >= _PARABOLA else 1)
    kept = _without_outliers(seconds, heights)
    return (seconds[kept], heights[kept]) if kept.sum() >= search.least_frames else None


def _crests(series: Series, plane: F32, expected: F64, reach: float) -> tuple[F64, F64]:
    """Of each frame, the height of the brightest place near where the front is expected, if it stands out."""
    low, high = float(series.heights[0]), float(series.heights[-1])
    around = reach * (high - low)
    times, heights = [], []
    for second, profile, place in zip(series.seconds, plane, expected, strict=True):
        near = np.flatnonzero(np.abs(series.heights - place) <= around)
        if len(near) < 3 or not low < place < high:
            continue
        top = near[int(profile[near].argmax())]
        # At the window's and the field's ends the crest may lie beyond.
        crest = float(series.heights[top])
        cut = top in (near[0], near[-1]) or min(crest - low, high - crest) < _EDGE * crest
        if profile[top] < _LEAST or cut:
            continue
        own = near[(profile[near] > 0.5 * profile[top]) & (np.abs(near - top) <= 4)]
        times.append(second)
        heights.append(float(np.average(series.heights[own], weights=profile[own])))
    return np.array(times), np.array(heights)


def _without_outliers(seconds: F64, heights: F64) -> NDArray[np.bool_]:
    degree = 2 if len(seconds) >= _PARABOLA else 1
    kept = np.ones(len(seconds), bool)
    for _ in range(3):
        if kept.sum() <= degree + 2:
            break
        origin = seconds[kept].mean()
        course = np.polyfit(seconds[kept] - origin, heights[kept], degree)
        off = np.abs(heights - np.polyval(course, seconds - origin))
        limit = _OUTLIER * 1.4826 * float(np.median(off[kept]))
        kept = off <= max(limit, 1e-9)
    return kept


def fitted(seconds: F64, heights: F64, degree: int) -> tuple[Fit, float]:
    """Least squares of a line (1) or a parabola (2) through heights, and the scatter about it.

    Errors are those of the residuals, widened where neighbouring residuals are alike: by the root of
    (1 + r) / (1 - r), r their correlation with the next one.

    Parameters
    ----------
    seconds, heights
        At least `degree` + 2 of them; solar radii.
    degree
        1 or 2.
    """
    hours = (seconds - seconds.mean()) / 3600.0
    matrix = np.vander(hours, degree + 1, increasing=True)
    values, *_ = np.linalg.lstsq(matrix, heights, rcond=None)
    rest = heights - matrix @ values
    variance = float(rest @ rest) / (len(seconds) - degree - 1)
    alike = float(rest[1:] @ rest[:-1]) / max(float(rest @ rest), 1e-30)
    alike = min(max(alike, 0.0), 0.8)
    errors = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)) * variance * (1.0 + alike) / (1.0 - alike))
    speed = RADIUS / 3600.0
    made = Fit(float(values[1]) * speed, float(errors[1]) * speed)
    if degree == 2:
        # Solar radii an hour², twice the coefficient, in m/s².
        unit = 2.0 * 1e3 * RADIUS / 3600.0**2
        made = made._replace(acceleration=float(values[2]) * unit, acceleration_error=float(errors[2]) * unit)
    return made, math.sqrt(variance)


def _confidence(score: float, search: Search, width: float, frames: int) -> float:
    """A rank: how far significance, width and number of frames are above the least."""
    parts = (
        1.0 - search.threshold / max(score, search.threshold) * 0.5,
        1.0 - 0.5 * min(1.0, search.least_width / width),
        1.0 - 0.5 * min(1.0, search.least_frames / frames),
    )
    return float(np.prod(parts))


def _same(one: Ejection, other: Ejection, field: float) -> bool:
    """Whether the first belongs to the second, more significant one: its core, or a part told apart by a gap.

    It lies among the other's position angles, and both left the limb at about the same time, against the time
    in which the other crosses the field.
    """
    away = abs((one.front_angle - other.position_angle + 180.0) % 360.0 - 180.0)
    if away > 0.5 * other.width + _SECTOR:
        return False
    return abs(_begun(one) - _begun(other)) < 0.5 * field / other.line.speed


def _begun(one: Ejection) -> float:
    """When the line through its heights is at the limb, seconds."""
    middle, height = float(one.seconds.mean()), float(one.heights.mean())
    return middle - (height - 1.0) * RADIUS / one.line.speed

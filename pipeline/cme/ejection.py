"""Ejections with the heights of their fronts, and what a line and a parabola make of these."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from pipeline.cme.heights import PARABOLA, SECTOR, evened, sector_of, track
from pipeline.cme.lines import Candidate, candidates
from pipeline.cme.series import F32, F64, RADIUS, Search, Series, significance

#: Share of the highest significance from which on an angle may lead, and how many of them are tried.
_CLEAR: Final = 0.6
_TRIED: Final = 24
#: Scatter of the heights over their mean beyond which they are pieced together of several things.
_LOOSE: Final = 0.02
# What scatter does not tell, measured on simulated series (docs/lst.md has the table, and how).
#: How far a front's light may have its crest from where its matter has it, as a part of its height: a front
#: of a twenty-fifth of its height whose light falls with the height's fourth power has it 0.6 % lower.
_SCALE: Final = 0.01
#: How far heights may be off smoothly, one way in the middle and another at the ends, as a part of them.
_SMOOTH: Final = 0.002
#: How much lower than in its middle a front is at its edges, as a part of its height.
_ROUND: Final = 0.19


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
    light = evened(series)
    made: list[Ejection] = []
    for one in candidates(series, significant, search):
        ejection = _followed(series, significant, light, one, search)
        if ejection is not None and not any(_same(ejection, other, series.field) for other in made):
            made.append(ejection)
    return sorted(made, key=lambda one: float(one.seconds[0])), significant


def _followed(
    series: Series, significant: F32, light: F32, one: Candidate, search: Search
) -> Ejection | None:
    """A candidate whose front can be followed through enough frames, where it is farthest out."""
    clear = np.flatnonzero(one.scores >= _CLEAR * one.scores.max())
    tracks = []
    for place in clear[:: max(1, len(clear) // _TRIED)]:
        angle = float(series.angles[one.angles[place]])
        seen = sector_of(series, significant, light, angle)
        followed = track(series, seen, one.speeds[place], one.crossings[place], search)
        if followed is not None:
            tracks.append((angle, *followed))
    if not tracks:
        return None
    # Where it is at one time; angles side by side together, so that no single one leads by chance.
    now = float(np.median(one.crossings))
    at = np.array([np.polyval(np.polyfit(seconds - now, heights, 1), 0.0) for _, seconds, heights in tracks])
    wide = np.pad(at, 2, mode="edge")
    leading = np.convolve(wide, np.full(5, 0.2), mode="valid")
    angle, seconds, heights = tracks[int(leading.argmax())]
    line, scatter = fitted(seconds, heights, 1)
    step = float(series.angles[1] - series.angles[0])
    width = min(360.0, len(one.angles) * step)
    parabola = Fit(math.nan, math.nan)
    if len(seconds) >= PARABOLA:
        parabola, scatter = fitted(seconds, heights, 2)
    scale = math.hypot(_SCALE, _ROUND * (SECTOR**2 / 3.0 + step**2) / (0.5 * width) ** 2)
    line, parabola = (widened(fit, seconds, heights, scale) for fit in (line, parabola))
    # A front that was lost for another one does not move as the line does that it was found by.
    if (
        not 0.5 * one.speeds.min() <= line.speed <= 2.0 * one.speeds.max()
        or line.speed < 3.0 * line.speed_error
        or scatter > _LOOSE * float(heights.mean())
    ):
        return None
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


def fitted(seconds: F64, heights: F64, degree: int) -> tuple[Fit, float]:
    """Least squares of a line (1) or a parabola (2) through heights, and the scatter about it.

    Errors are those of the residuals, widened where neighbouring residuals are alike: by the root of
    (1 + r) / (1 - r), r their correlation with the next one. Of few heights the scatter is not well known:
    errors are half of what 95.4 % of Student's t lie within, as they do within two of a normal error.

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
    errors *= 0.5 * float(special.stdtrit(len(seconds) - degree - 1, 0.97725))
    speed = RADIUS / 3600.0
    made = Fit(float(values[1]) * speed, float(errors[1]) * speed)
    if degree == 2:
        # Solar radii an hour², twice the coefficient, in m/s².
        unit = 2.0 * 1e3 * RADIUS / 3600.0**2
        made = made._replace(acceleration=float(values[2]) * unit, acceleration_error=float(errors[2]) * unit)
    return made, math.sqrt(variance)


def widened(fit: Fit, seconds: F64, heights: F64, scale: float) -> Fit:
    """A fit whose errors hold what all its heights may be off together, which their scatter does not tell.

    Heights are a part of themselves off (`scale`), and smoothly, over the front's way as a straight line and
    a parabola that are `_SMOOTH` of the middle height off at its ends (Legendre's first and second).
    """
    time = float(np.ptp(seconds))
    bent = _SMOOTH * float(heights.mean()) * RADIUS / time
    return fit._replace(
        speed_error=math.hypot(fit.speed_error, scale * fit.speed, 2.0 * bent),
        acceleration_error=math.hypot(
            fit.acceleration_error, scale * fit.acceleration, 12.0 * 1e3 * bent / time
        ),
    )


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
    if away > 0.5 * other.width + SECTOR:
        return False
    return abs(_begun(one) - _begun(other)) < 0.5 * field / other.line.speed


def _begun(one: Ejection) -> float:
    """When the line through its heights is at the limb, seconds."""
    middle, height = float(one.seconds.mean()), float(one.heights.mean())
    return middle - (height - 1.0) * RADIUS / one.line.speed

"""Heights of one front, frame by frame: where along a sector of position angles its light has its crest."""

from __future__ import annotations

import math
import warnings
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.cme.series import F32, F64, RADIUS, Search, Series, middle

#: Degrees on either side of the strongest angle over which a front's height is measured.
SECTOR: Final = 6.0
#: Significance of the sector's mean below which a frame shows no front.
_LEAST: Final = 3.0
#: How far from where it is expected a front is looked for, as parts of the field, turn by turn.
_REACH: Final = (0.16, 0.10, 0.07, 0.07)
#: How much lower a front was in the frames that its light is measured against, as a part of its height: so
#: far that nothing of it is where it is now. Nearer ones would push the crest out, slow fronts' most.
_BEHIND: Final = 0.25
#: Frames that the light before is the median of, at most.
_BASE: Final = 5
#: Half of how far a crest may reach before it falls to its half, as a part of its height.
_WIDEST: Final = 0.1
#: How near to where the field ends no crest is measured, as a part of its height.
_EDGE: Final = 0.06
#: Share of the frames in which a cell of the field has a value, and of the cells that a height needs.
_SEEN: Final = 0.5
#: Heights that are enough for a front that was found in enough frames: the field's ends cut one or two.
_HEIGHTS: Final = 4
#: Share of the frames from its first to its last one that a front is seen in; else it was pieced together.
_STEADY: Final = 0.6
#: Points that a parabola needs at least.
PARABOLA: Final = 6
#: Standard deviations beyond which a height is left out.
_OUTLIER: Final = 3.5


class Sector(NamedTuple):
    """What is seen over some position angles, the front's.

    Attributes
    ----------
    significance
        Shape (t, h).
    light
        Brightness of each cell, exposures made even, shape (t, h, cells); NaN where nothing was measured.
    seen
        Heights at which at least half of the cells are in the field, shape (h,).
    """

    significance: F32
    light: F32
    seen: NDArray[np.bool_]


def near(series: Series, angle: float) -> NDArray[np.bool_]:
    """Which position angles belong to the sector about one."""
    away = np.abs((series.angles - angle + 180.0) % 360.0 - 180.0)
    return np.asarray(away <= max(SECTOR, float(away.min())))


def sector(series: Series, values: F32, angle: float) -> F32:
    """Means over the position angles about one, times the root of their number; shape (t, h)."""
    held = values[..., near(series, angle)]
    return np.asarray(held.mean(axis=2) * math.sqrt(held.shape[2]), np.float32)


def evened(series: Series) -> F32:
    """Brightness without what a whole frame has more than the others (its exposure); shape (t, h, a)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (series.values / middle(series.values)).reshape(len(series.values), -1)
        ratio[~np.isfinite(ratio)] = np.nan
        return np.asarray(series.values / middle(ratio.T)[:, None, None], np.float32)


def sector_of(series: Series, significant: F32, light: F32, angle: float) -> Sector:
    """What is seen about a position angle; `light` as `evened` makes it."""
    held = light[..., near(series, angle)]
    measured = np.isfinite(held)
    frames = max(1, int(measured.any(axis=(1, 2)).sum()))
    seen = (measured.sum(axis=0) >= _SEEN * frames).mean(axis=1) >= _SEEN
    return Sector(sector(series, significant, angle), held, seen)


def track(
    series: Series, given: Sector, speed: float, crossing: float, search: Search
) -> tuple[F64, F64] | None:
    """Times and heights of a front along a line that is known about; none where it is lost.

    Parameters
    ----------
    series, given
        The series, and its sector that holds the front.
    speed, crossing
        Of the line: km/s, and the seconds at which it is in the middle of the heights.
    search
        What is looked for.
    """
    least = min(search.least_frames, _HEIGHTS)
    course = np.array([speed / RADIUS, 0.5 * float(series.heights[0] + series.heights[-1])])
    seconds, heights = np.zeros(0), np.zeros(0)
    for reach in _REACH:
        expected = np.polyval(course, series.seconds - crossing)
        seconds, heights = _crests(series, given, expected, speed, reach, search.lag_of(series))
        if len(seconds) < least or np.ptp(heights) < 3.0 * series.step:
            return None
        course = np.polyfit(seconds - crossing, heights, 2 if len(seconds) >= PARABOLA else 1)
    kept = _without_outliers(seconds, heights)
    if kept.sum() < least:
        return None
    seconds, heights = seconds[kept], heights[kept]
    between = (series.seconds >= seconds[0]) & (series.seconds <= seconds[-1])
    return (seconds, heights) if len(seconds) >= _STEADY * between.sum() else None


def _crests(
    series: Series, given: Sector, expected: F64, speed: float, reach: float, lag: float
) -> tuple[F64, F64]:
    """Of each frame, the height of the crest near where the front is expected, if it stands out."""
    low, high = float(series.heights[0]), float(series.heights[-1])
    times, heights = [], []
    for index, place in enumerate(expected):
        about = np.flatnonzero((np.abs(series.heights - place) <= reach * (high - low)) & given.seen)
        if len(about) < 3 or not low < place < high:
            continue
        profile = given.significance[index]
        top = int(about[int(profile[about].argmax())])
        # At the window's ends the crest may lie beyond.
        if profile[top] < _LEAST or top in (about[0], about[-1]):
            continue
        wait = max(lag, _BEHIND * float(series.heights[top]) * RADIUS / speed)
        more = _more(series, given, index, wait)
        crest = None if more is None else _crest(series.heights, more, top)
        if crest is not None:
            times.append(float(series.seconds[index]))
            heights.append(crest)
    return np.array(times), np.array(heights)


def _more(series: Series, given: Sector, index: int, wait: float) -> F64 | None:
    """How much brighter a frame's sector is than before the front came, shape (h,); NaN where it is not seen.

    Brightness itself and not its significance: noise is another at each height, and dividing by it moves
    crests.
    """
    age = series.seconds[index] - series.seconds[:index]
    held = np.flatnonzero((age >= 0.99 * wait) & (age <= 3.0 * wait + 2.5 * series.cadence))[-_BASE:]
    if not held.size:
        return None
    base, now = middle(given.light[held]), given.light[index]
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of heights and angles without any value
        # What brightens at all heights together is a streamer; a front is at some of them.
        more = now - base * np.nanmedian(now / base, axis=0)
        return np.where(given.seen, np.nanmean(more, axis=1), np.nan)


def _crest(heights: F64, more: F64, top: int) -> float | None:
    """The middle of what is above half of the brightest place near one; none where the field cuts it."""
    reach = _EDGE * heights[top]
    about = np.flatnonzero(np.abs(heights - heights[top]) <= reach)
    if not np.isfinite(more[about]).all():
        return None
    top = int(about[int(more[about].argmax())])
    half = 0.5 * more[top]
    own = [top]
    for way in (-1, 1):
        place = top + way
        while 0 <= place < len(heights) and more[place] > half:
            own.append(place)
            place += way
        if not 0 <= place < len(heights) or not np.isfinite(more[place]):
            return None
    if half <= 0 or min(heights[top] - heights[0], heights[-1] - heights[top]) < reach:
        return None
    kept = np.array([one for one in own if abs(heights[one] - heights[top]) <= _WIDEST * heights[top]])
    # Weights that are zero where the part begins and ends, so that steps of height do not show.
    return float(np.average(heights[kept], weights=more[kept] - half))


def _without_outliers(seconds: F64, heights: F64) -> NDArray[np.bool_]:
    degree = 2 if len(seconds) >= PARABOLA else 1
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

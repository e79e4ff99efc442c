"""Lines of height and time at every position angle, and which angles make one ejection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.cme.series import F32, F64, RADIUS, Search, Series

#: Speeds that are tried between the slowest and the fastest.
_SPEEDS: Final = 32
#: The part of the frames along a line in which a front has to stand out by itself.
_PERSISTENT: Final = 0.6
#: Significance beyond which a cell counts no more: a planet or a lost block is not to outweigh a front.
_MOST: Final = 8.0
#: The part of the field that a line has to be seen in.
_LEAST_PART: Final = 0.5
#: Share of an angle's highest significance from which on an earlier line is the front, and what is stronger
#: after it is its core.
_FIRST: Final = 0.7
#: Gaps between angles of one ejection that are closed, degrees.
_GAP: Final = 6.0


class Candidate(NamedTuple):
    """One ejection as its lines tell it.

    Attributes
    ----------
    angles
        Places of its position angles along the axis, in order, through north where it lies there.
    speeds
        km/s at each of them.
    scores
        Significance at each.
    crossings
        Seconds at which the line of each is in the middle of the field.
    """

    angles: NDArray[np.intp]
    speeds: F64
    scores: F64
    crossings: F64

    @property
    def best(self) -> int:
        """Place of the most significant angle among its own."""
        return int(np.argmax(self.scores))


class _Best(NamedTuple):
    """The best line through the middle of the field, by time and angle, shape (bins, a)."""

    score: F32
    speed: F32
    crossing: F64


def candidates(series: Series, significant: F32, search: Search) -> list[Candidate]:
    """What moves outwards, the most significant first.

    Parameters
    ----------
    series
        Where and when.
    significant
        Shape (t, h, a), as `significance` makes it.
    search
        What is looked for.
    """
    best = _best_lines(series, significant, search)
    # Around the circle: what lies across north hangs together.
    above = best.score >= search.threshold
    labels, _ = ndimage.label(above, structure=np.ones((3, 3)))
    _join_north(labels)
    step = float(series.angles[1] - series.angles[0])
    found: list[Candidate] = []
    for label in np.unique(labels[labels > 0]):
        score = np.where(labels == label, best.score, 0.0)
        runs = _runs(score.max(axis=0) > 0, round(_GAP / step))
        found += [_candidate(best, score, run) for run in runs if len(run) * step >= search.least_width]
    return sorted(found, key=lambda one: -float(one.scores.max()))


def _candidate(best: _Best, score: F32, angles: NDArray[np.intp]) -> Candidate:
    own = score[:, angles]
    most = own.max(axis=0)
    # Of the crests in time the first that is about as high as any.
    wide = np.pad(own, ((1, 1), (0, 0)))
    crest = (own >= wide[:-2]) & (own >= wide[2:]) & (own >= _FIRST * most)
    bins = crest.argmax(axis=0)
    return Candidate(
        angles,
        best.speed[bins, angles].astype(np.float64),
        most.astype(np.float64),
        best.crossing[bins, angles],
    )


def _best_lines(series: Series, significant: F32, search: Search) -> _Best:
    # What a front is in one angle it is in its neighbours.
    cut = np.clip(significant, -_MOST, _MOST)
    around = np.concatenate([cut[..., -1:], cut, cut[..., :1]], axis=2)
    smooth = np.asarray((around[..., :-2] + cut + around[..., 2:]) / np.float32(np.sqrt(3.0)))
    first, last = float(series.seconds[0]), float(series.seconds[-1])
    width = max(series.cadence, 0.5 * search.lag_of(series))
    bins = max(1, int(np.ceil((last - first) / width)))
    score = np.zeros((bins, len(series.angles)), np.float32)
    speed, crossed = np.zeros_like(score), np.zeros(score.shape)
    for one in np.geomspace(search.slowest, search.fastest, _SPEEDS):
        for crossing, value in _along(series, smooth, float(one), search):
            place = min(int((crossing - first) / width), bins - 1)
            better = value > score[place]
            score[place][better] = value[better]
            speed[place][better] = one
            crossed[place][better] = crossing
    return _Best(score, speed, crossed)


def _along(series: Series, smooth: F32, speed: float, search: Search) -> Iterator[tuple[float, F32]]:
    """Of all lines of one speed: when they cross the field's middle, and their significance by angle."""
    half = 0.5 * series.field / speed
    # A line that is off by less than this is on the same front.
    step = max(0.03 * series.field / speed, 0.125 * series.cadence)
    for crossing in np.arange(series.seconds[0], series.seconds[-1] + step, step):
        begin, end = np.searchsorted(series.seconds, (crossing - half, crossing + half))
        if end - begin < search.least_frames:
            continue
        seen = float(series.seconds[end - 1] - series.seconds[begin]) + series.cadence
        if seen < _LEAST_PART * 2.0 * half:
            continue
        way = (series.seconds[begin:end] - crossing + half) * speed / RADIUS
        rows = np.clip(np.rint(way / series.step).astype(np.intp), 0, len(series.heights) - 1)
        values = smooth[np.arange(begin, end), rows]
        persistent = (values > 1.5).mean(axis=0) >= _PERSISTENT
        yield float(crossing), np.where(persistent, values.sum(axis=0) / np.sqrt(end - begin), 0.0)


def _join_north(labels: NDArray[np.int32]) -> None:
    for row in range(len(labels)):
        for near in (row - 1, row, row + 1):
            if 0 <= near < len(labels) and labels[row, 0] and labels[near, -1]:
                labels[labels == labels[near, -1]] = labels[row, 0]


def _runs(held: NDArray[np.bool_], gap: int) -> list[NDArray[np.intp]]:
    """Angles that hang together around the circle; gaps no wider than told belong to them."""
    places = np.flatnonzero(held)
    if not places.size:
        return []
    number = len(held)
    away = np.diff(np.concatenate([places, [places[0] + number]]))
    ends = np.flatnonzero(away > gap + 1)
    if not ends.size:
        return [np.arange(number)]
    late = number * (ends[-1] + 1 < len(places))
    rolled = np.concatenate([places[ends[-1] + 1 :], places[: ends[-1] + 1] + late])
    cuts = np.flatnonzero(np.diff(rolled) > gap + 1) + 1
    return [np.arange(run[0], run[-1] + 1) % number for run in np.split(rolled, cuts)]

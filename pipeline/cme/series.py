"""A series in polar coordinates, and how bright each place is over what it was shortly before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Kilometres of a solar radius (IAU 2015 resolution B3, nominal).
RADIUS: Final = 695700.0
#: Frames that the base before a frame is the median of, at most.
_BASE: Final = 5
#: A median absolute deviation as the standard deviation of normal noise.
_NORMAL: Final = 1.4826
#: The part of its ring's noise that no cell has less of: few frames may agree by chance.
_LEAST_NOISE: Final = 0.7
#: How unlike the heights of one position angle may brighten together, as a part of that.
_UNLIKE: Final = 0.2
#: Speed at which a front passes a tenth of the field in the time from which on frames are compared.
_USUAL: Final = 300.0


class Series(NamedTuple):
    """Frames of one coronagraph in polar coordinates.

    Attributes
    ----------
    seconds
        Middles of the exposures, rising, float64, shape (t,).
    heights
        Solar radii from the Sun's centre, even steps, float64, shape (h,).
    angles
        [deg] Position angles from solar north through east, even steps all around, float64, shape (a,).
    values
        Brightness, float32, shape (t, h, a); NaN where nothing was measured.
    """

    seconds: F64
    heights: F64
    angles: F64
    values: F32

    @property
    def cadence(self) -> float:
        """Median time from frame to frame, seconds."""
        return float(np.median(np.diff(self.seconds)))

    @property
    def step(self) -> float:
        """Solar radii from height to height."""
        return float(self.heights[1] - self.heights[0])

    @property
    def field(self) -> float:
        """Kilometres from the lowest to the highest place."""
        return float(self.heights[-1] - self.heights[0]) * RADIUS


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Attributes
    ----------
    threshold
        Significance of a line from which on there is a front.
    slowest, fastest
        km/s.
    least_width
        [deg] Narrower things are no ejection.
    least_frames
        In which a front has to be found.
    lag
        [s] Frames are compared with those that are older by this; 0: a tenth of the field at 300 km/s, at
        least the cadence.
    """

    threshold: float = 6.0
    slowest: float = 50.0
    fastest: float = 2500.0
    least_width: float = 10.0
    least_frames: int = 5
    lag: float = 0.0

    def lag_of(self, series: Series) -> float:
        """The lag for a series, seconds."""
        return self.lag or max(series.cadence, 0.1 * series.field / _USUAL)


def significance(series: Series, lag: float) -> F32:
    """How far each place is above its base, over its noise.

    The base is the median of up to five frames between one and three lags before, or of the last one before
    where the cadence is slower than that. A factor common to a whole frame (exposure) is taken out by the
    median of the ratio, a slow rise by medians over time, and what rises at all heights of a position angle
    together by medians over height. Noise is the scatter of a place over all frames, robustly.

    Parameters
    ----------
    series
        At least three frames.
    lag
        Seconds.

    Returns
    -------
    NDArray[np.float32]
        Shape (t, h, a); 0 where there is no value or nothing to compare with.
    """
    risen = np.full(series.values.shape, np.nan, np.float32)
    for index, before in enumerate(_bases(series, lag)):
        if not len(before):
            continue
        base = middle(series.values[before])
        frame = series.values[index]
        both = np.isfinite(frame) & np.isfinite(base) & (base > 0)
        if both.any():
            risen[index] = frame / np.median(frame[both] / base[both]) - base
    risen -= _trend(risen, series.seconds, lag)
    with np.errstate(invalid="ignore", divide="ignore"):
        made = risen / _noise(risen)
        # What brightens at all heights together is a streamer, or the pointing; a front is at one of them.
        common = middle(made.swapaxes(0, 1))[:, None, :]
        made = (made - common) / np.hypot(np.float32(1.0), np.float32(_UNLIKE) * common)
        made /= _noise(made)
        # Frames that are noisier than the others: storms of particles, lost lines.
        made /= np.fmax(1.0, _NORMAL * middle(np.abs(made.reshape(len(made), -1).T)))[:, None, None]
    return np.asarray(np.nan_to_num(made, nan=0.0, posinf=0.0, neginf=0.0))


def _bases(series: Series, lag: float) -> list[NDArray[np.intp]]:
    """Of each frame, which ones it is compared with; none behind a gap."""
    found = []
    for index, now in enumerate(series.seconds):
        age = now - series.seconds[:index]
        # Times are milliseconds in headers: a lag of just the cadence is not to miss a frame by rounding.
        held = np.flatnonzero((age >= 0.99 * lag) & (age <= 3.0 * lag))[-_BASE:]
        if not held.size and index and age[-1] <= max(3.0 * lag, 2.5 * series.cadence):
            held = np.array([index - 1])
        found.append(held)
    return found


def _trend(risen: F32, seconds: F64, lag: float) -> F32:
    """What rises slowly, as streamers do: medians over twenty lags, every five of them, linear in between."""
    number = max(1, round(float(seconds[-1] - seconds[0]) / (5.0 * lag)))
    anchors = np.linspace(seconds[0], seconds[-1], number + 1)
    medians = np.stack([middle(risen[np.abs(seconds - at) <= 10.0 * lag]) for at in anchors])
    medians = np.nan_to_num(medians)
    place = np.clip((seconds - seconds[0]) / max(float(anchors[1] - anchors[0]), 1e-9), 0, number)
    lower = np.minimum(place.astype(np.intp), number - 1)
    share = (place - lower).astype(np.float32)[:, None, None]
    return np.asarray((1.0 - share) * medians[lower] + share * medians[lower + 1], np.float32)


def _noise(risen: F32) -> F32:
    cell = _NORMAL * middle(np.abs(risen - middle(risen)))
    wide = np.concatenate([cell[:, -1:], cell, cell[:, :1]], axis=1)
    near = middle(np.stack([wide[:, :-2], cell, wide[:, 2:]]))
    ring = middle(near.T)[:, None]
    return np.asarray(np.fmax(near, np.float32(_LEAST_NOISE) * ring))


def middle(values: F32) -> F32:
    """Medians along the first axis of what is a number; NaN where nothing is."""
    order = np.sort(values, axis=0)  # NaN comes last
    number = np.isfinite(values).sum(axis=0)
    lower, upper = np.maximum(number - 1, 0) // 2, number // 2
    upper = np.minimum(upper, len(values) - 1)
    pair = [np.take_along_axis(order, place[None], axis=0)[0] for place in (lower, upper)]
    made = np.asarray(0.5 * (pair[0] + pair[1]), np.float32)
    return np.where(number > 0, made, np.float32(math.nan))

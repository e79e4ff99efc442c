"""One image of two read-outs of an exposure, a small gain for what is bright and a large one for the rest.

Both saw the same electrons, so that photon noise is common to both and only that of the read-outs differs:
the straight line between them is fitted with errors in both (Deming), and they are weighed by their
read-outs alone.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

F32 = NDArray[np.float32]

#: Standard deviations of a pixel from the line beyond which it does not count, and how often that is asked.
_CLIP: Final = 4.0
_ROUNDS: Final = 4


class Line(NamedTuple):
    """``high = slope · low + offset``.

    Attributes
    ----------
    slope, offset
        Of the line, numbers of the high gain.
    scatter
        Of pixels about it, one standard deviation, in numbers of the high gain.
    pixels
        That it rests on.
    span
        Of the high gain's numbers, one standard deviation: without a span there is no slope.
    """

    slope: float
    offset: float
    scatter: float
    pixels: int
    span: float


def fit_line(
    low: F32, high: F32, usable: NDArray[np.bool_], first: Line, least: float, most: float, noise_ratio: float
) -> Line:
    """The line between two gains, from pixels whose high gain lies between two numbers.

    Parameters
    ----------
    low, high
        float32, shape (ny, nx).
    usable
        Where both are measured.
    first
        A first guess; its scatter is that of a pixel's read-out.
    least, most
        Numbers of the high gain, by the first guess, between which pixels count.
    noise_ratio
        Standard deviation of the low gain's read-out over that of the high gain's, each in its own numbers.
    """
    line = first
    for _ in range(_ROUNDS):
        number, x, y, xx, xy, yy = _moments(
            read_only(low),
            read_only(high),
            read_only(usable),
            line.slope,
            line.offset,
            least,
            most,
            _CLIP * line.scatter,
        )
        if number < 3:
            return Line(first.slope, first.offset, first.scatter, int(number), 0.0)
        weight = 1.0 / noise_ratio**2
        apart = yy - weight * xx
        slope = (
            (apart + math.sqrt(apart * apart + 4.0 * weight * xy * xy)) / (2.0 * xy) if xy > 0 else line.slope
        )
        offset = y - slope * x
        scatter = math.sqrt(max(yy - 2.0 * slope * xy + slope * slope * xx, 1e-12))
        line = Line(slope, offset, max(scatter, 0.2 * first.scatter), int(number), math.sqrt(yy))
    return line


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(
    low: F32,
    high: F32,
    usable: NDArray[np.bool_],
    slope: float,
    offset: float,
    least: float,
    most: float,
    clip: float,
) -> tuple[float, float, float, float, float, float]:
    number, x, y, xx, xy, yy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    ny, nx = low.shape
    middle = 0.5 * (least + most)
    for i in range(ny):
        for j in range(nx):
            if not usable[i, j]:
                continue
            # By the high gain, whose read-out is the less noisy: noise must not decide which pixels count.
            if high[i, j] < least or high[i, j] > most:
                continue
            if abs(high[i, j] - slope * low[i, j] - offset) > clip:
                continue
            a, b = low[i, j] - (middle - offset) / slope, high[i, j] - middle
            number += 1.0
            x += a
            y += b
            xx += a * a
            xy += a * b
            yy += b * b
    if number > 0.0:
        x, y, xx, xy, yy = x / number, y / number, xx / number, xy / number, yy / number
    return (
        number,
        x + (middle - offset) / slope,
        y + middle,
        xx - x * x,
        xy - x * y,
        yy - y * y,
    )


def merge(
    low: F32,
    high: F32,
    low_there: NDArray[np.bool_],
    high_there: NDArray[np.bool_],
    line: Line,
    switch: tuple[float, float],
    share: float,
) -> F32:
    """Both gains in numbers of the high one.

    Parameters
    ----------
    low, high
        float32, shape (ny, nx).
    low_there, high_there
        Where each is measured.
    line
        Between them.
    switch
        Numbers of the high gain between which it is left for the low one.
    share
        Weight of the high gain below that: inverse variances of the read-outs.

    Returns
    -------
    NDArray[np.float32]
        NaN where neither is measured.
    """
    made = np.empty_like(low)
    _merge(
        read_only(low),
        read_only(high),
        read_only(low_there),
        read_only(high_there),
        line.slope,
        line.offset,
        switch[0],
        switch[1],
        share,
        made,
    )
    return made


@njit(cache=True, nogil=True, error_model="numpy")
def _merge(
    low: F32,
    high: F32,
    low_there: NDArray[np.bool_],
    high_there: NDArray[np.bool_],
    slope: float,
    offset: float,
    begin: float,
    end: float,
    share: float,
    made: F32,
) -> None:
    ny, nx = low.shape
    for i in range(ny):
        for j in range(nx):
            scaled = slope * low[i, j] + offset
            if not low_there[i, j]:
                made[i, j] = high[i, j] if high_there[i, j] else np.nan
            elif not high_there[i, j]:
                made[i, j] = scaled
            else:
                weight = share * min(max((end - high[i, j]) / (end - begin), 0.0), 1.0)
                made[i, j] = weight * high[i, j] + (1.0 - weight) * scaled

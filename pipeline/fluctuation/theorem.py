"""The two theorems, from sums over paths."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from pipeline.fluctuation.chain import F64
from pipeline.kernels import transitions as sums_of

_TURNS: Final = 40
#: Paths backward that a detailed test needs, and paths' worth that an integral one does.
_FEWEST: Final = 100
#: Squares of pixels below which drawing them anew says little of what chance does; of one it says nothing.
_FEWEST_SQUARES: Final = 8
#: Interval of the slope beyond which nothing is told.
_WIDEST: Final = 1.0


class Estimate(NamedTuple):
    """A number and its interval."""

    value: float
    low: float
    high: float

    def holds(self, wanted: float) -> bool:
        """Whether the interval has a number in it."""
        return self.low <= wanted <= self.high


class Bins(NamedTuple):
    """Paths by |s|, and what the detailed theorem has to say of each bin.

    Attributes
    ----------
    low, high
        Bounds of |s|; the last bin holds all that is larger.
    forward, backward
        Paths that produce +s and -s.
    production
        ``ln N(+)/Σ e^-s`` over paths forward: the s at which the theorem holds for the whole bin.
    ratio
        ``ln N(+)/N(-)``, and its interval.
    ratio_low, ratio_high
    """

    low: F64
    high: F64
    forward: F64
    backward: F64
    production: F64
    ratio: F64
    ratio_low: F64
    ratio_high: F64


class Theorem(NamedTuple):
    """What paths of one length say.

    Attributes
    ----------
    length
        Transitions.
    paths, still
        How many; how many of them produce nothing.
    mean, deviation
        Of s.
    expected
        Mean of s by the chain.
    detailed
        Slope of ``ln p(s)/p(-s)`` with s: 1 where the theorem holds.
    integral
        Mean of ``e^-s``: 1 where it holds.
    effective
        Paths that the mean of ``e^-s`` is worth.
    doubt
        Why it cannot be told, as a clause; empty where it can.
    bins
        By |s|.
    """

    length: int
    paths: int
    still: int
    mean: float
    deviation: float
    expected: float
    detailed: Estimate
    integral: Estimate
    effective: float
    doubt: str
    bins: Bins

    @property
    def holds(self) -> bool | None:
        """Whether both theorems hold within their intervals; `None` where that cannot be told."""
        if self.doubt:
            return None
        return self.detailed.holds(1.0) and self.integral.holds(1.0)


def judged(
    length: int, bins: F64, sums: F64, expected: float, width: float, interval: float, squares: int
) -> Theorem:
    """The theorems from sums over paths.

    Parameters
    ----------
    length
        Transitions of a path.
    bins, sums
        As `pipeline.kernels.transitions.path_sums` gives them; the first chain is the estimate, the others
        are drawn.
    expected
        Mean production by the chain.
    width
        Of the bins.
    interval
        Probability of the intervals.
    squares
        Of pixels, with a value, that were drawn.
    """
    number = float(sums[0, sums_of.PATHS])
    paths = max(number, 1.0)
    mean = float(sums[0, sums_of.SUM]) / paths
    integrals = sums[:, sums_of.INTEGRAL] / np.maximum(sums[:, sums_of.PATHS], 1.0)
    second = float(sums[0, sums_of.INTEGRAL_SQUARES])
    effective = float(sums[0, sums_of.INTEGRAL]) ** 2 / second if second > 0 else 0.0
    detailed = within(np.array([slope(one) for one in bins]), interval)
    backward = float(bins[0, sums_of.BACKWARD].sum())
    doubt = ""
    if number == 0:
        doubt = "there are no paths of this length"
    elif squares < _FEWEST_SQUARES:
        doubt = (
            f"intervals are drawn from {_FEWEST_SQUARES} squares of pixels or more, and there are {squares}: "
            "take a smaller --side, or more pixels"
        )
    elif backward < _FEWEST:
        doubt = f"only {backward:.0f} paths go backward"
    elif effective < _FEWEST:
        doubt = f"the mean of e^-s rests on no more than {effective:.0f} paths"
    elif not detailed.high - detailed.low < _WIDEST:
        doubt = f"paths produce too little, {mean:.2g} on average, to tell a slope"
    elif length == 1:
        doubt = "of one transition it holds by the counts themselves"
    return Theorem(
        length,
        int(number),
        int(sums[0, sums_of.STILL]),
        mean,
        float(np.sqrt(max(float(sums[0, sums_of.SQUARES]) / paths - mean**2, 0.0))),
        expected,
        detailed,
        within(integrals, interval),
        effective,
        doubt,
        _bins(bins, width, interval),
    )


def slope(bins: F64) -> float:
    """How steeply the logarithm of forward over backward rises with s, most likely (logistic regression).

    Of paths with a given |s| a part ``1/(1 + e^-βs)`` goes forward; β is 1 where the theorem holds. In a bin
    s is that at which the theorem holds exactly, however wide the bin.
    """
    forward, backward, place = bins[sums_of.FORWARD], bins[sums_of.BACKWARD], _production(bins)
    used = np.isfinite(place) & (place > 0) & (forward + backward > 0)
    forward, backward, place = forward[used], backward[used], place[used]
    if not used.any() or backward.sum() == 0:
        return float("nan")
    beta = 1.0
    for _ in range(_TURNS):
        share = 1.0 / (1.0 + np.exp(-np.clip(beta * place, -500.0, 500.0)))
        score = float((place * (forward * (1.0 - share) - backward * share)).sum())
        curvature = float((place**2 * (forward + backward) * share * (1.0 - share)).sum())
        if curvature <= 0:
            return float("nan")
        step = float(np.clip(score / curvature, -1.0, 1.0))
        beta += step
        if abs(step) < 1e-10:
            break
    return beta


def within(values: F64, interval: float) -> Estimate:
    """An estimate, the first of `values`, with the interval that the others, drawn anew, give it."""
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or drawn.size < 2:
        return Estimate(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(drawn, (0.5 - 0.5 * interval, 0.5 + 0.5 * interval))
    return Estimate(float(values[0]), float(low), float(high))


def _production(bins: F64) -> F64:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(bins[sums_of.FORWARD] / bins[sums_of.REVERSED]))


def _bins(bins: F64, width: float, interval: float) -> Bins:
    first = bins[0]
    used = np.flatnonzero(first[sums_of.FORWARD] + first[sums_of.BACKWARD])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(bins[:, sums_of.FORWARD, used] / bins[:, sums_of.BACKWARD, used])
    ratios = np.where(np.isfinite(ratios), ratios, np.nan)
    low, high = np.full(len(used), np.nan), np.full(len(used), np.nan)
    enough = np.count_nonzero(np.isfinite(ratios[1:]), axis=0) > 1
    if enough.any():
        ends = np.nanquantile(ratios[1:, enough], (0.5 - 0.5 * interval, 0.5 + 0.5 * interval), axis=0)
        low[enough], high[enough] = ends
    upper = np.where(used == bins.shape[2] - 1, np.inf, width * (used + 1))
    return Bins(
        np.asarray(width * used, dtype=np.float64),
        np.asarray(upper, dtype=np.float64),
        first[sums_of.FORWARD, used],
        first[sums_of.BACKWARD, used],
        _production(first)[used],
        ratios[0],
        low,
        high,
    )

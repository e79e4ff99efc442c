"""What the theorem takes for granted, tested: a Markov chain, the same at all times, seen often enough."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from pipeline.fluctuation.chain import F64, Chain
from pipeline.fluctuation.settings import Settings

Counts = NDArray[np.int64]

#: Transitions out of a state below which its probabilities are guesses.
_FEWEST: Final = 50
#: Part of all transitions that may be of kinds seen in one direction alone.
_ONE_WAY: Final = 1e-3


class Test(NamedTuple):
    """An assumption and what became of it.

    Attributes
    ----------
    name
        Of the assumption.
    statistic, freedom, probability
        Of the likelihood-ratio test, scaled by how much squares of pixels differ from each other; NaN where
        there is none.
    effect
        Mean difference of transition probabilities; for others see `says`.
    holds
        Whether the assumption is kept.
    says
        One sentence.
    """

    name: str
    statistic: float
    freedom: float
    probability: float
    effect: float
    holds: bool
    says: str


def markov(triples: Counts, scale: float, settings: Settings) -> Test:
    """Whether the state before the last one tells anything more of the next."""
    counts = triples.astype(np.float64)
    pairs = counts.sum(axis=0)
    before = counts.sum(axis=2)
    expected = before[:, :, None] * _shares(pairs)[None, :, :]
    statistic = 2.0 * _information(counts, expected) / scale
    freedom = float(_freedom(pairs) * max(0, int(np.count_nonzero(before.sum(axis=1))) - 1))
    effect = _apart(counts, expected)
    return _tested(
        "Markov",
        statistic,
        freedom,
        effect,
        settings,
        "the next state depends on the last one alone",
        "the next state depends on more than the last one: the paths are no Markov chain's",
    )


def stationary(pairs: Counts, scale: float, settings: Settings) -> Test:
    """Whether transitions are the same in all parts of the time."""
    counts = pairs.astype(np.float64)
    expected = counts.sum(axis=2)[:, :, None] * _shares(counts.sum(axis=0))[None, :, :]
    statistic = 2.0 * _information(counts, expected) / scale
    freedom = float(_freedom(counts.sum(axis=0)) * (len(pairs) - 1))
    effect = _apart(counts, expected)
    return _tested(
        "stationary",
        statistic,
        freedom,
        effect,
        settings,
        f"transitions are the same in {len(pairs)} parts of the time",
        f"transitions differ between {len(pairs)} parts of the time: the series are not stationary",
    )


def balanced(pairs: Counts, chain: Chain, settings: Settings) -> Test:
    """Whether states are as frequent as the chain's stationary distribution says."""
    seen = pairs.sum(axis=(0, 1)).astype(np.float64)
    share = seen / max(seen.sum(), 1.0)
    effect = 0.5 * float(np.abs(share - chain.stationary).sum())
    holds = effect <= settings.tolerance
    says = "are" if holds else "are not"
    return Test(
        "in balance",
        *(float("nan"),) * 3,
        effect,
        holds,
        f"states {says} as frequent as the chain leaves them (they differ by {effect:.3f})",
    )


def both_ways(pairs: Counts) -> Test:
    """Whether what was seen in one direction was seen in the other; else smoothing decides the production."""
    counts = pairs.sum(axis=0)
    one_way = (counts > 0) & (counts.T == 0)
    share = float(counts[one_way].sum() / max(counts.sum(), 1))
    number = int(np.count_nonzero(one_way))
    says = (
        f"{number} kinds of transition were seen in one direction alone ({share:.2%} of all): smoothing "
        "decides what they produce"
        if number
        else "every transition that was seen was seen in both directions"
    )
    return Test("both ways", *(float("nan"),) * 3, share, share <= _ONE_WAY, says)


def enough(pairs: Counts, paths: dict[int, int]) -> Test:
    """Whether every state was left often enough, and there are paths of every length."""
    fewest = int(pairs.sum(axis=(0, 2)).min())
    without = [length for length, number in paths.items() if number == 0]
    holds = fewest >= _FEWEST and not without
    says = f"every state was left {fewest} times or more"
    if fewest < _FEWEST:
        says = f"a state was left {fewest} times only, fewer than {_FEWEST}: the series are too short"
    if without:
        says = f"no series is long enough for a path of {', '.join(map(str, without))} transitions"
    return Test("long enough", *(float("nan"),) * 3, float(fewest), holds, says)


def spread(units: Counts) -> float:
    """How much squares of pixels differ in their transitions, over what chance alone would do; 1 or more.

    Pixels of a square know of each other, so that counts are worth less than as many independent ones.

    Parameters
    ----------
    units
        Shape (squares, states, states).
    """
    counts = units.astype(np.float64)
    expected = counts.sum(axis=2)[:, :, None] * _shares(counts.sum(axis=0))[None, :, :]
    freedom = _freedom(counts.sum(axis=0)) * max(len(units) - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = np.where(expected > 0, (counts - expected) ** 2 / expected, 0.0).sum()
    return max(1.0, float(pearson) / max(freedom, 1))


def _tested(
    name: str, statistic: float, freedom: float, effect: float, settings: Settings, yes: str, no: str
) -> Test:
    probability = float(chi2.sf(statistic, freedom)) if freedom > 0 else 1.0
    holds = probability >= settings.level
    says = yes if holds else f"{no} (probabilities differ by {effect:.3f} on average)"
    return Test(name, statistic, freedom, probability, effect, holds, says)


def _shares(pairs: F64) -> F64:
    rows = pairs.sum(axis=1, keepdims=True)
    return np.asarray(pairs / np.where(rows > 0, rows, 1.0))


def _freedom(pairs: F64) -> int:
    """Free probabilities of a chain of which these transitions were seen."""
    possible = np.count_nonzero(pairs > 0, axis=1)
    return int(np.maximum(possible - 1, 0).sum())


def _information(counts: F64, expected: F64) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(counts > 0, counts * np.log(counts / expected), 0.0).sum())


def _apart(counts: F64, expected: F64) -> float:
    """Mean of half the summed differences of probabilities, less what chance does to so few counts."""
    rows = counts.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(expected > 0, expected / rows[..., None], 0.0)
        away = np.where(rows[..., None] > 0, np.abs(counts - expected) / rows[..., None], 0.0).sum(axis=2)
        # Of the absolute value of a normal error: √(2/π) of its standard deviation.
        chance = np.sqrt(2.0 / np.pi) * np.sqrt(share * (1.0 - share) / rows[..., None])
        chance = np.where(rows[..., None] > 0, chance, 0.0).sum(axis=2)
    weight = rows / max(rows.sum(), 1.0)
    return max(0.0, 0.5 * float((weight * (away - chance)).sum()))

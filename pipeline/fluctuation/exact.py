"""All paths of a small chain, with their probabilities: what estimates are held against."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.fluctuation.chain import F64, Chain

_MOST: Final = 4_000_000
#: Productions closer than this are one.
_SAME: Final = 9


class Distribution(NamedTuple):
    """Entropy productions that are possible, rising, and their probabilities."""

    production: F64
    probability: F64

    def ratio(self) -> tuple[F64, F64]:
        """Positive productions whose negative is possible too, and ``ln p(s)/p(-s)`` of each."""
        keys = [round(float(one), _SAME) for one in self.production]
        place = {key: number for number, key in enumerate(keys)}
        found = [number for number, key in enumerate(keys) if key > 0 and -key in place]
        opposite = [place[-keys[number]] for number in found]
        return self.production[found], np.log(self.probability[found] / self.probability[opposite])

    def integral(self) -> float:
        """Mean of ``e^-s``."""
        return float(self.probability @ np.exp(-self.production))


def enumerated(chain: Chain, length: int) -> Distribution:
    """The distribution of the entropy production of a chain's paths.

    Parameters
    ----------
    chain
        Stationary, every transition possible in both directions or in none.
    length
        Transitions of a path.

    Raises
    ------
    ValueError
        When there are more than some million paths.
    """
    number = len(chain.stationary)
    if number ** (length + 1) > _MOST:
        raise ValueError(f"{number} states have {number ** (length + 1)} paths of {length} transitions")
    state = np.arange(number)
    probability, made = chain.stationary.copy(), chain.log_p.copy()
    gain = np.where(np.isfinite(chain.gain), chain.gain, 0.0)
    for _ in range(length):
        onward = np.arange(number)
        probability = (probability[:, None] * chain.transition[state]).ravel()
        made = (made[:, None] + gain[state]).ravel()
        state = np.tile(onward, len(state))
    made = made - chain.log_p[state]
    possible = probability > 0
    made, probability = made[possible], probability[possible]
    # Paths that differ by rounding alone are one; what they produce is their mean.
    _, where = np.unique(np.round(made, _SAME) + 0.0, return_inverse=True)
    total: F64 = np.bincount(where, weights=probability).astype(np.float64)
    summed: F64 = np.bincount(where, weights=probability * made).astype(np.float64)
    return Distribution(summed / total, total)


def simulated(chain: Chain, pixels: int, times: int, seed: int) -> NDArray[np.int16]:
    """Series of states of a stationary chain, shape (pixels, times)."""
    random = np.random.default_rng(seed)
    bounds = chain.transition.cumsum(axis=1)
    made = np.empty((pixels, times), np.int16)
    made[:, 0] = random.choice(len(chain.stationary), size=pixels, p=chain.stationary)
    for time in range(1, times):
        drawn = random.random(pixels)
        made[:, time] = (drawn[:, None] > bounds[made[:, time - 1], :-1]).sum(axis=1)
    return made

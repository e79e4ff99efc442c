"""A Markov chain of few states: estimated from counts, and the entropy its transitions produce."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """A stationary chain.

    Attributes
    ----------
    transition
        Probability from the row's state to the column's; rows add up to 1.
    stationary
        Probability of each state that the transitions leave as it is.
    """

    transition: F64
    stationary: F64

    @classmethod
    def of(cls, transition: F64) -> Chain:
        """The chain of these transitions."""
        return cls(transition, stationary(transition))

    @property
    def log_p(self) -> F64:
        """Logarithm of the stationary probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(self.stationary)

    @property
    def gain(self) -> F64:
        """What a transition produces beside its ends; 0 where neither direction is possible.

        Infinite where one direction alone is possible.
        """
        forward, backward = self.transition, self.transition.T
        with np.errstate(divide="ignore", invalid="ignore"):
            made = np.log(forward) - np.log(backward)
        return np.where((forward == 0) & (backward == 0), 0.0, made)

    @property
    def production(self) -> float:
        """Mean entropy production of a transition."""
        flow = self.stationary[:, None] * self.transition
        with np.errstate(invalid="ignore"):
            parts = np.where(flow > 0, flow * self.gain, 0.0)
        return float(parts.sum())


def estimated(pairs: NDArray[np.int64] | F64, smoothing: float) -> Chain:
    """The chain of counted transitions.

    Parameters
    ----------
    pairs
        How often the column's state followed the row's.
    smoothing
        Added where a transition was seen in either direction; one that never was stays impossible.
    """
    seen = (pairs + pairs.T) > 0
    counts = pairs + smoothing * seen
    rows = counts.sum(axis=1, keepdims=True)
    number = len(counts)
    # A state that is never left, for it was never reached, stays what it is.
    transition = np.where(rows > 0, counts / np.where(rows > 0, rows, 1.0), np.eye(number))
    return Chain.of(transition)


def stationary(transition: F64) -> F64:
    """Probabilities that transitions leave as they are."""
    number = len(transition)
    equations = np.vstack([transition.T - np.eye(number), np.ones(number)])
    found, *_ = np.linalg.lstsq(equations, np.append(np.zeros(number), 1.0), rcond=None)
    positive = np.clip(found, 0.0, None)
    return np.asarray(positive / positive.sum())

"""Series of states: how often one follows another, and how much entropy paths through them produce.

A state is a number from 0; -1 stands for none. `linked` tells for each time but the first whether it follows
the one before it by one step of the clock: no transition and no path goes over a gap.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: A path that produces less entropy than this produces none: itself and its reverse are equally likely.
_NONE: Final = 1e-9
#: Sums that `path_sums` keeps of each bin: paths forward and backward, and of those forward e^-s.
FORWARD, BACKWARD, REVERSED = 0, 1, 2
#: Sums over all paths: paths, s, s², e^-s, e^-2s, paths without production.
PATHS, SUM, SQUARES, INTEGRAL, INTEGRAL_SQUARES, STILL = range(6)


@njit(cache=True, nogil=True)
def _count(states: Any, linked: Any, part: Any, pairs: Any, triples: Any) -> None:  # pragma: no cover
    pixels, times = states.shape
    for pixel in range(pixels):
        run = 0
        for time in range(times):
            here = states[pixel, time]
            if here < 0:
                run = 0
                continue
            if run > 0 and not linked[time]:
                run = 0
            run += 1
            if run > 1:
                before = states[pixel, time - 1]
                pairs[part[time], before, here] += 1
                if run > 2:
                    triples[states[pixel, time - 2], before, here] += 1


@njit(cache=True, nogil=True)
def _paths(
    states: Any,
    linked: Any,
    length: Any,
    log_p: Any,
    gain: Any,
    weight: Any,
    width: Any,
    bins: Any,
    sums: Any,
) -> None:  # pragma: no cover
    pixels, times = states.shape
    last = bins.shape[2] - 1
    total = np.empty(times)
    for chain in range(len(weight)):
        many = weight[chain]
        if many == 0.0:
            continue
        for pixel in range(pixels):
            run = 0
            for time in range(times):
                here = states[pixel, time]
                if here < 0:
                    run = 0
                    continue
                if run > 0 and not linked[time]:
                    run = 0
                run += 1
                total[time] = 0.0
                if run > 1:
                    total[time] = total[time - 1] + gain[chain, states[pixel, time - 1], here]
                if run <= length:
                    continue
                first = states[pixel, time - length]
                made = log_p[chain, first] - log_p[chain, here] + total[time] - total[time - length]
                less = np.exp(-made)
                sums[chain, 0] += many
                sums[chain, 1] += many * made
                sums[chain, 2] += many * made * made
                sums[chain, 3] += many * less
                sums[chain, 4] += many * less * less
                size = abs(made)
                if size < _NONE:
                    sums[chain, 5] += many
                    continue
                place = min(int(size / width), last)
                if made > 0:
                    bins[chain, 0, place] += many
                    bins[chain, 2, place] += many * less
                else:
                    bins[chain, 1, place] += many


def count(
    states: NDArray[np.int16], linked: NDArray[np.bool_], part: NDArray[np.int64], parts: int, number: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Transitions, and triples of states that follow each other.

    Parameters
    ----------
    states
        Shape (pixels, times).
    linked
        Shape (times).
    part
        Shape (times): in which part of the time a transition that ends there is counted.
    parts, number
        Of parts, and of states.

    Returns
    -------
    pairs, triples
        Shapes (parts, number, number), counted from the earlier to the later, and (number, number, number).
    """
    pairs = np.zeros((parts, number, number), np.int64)
    triples = np.zeros((number, number, number), np.int64)
    _count(states, linked, part, pairs, triples)
    return pairs, triples


def path_sums(
    states: NDArray[np.int16],
    linked: NDArray[np.bool_],
    length: int,
    log_p: F64,
    gain: F64,
    weight: F64,
    width: float,
    bins: int,
) -> tuple[F64, F64]:
    """What all paths of a length produce, by several chains at once.

    Parameters
    ----------
    states, linked
        As for `count`.
    length
        Transitions of a path; every time that ends one counts, so that paths overlap.
    log_p
        Shape (chains, states): logarithm of the stationary probabilities.
    gain
        Shape (chains, states, states): what a transition produces, ``ln w(a→b) - ln w(b→a)``.
    weight
        Shape (chains): how often these series count for each.
    width, bins
        Of |s|; what is larger than the last bin counts in it.

    Returns
    -------
    bins, sums
        Shapes (chains, 3, bins) and (chains, 6); see the names above.
    """
    held = np.zeros((len(weight), 3, bins))
    sums = np.zeros((len(weight), 6))
    _paths(states, linked, length, log_p, gain, weight, width, held, sums)
    return held, sums

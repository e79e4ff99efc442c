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


@njit(cache=True, nogil=True, inline="always")
def _add(made: Any, many: Any, width: Any, last: Any, bins: Any, sums: Any) -> None:  # pragma: no cover
    less = np.exp(-made)
    sums[0] += many
    sums[1] += many * made
    sums[2] += many * made * made
    sums[3] += many * less
    sums[4] += many * less * less
    size = abs(made)
    if size < _NONE:
        sums[5] += many
        return
    place = min(int(size / width), last)
    if made > 0:
        bins[0, place] += many
        bins[2, place] += many * less
    else:
        bins[1, place] += many


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
                _add(made, many, width, last, bins[chain], sums[chain])


@njit(cache=True, nogil=True)
def _words(states: Any, linked: Any, length: Any, number: Any, counts: Any) -> None:  # pragma: no cover
    pixels, times = states.shape
    kinds = counts.shape[0]
    for pixel in range(pixels):
        run, word = 0, 0
        for time in range(times):
            here = states[pixel, time]
            if here < 0:
                run = 0
                continue
            if run > 0 and not linked[time]:
                run = 0
            run += 1
            word = (word * number + here) % kinds
            if run > length:
                counts[word] += 1.0


@njit(cache=True, nogil=True)
def _word_sums(
    counts: Any, length: Any, log_p: Any, gain: Any, width: Any, bins: Any, sums: Any
) -> None:  # pragma: no cover
    chains, kinds = counts.shape
    number, last = log_p.shape[1], bins.shape[2] - 1
    for chain in range(chains):
        for word in range(kinds):
            many = counts[chain, word]
            if many == 0.0:
                continue
            later = word % number
            made = -log_p[chain, later]
            rest = word // number
            for _ in range(length):
                here = rest % number
                rest //= number
                made += gain[chain, here, later]
                later = here
            made += log_p[chain, later]
            _add(made, many, width, last, bins[chain], sums[chain])


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


def words(states: NDArray[np.int16], linked: NDArray[np.bool_], length: int, number: int) -> F64:
    """How often each path of a length is walked: of few states and transitions there are not many.

    Parameters
    ----------
    states, linked
        As for `count`.
    length, number
        Transitions of a path, and states.

    Returns
    -------
    numpy.ndarray
        Shape (number ** (length + 1)): a path's place is its states read as digits, the first the highest.
    """
    counts = np.zeros(number ** (length + 1))
    _words(states, linked, length, number, counts)
    return counts


def word_sums(counts: F64, length: int, log_p: F64, gain: F64, width: float, bins: int) -> tuple[F64, F64]:
    """What `path_sums` gives, of counted paths.

    Parameters
    ----------
    counts
        Shape (chains, number ** (length + 1)): as `words` counts them, for each chain.
    length, log_p, gain, width, bins
        As for `path_sums`.
    """
    held = np.zeros((len(counts), 3, bins))
    sums = np.zeros((len(counts), 6))
    _word_sums(counts, length, log_p, gain, width, held, sums)
    return held, sums

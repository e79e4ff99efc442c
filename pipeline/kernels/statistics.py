"""Statistics of an image in a few passes over memory.

Order statistics are exact: they are found by a two-level counting sort on the
bit patterns of the float32 values, in the same two reads of the image that the
moments take anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

PERCENTILES: Final = (1, 10, 25, 50, 75, 90, 95, 98, 99)
_BINS: Final = 1 << 16
#: Values that are put beside one another without those that do not count: a cube is not held twice.
_AT_ONCE: Final = 1 << 25
#: Values looked at again and again while they are in the cache next to the processor.
_CHUNK: Final = 4096
#: Sums that run side by side.
_LANES: Final = 256
_SPARE: Final = 15
_SIGN: Final = np.uint32(0x80000000)
#: All bits of it are set in what is no finite number.
_EXPONENT: Final = np.uint32(0x7F800000)


@dataclass(frozen=True)
class Statistics:
    """Moments and percentiles of a set of pixels, how many they are, and values that were asked for by rank.

    NaN where they do not exist.
    """

    minimum: float
    maximum: float
    mean: float
    rms: float
    skewness: float
    kurtosis: float
    mean_absolute_deviation: float
    percentiles: dict[int, float]
    count: int
    at_ranks: tuple[float, ...] = ()


def statistics(
    values: NDArray[Any],
    flags: NDArray[np.uint16] | None = None,
    refused: int = 0,
    *,
    ranks: Sequence[int] = (),
) -> Statistics:
    """Statistics of the finite values none of whose `refused` bits is set.

    Parameters
    ----------
    values
        Of any shape; taken as float32.
    flags
        Of the same shape, or of that of the last axes; none are set by default.
    refused
        The bits of flags whose values do not count.
    ranks
        Of further values that are wanted: 0 is that of the smallest that counts.

    Returns
    -------
    Statistics
        Moments are accumulated in float64 about the mean. Kurtosis is the
        excess (0 for a Gaussian). Percentile p is the value at rank
        ``ceil(p/100·n)``: always one of the values.
    """
    flat = read_only(np.ascontiguousarray(values, dtype=np.float32).ravel())
    marks = (
        np.zeros(flat.size, np.uint16) if flags is None else np.ascontiguousarray(flags, np.uint16).ravel()
    )
    pieces = _Pieces(flat, read_only(marks), np.uint16(refused))
    count, total, coarse = 0, 0.0, np.zeros(_BINS, np.int64)
    ends = []
    for kept in pieces:
        plain, extremes, counts = _survey(kept)
        count, total, coarse = count + kept.size, total + plain, coarse + counts
        ends.append(extremes)
    if count == 0:
        nan = float("nan")
        return Statistics(nan, nan, nan, nan, nan, nan, nan, dict.fromkeys(PERCENTILES, nan), 0)
    extremes = np.array([min(low for low, _ in ends), max(high for _, high in ends)], np.uint32)
    low, high = (float(value) for value in _from_sortable(extremes))
    mean = total / count
    of_percentiles = [max(0, -(-p * count // 100) - 1) for p in PERCENTILES]
    every, places = np.unique(np.array([*of_percentiles, *ranks], dtype=np.int64), return_inverse=True)
    upper, before = _located(coarse, every)
    buckets, slots = np.unique(upper, return_inverse=True)
    slot_of = np.full(_BINS, -1, dtype=np.int8)
    slot_of[buckets] = np.arange(buckets.size)
    powers, fine = np.zeros(4), np.zeros((buckets.size, _BINS), np.int64)
    for kept in pieces:
        sums, lower = _closely(kept, mean, slot_of, buckets.size)
        powers += sums
        fine += lower
    m2, m3, m4, mad = powers / count
    rms = float(np.sqrt(m2))
    skewness = float(m3) / rms**3 if rms > 0 else float("nan")
    kurtosis = float(m4 / m2**2) - 3.0 if m2 > 0 else float("nan")
    found = _from_sortable(_patterns(upper, every - before, slots, fine))[places].tolist()
    percentiles = dict(zip(PERCENTILES, found, strict=False))
    further = tuple(found[len(PERCENTILES) :])
    return Statistics(low, high, mean, rms, skewness, kurtosis, float(mad), percentiles, count, further)


class _Pieces:
    """The values that count, some at a time, as often as they are asked for."""

    def __init__(self, flat: NDArray[np.float32], marks: NDArray[np.uint16], refused: np.uint16) -> None:
        self._flat, self._refused = flat, refused
        # Flags of one plane hold for those before it too: of small ones, several planes are a piece.
        planes = min(flat.size, _AT_ONCE) // max(marks.size, 1)
        self._marks = read_only(np.tile(marks, planes)) if planes > 1 else marks
        self._only: NDArray[np.float32] | None = None

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        whole = self._marks.size
        if self._flat.size <= min(whole, _AT_ONCE):
            if self._only is None:
                self._only = self._kept(0, 0)
            yield self._only
            return
        for start in range(0, self._flat.size, whole):
            for first in range(0, min(whole, self._flat.size - start), _AT_ONCE):
                yield self._kept(start, first)

    def _kept(self, start: int, first: int) -> NDArray[np.float32]:
        """Those from the first of some flags on, which stand for the values from `start` on."""
        marks = self._marks[first : first + _AT_ONCE]
        values = self._flat[start + first : start + first + marks.size]
        kept = np.empty(values.size, np.float32)
        return read_only(kept[: _select(values, marks[: values.size], self._refused, kept)])


@njit(cache=True, nogil=True)
def _located(
    counts: NDArray[np.int64], ranks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The bins in which ascending ranks (0 = smallest) lie, and how many values stand before each."""
    bins, before = np.empty(ranks.size, np.int64), np.empty(ranks.size, np.int64)
    first, total = 0, np.int64(0)
    for index in range(ranks.size):
        # Whole strides are added up side by side; the bin is looked for in one of them alone.
        while True:
            some = np.int64(0)
            for place in range(first, first + _LANES):
                some += np.int64(counts[place])
            if total + some > ranks[index]:
                break
            total += some
            first += _LANES
        place, passed = first, total
        while passed + counts[place] <= ranks[index]:
            passed += counts[place]
            place += 1
        bins[index], before[index] = place, passed
    return bins, before


def _patterns(
    upper: NDArray[np.int64], ranks: NDArray[np.int64], slots: NDArray[np.intp], fine: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Whole patterns of upper halves and ranks within them, from how often each lower half was seen."""
    lower = np.empty_like(ranks)
    for slot, counts in enumerate(fine):
        here = slots == slot
        lower[here] = _located(counts, ranks[here])[0]
    return ((upper << 16) | lower).astype(np.uint32)


@njit(cache=True, nogil=True)
def _select(
    values: NDArray[np.float32], flags: NDArray[np.uint16], refused: np.uint16, kept: NDArray[np.float32]
) -> int:
    """Copy the wanted values in order; how many they are."""
    count = 0
    for first in range(0, values.size, _CHUNK):
        some, marks = values[first : first + _CHUNK], flags[first : first + _CHUNK]
        keys = some.view(np.uint32)
        marked, without = np.uint16(0), np.uint32(0)
        for index in range(marks.size):
            marked |= marks[index]
        for index in range(keys.size):
            without += np.uint32((keys[index] & _EXPONENT) == _EXPONENT)
        if without == 0 and (marked & refused) == 0:
            kept[count : count + some.size] = some
            count += some.size
            continue
        for index in range(some.size):
            # Written always and counted only when wanted: a branch that follows the image is guessed wrong.
            kept[count] = some[index]
            count += ((keys[index] & _EXPONENT) != _EXPONENT) & ((marks[index] & refused) == 0)
    return count


@njit(cache=True, nogil=True)
def _survey(
    values: NDArray[np.float32],
) -> tuple[float, NDArray[np.uint32], NDArray[np.int64]]:
    """Sum, patterns of the lowest and the highest value, and counts of the upper halves of patterns."""
    # Neighbours are much alike, and a count in memory waits for the one before: there are two of each.
    even, odd = np.zeros(_BINS, dtype=np.uint32), np.zeros(_BINS, dtype=np.uint32)
    sums = np.zeros(_LANES)
    patterns, upper = np.empty(_CHUNK, np.uint32), np.empty(_CHUNK, np.uint16)
    low, high = np.uint32(0xFFFFFFFF), np.uint32(0)
    for first in range(0, values.size, _CHUNK):
        some = values[first : first + _CHUNK]
        _sortable(some.view(np.uint32), patterns, upper)
        for index in range(some.size):
            low, high = min(low, patterns[index]), max(high, patterns[index])
        for start in range(0, some.size, _LANES):
            _add(some[start : start + _LANES], sums)
        for index in range(0, some.size - 1, 2):
            even[upper[index]] += np.uint32(1)
            odd[upper[index + 1]] += np.uint32(1)
        if some.size % 2:
            even[upper[some.size - 1]] += np.uint32(1)
    counts = np.empty(_BINS, np.int64)
    for index in range(_BINS):
        counts[index] = np.int64(even[index]) + np.int64(odd[index])
    return sums.sum(), np.array([low, high], dtype=np.uint32), counts


@njit(cache=True, nogil=True)
def _closely(
    values: NDArray[np.float32], mean: float, slot_of: NDArray[np.int8], slots: int
) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """Sums of the powers of deviations and of their sizes, and the lower halves of patterns in some slots."""
    # What is in no slot is counted too, in spare places: a branch would be guessed wrong.
    spare = slots * _BINS
    counts = np.zeros(spare + _SPARE + 1, dtype=np.uint32)
    sums = np.zeros((4, _LANES))
    patterns, upper = np.empty(_CHUNK, np.uint32), np.empty(_CHUNK, np.uint16)
    for first in range(0, values.size, _CHUNK):
        some = values[first : first + _CHUNK]
        _sortable(some.view(np.uint32), patterns, upper)
        for start in range(0, some.size, _LANES):
            _add_powers(some[start : start + _LANES], mean, sums[0], sums[1], sums[2], sums[3])
        for index in range(some.size):
            slot = np.int64(slot_of[upper[index]])
            place = slot * _BINS + np.int64(patterns[index] & np.uint32(0xFFFF))
            counts[place if slot >= 0 else spare + (index & _SPARE)] += np.uint32(1)
    return sums.sum(axis=1), counts[:spare].reshape((slots, _BINS))


# Sums run side by side, for a sum waits for the one before; as many on every machine, so that all give the
# same last digit.
@njit(cache=True, nogil=True)
def _add(values: NDArray[np.float32], sums: NDArray[np.float64]) -> None:
    for lane in range(values.size):
        sums[lane] += np.float64(values[lane])


@njit(cache=True, nogil=True)
def _add_powers(
    values: NDArray[np.float32],
    mean: float,
    second: NDArray[np.float64],
    third: NDArray[np.float64],
    fourth: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> None:
    for lane in range(values.size):
        deviation = np.float64(values[lane]) - mean
        square = deviation * deviation
        second[lane] += square
        third[lane] += square * deviation
        fourth[lane] += square * square
        sizes[lane] += abs(deviation)


@njit(cache=True, nogil=True)
def _sortable(keys: NDArray[np.uint32], patterns: NDArray[np.uint32], upper: NDArray[np.uint16]) -> None:
    """IEEE 754: flipping the sign bit (or all bits of a negative number) orders patterns like the numbers."""
    for index in range(keys.size):
        key = keys[index]
        pattern = key ^ (np.uint32(np.int32(key) >> np.int32(31)) | _SIGN)
        patterns[index] = pattern
        upper[index] = np.uint16(pattern >> np.uint32(16))


def _from_sortable(patterns: NDArray[np.uint32]) -> NDArray[np.float32]:
    original = np.where(patterns & _SIGN, patterns ^ _SIGN, ~patterns).astype(np.uint32)
    return original.view(np.float32)


def largest_below(values: NDArray[np.float32], limit: float) -> tuple[int, float]:
    """How many of some positive values are below a limit, and the largest of these (0: none)."""
    # Patterns of positive numbers are in their order, and whole numbers are compared side by side.
    patterns = read_only(np.ascontiguousarray(values, dtype=np.float32).view(np.int32))
    count, largest = _largest_below(patterns, np.float32(limit).view(np.int32))
    return int(count), float(np.int32(largest).view(np.float32))


@njit(cache=True, nogil=True)
def _largest_below(patterns: NDArray[np.int32], limit: np.int32) -> tuple[np.int64, np.int32]:
    count, largest = np.int64(0), np.int32(0)
    for first in range(0, patterns.size, _CHUNK):
        some = np.int32(0)
        for pattern in patterns[first : first + _CHUNK]:
            some = np.int32(some + np.int32(pattern < limit))
            largest = max(largest, pattern if pattern < limit else np.int32(0))
        count += some
    return count, largest


def count_combinations(flags: NDArray[np.uint16]) -> NDArray[np.int64]:
    """How many pixels have each combination of the 16 bits, by its value; int64, shape (65536,)."""
    counts: NDArray[np.int64] = _count_combinations(read_only(np.ascontiguousarray(flags).ravel()))
    return counts


@njit(cache=True, nogil=True)
def _count_combinations(flags: NDArray[np.uint16]) -> NDArray[np.int64]:
    counts = np.zeros(_BINS, dtype=np.int64)
    for first in range(0, flags.size, _CHUNK):
        some = flags[first : first + _CHUNK]
        marked = np.uint16(0)
        for index in range(some.size):
            marked |= some[index]
        clear = some.size
        if marked:
            for flag in some:
                # Nearly all have none: each count in memory would wait for the one before.
                if flag:
                    counts[flag] += 1
                    clear -= 1
        counts[0] += clear
    return counts

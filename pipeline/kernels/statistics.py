"""Statistics of an image in a few passes over memory.

Order statistics are exact: they are found by a two-level counting sort on the
bit patterns of the float32 values, in the same two reads of the image that the
moments take anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

PERCENTILES: Final = (1, 10, 25, 50, 75, 90, 95, 98, 99)
_BINS: Final = 1 << 16


@dataclass(frozen=True)
class Statistics:
    """Moments and percentiles of a set of pixels, and how many they are; NaN where they do not exist."""

    minimum: float
    maximum: float
    mean: float
    rms: float
    skewness: float
    kurtosis: float
    mean_absolute_deviation: float
    percentiles: dict[int, float]
    count: int


def statistics(values: NDArray[Any], flags: NDArray[np.uint16] | None = None, refused: int = 0) -> Statistics:
    """Statistics of the finite values none of whose `refused` bits is set.

    Parameters
    ----------
    values
        Of any shape; taken as float32.
    flags
        Of the same shape; none are set by default.
    refused
        The bits of flags whose values do not count.

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
    kept, low, high, total, coarse = _survey(flat, read_only(marks), np.uint16(refused))
    if kept.size == 0:
        nan = float("nan")
        return Statistics(nan, nan, nan, nan, nan, nan, nan, dict.fromkeys(PERCENTILES, nan), 0)
    mean = total / kept.size
    ranks = np.array([max(0, -(-p * kept.size // 100) - 1) for p in PERCENTILES], dtype=np.int64)
    wanted = np.unique(_buckets(coarse, ranks))
    slot_of = np.full(_BINS, -1, dtype=np.int8)
    slot_of[wanted] = np.arange(wanted.size)
    m2, m3, m4, mad, fine = _closely(kept, mean, slot_of, wanted.size)
    m2, m3, m4, mad = (one / kept.size for one in (m2, m3, m4, mad))
    rms = float(np.sqrt(m2))
    skewness = m3 / rms**3 if rms > 0 else float("nan")
    kurtosis = m4 / m2**2 - 3.0 if m2 > 0 else float("nan")
    found = _at_ranks(ranks, coarse, slot_of, fine)
    percentiles = {p: float(value) for p, value in zip(PERCENTILES, found, strict=True)}
    return Statistics(low, high, mean, rms, skewness, kurtosis, mad, percentiles, kept.size)


def _buckets(coarse: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The upper halves of the patterns that stand at ranks."""
    return np.searchsorted(np.cumsum(coarse), ranks, side="right")


def _at_ranks(
    ranks: NDArray[np.int64], coarse: NDArray[np.int64], slot_of: NDArray[np.int8], fine: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The values at ranks (0 = smallest), from how often each half of a pattern was seen."""
    cumulative, low = np.cumsum(coarse), np.cumsum(fine, axis=1)
    result = np.empty(ranks.size, dtype=np.uint32)
    for place, (rank, bucket) in enumerate(zip(ranks, _buckets(coarse, ranks), strict=True)):
        before = cumulative[bucket - 1] if bucket else 0
        lower = np.searchsorted(low[slot_of[bucket]], rank - before, side="right")
        result[place] = (int(bucket) << 16) | int(lower)
    return _from_sortable(result)


@njit(cache=True, nogil=True)
def _survey(
    values: NDArray[np.float32], flags: NDArray[np.uint16], refused: np.uint16
) -> tuple[NDArray[np.float32], float, float, float, NDArray[np.int64]]:
    """The wanted values in order, lowest, highest, sum, and counts of the upper halves of patterns."""
    kept = np.empty(values.size, dtype=np.float32)
    counts = np.zeros(_BINS, dtype=np.int64)
    keys = values.view(np.uint32)
    low, high, total = np.inf, -np.inf, 0.0
    count = 0
    for index in range(values.size):
        # Written always and counted only when wanted: a branch that follows the image is guessed wrong.
        value = values[index]
        good = np.isfinite(value) & ((flags[index] & refused) == 0)
        kept[count] = value
        count += good
        number = np.float64(value)
        total += number if good else 0.0
        low = min(low, number if good else np.inf)
        high = max(high, number if good else -np.inf)
        counts[_sortable(keys[index]) >> np.uint32(16)] += good
    return kept[:count], low, high, total, counts


@njit(cache=True, nogil=True)
def _closely(
    values: NDArray[np.float32], mean: float, slot_of: NDArray[np.int8], slots: int
) -> tuple[float, float, float, float, NDArray[np.int64]]:
    """Sums of the powers of deviations, of their sizes, and the lower halves of patterns in some slots."""
    counts = np.zeros((slots, _BINS), dtype=np.int64)
    keys = values.view(np.uint32)
    m2 = m3 = m4 = mad = 0.0
    for index in range(values.size):
        deviation = np.float64(values[index]) - mean
        square = deviation * deviation
        m2 += square
        m3 += square * deviation
        m4 += square * square
        mad += abs(deviation)
        pattern = _sortable(keys[index])
        slot = slot_of[pattern >> np.uint32(16)]
        if slot >= 0:
            counts[slot, pattern & np.uint32(0xFFFF)] += 1
    return m2, m3, m4, mad, counts


@njit(cache=True, nogil=True)
def _sortable(key: np.uint32) -> np.uint32:
    # IEEE 754: flipping the sign bit (or all bits of a negative number) orders patterns like the numbers.
    if key & np.uint32(0x80000000):
        return np.uint32(~key)
    return np.uint32(key | np.uint32(0x80000000))


def _from_sortable(patterns: NDArray[np.uint32]) -> NDArray[np.float32]:
    top = np.uint32(0x80000000)
    original = np.where(patterns & top, patterns ^ top, ~patterns).astype(np.uint32)
    return original.view(np.float32)


def count_combinations(flags: NDArray[np.uint16]) -> NDArray[np.int64]:
    """How many pixels have each combination of the 16 bits, by its value; int64, shape (65536,)."""
    counts: NDArray[np.int64] = _count_combinations(read_only(np.ascontiguousarray(flags).ravel()))
    return counts


@njit(cache=True, nogil=True)
def _count_combinations(flags: NDArray[np.uint16]) -> NDArray[np.int64]:
    counts = np.zeros(_BINS, dtype=np.int64)
    clear = 0
    for flag in flags:
        # Nearly all have none: each count in memory would wait for the one before.
        if flag:
            counts[flag] += 1
        else:
            clear += 1
    counts[0] = clear
    return counts

"""Statistics of an image in a few passes over memory.

Order statistics are exact: they are found by a two-level counting sort on the
bit patterns of the float32 values, which costs two reads of the image instead
of a partial sort.
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
    """Moments and percentiles of a set of pixels; NaN where they do not exist."""

    minimum: float
    maximum: float
    mean: float
    rms: float
    skewness: float
    kurtosis: float
    mean_absolute_deviation: float
    percentiles: dict[int, float]


def statistics(values: NDArray[Any]) -> Statistics:
    """Statistics of finite values.

    Parameters
    ----------
    values
        Finite values of any shape; taken as float32.

    Returns
    -------
    Statistics
        Moments are accumulated in float64 about the mean. Kurtosis is the
        excess (0 for a Gaussian). Percentile p is the value at rank
        ``ceil(p/100·n)``: always one of the values.
    """
    flat = read_only(np.ascontiguousarray(values, dtype=np.float32).ravel())
    if flat.size == 0:
        nan = float("nan")
        return Statistics(nan, nan, nan, nan, nan, nan, nan, dict.fromkeys(PERCENTILES, nan))
    low, high, mean, m2, m3, m4, mad = _moments(flat)
    rms = float(np.sqrt(m2))
    skewness = m3 / rms**3 if rms > 0 else float("nan")
    kurtosis = m4 / m2**2 - 3.0 if m2 > 0 else float("nan")
    ranks = np.array([max(0, -(-p * flat.size // 100) - 1) for p in PERCENTILES], dtype=np.int64)
    found = order_statistics(flat, ranks)
    percentiles = {p: float(value) for p, value in zip(PERCENTILES, found, strict=True)}
    return Statistics(low, high, mean, rms, skewness, kurtosis, mad, percentiles)


def selected(values: NDArray[np.float32], flags: NDArray[np.uint16], refused: int) -> NDArray[np.float32]:
    """The finite values none of whose `refused` bits is set, flat and in order, in one pass."""
    kept: NDArray[np.float32] = _selected(
        read_only(np.ascontiguousarray(values, dtype=np.float32).ravel()),
        read_only(np.ascontiguousarray(flags, dtype=np.uint16).ravel()),
        np.uint16(refused),
    )
    return kept


def order_statistics(values: NDArray[np.float32], ranks: NDArray[np.int64]) -> NDArray[np.float32]:
    """The values at up to 127 ranks (0 = smallest) of a flat float32 array without NaN."""
    keys = read_only(values.view(np.uint32))
    high = _histogram_high(keys)
    cumulative = np.cumsum(high)
    buckets = np.searchsorted(cumulative, ranks, side="right")
    wanted, slots = np.unique(buckets, return_inverse=True)
    slot_of = np.full(_BINS, -1, dtype=np.int8)
    slot_of[wanted] = np.arange(wanted.size)
    low = np.cumsum(_histograms_low(keys, slot_of, wanted.size), axis=1)
    result = np.empty(ranks.size, dtype=np.uint32)
    for place, (rank, bucket, slot) in enumerate(zip(ranks, buckets, slots, strict=True)):
        before = cumulative[bucket - 1] if bucket else 0
        result[place] = (int(bucket) << 16) | int(np.searchsorted(low[slot], rank - before, side="right"))
    return _from_sortable(result)


@njit(cache=True, nogil=True)
def _selected(
    values: NDArray[np.float32], flags: NDArray[np.uint16], refused: np.uint16
) -> NDArray[np.float32]:
    kept = np.empty(values.size, dtype=np.float32)
    count = 0
    for index in range(values.size):
        # Written always and counted only when wanted: a branch that follows the image is guessed wrong.
        kept[count] = values[index]
        count += np.isfinite(values[index]) & ((flags[index] & refused) == 0)
    return kept[:count]


@njit(cache=True, nogil=True)
def _sortable(key: np.uint32) -> np.uint32:
    # IEEE 754: flipping the sign bit (or all bits of a negative number) orders patterns like the numbers.
    if key & np.uint32(0x80000000):
        return np.uint32(~key)
    return np.uint32(key | np.uint32(0x80000000))


@njit(cache=True, nogil=True)
def _histogram_high(keys: NDArray[np.uint32]) -> NDArray[np.int64]:
    counts = np.zeros(_BINS, dtype=np.int64)
    for key in keys:
        counts[_sortable(key) >> np.uint32(16)] += 1
    return counts


@njit(cache=True, nogil=True)
def _histograms_low(keys: NDArray[np.uint32], slot_of: NDArray[np.int8], slots: int) -> NDArray[np.int64]:
    counts = np.zeros((slots, _BINS), dtype=np.int64)
    for key in keys:
        pattern = _sortable(key)
        slot = slot_of[pattern >> np.uint32(16)]
        if slot >= 0:
            counts[slot, pattern & np.uint32(0xFFFF)] += 1
    return counts


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
    for flag in flags:
        counts[flag] += 1
    return counts


@njit(cache=True, nogil=True)
def _moments(values: NDArray[np.float32]) -> tuple[float, float, float, float, float, float, float]:
    low = np.float64(values[0])
    high = low
    total = 0.0
    for value in values:
        number = np.float64(value)
        total += number
        low = min(low, number)
        high = max(high, number)
    count = values.size
    mean = total / count
    m2 = m3 = m4 = mad = 0.0
    for value in values:
        deviation = np.float64(value) - mean
        square = deviation * deviation
        m2 += square
        m3 += square * deviation
        m4 += square * square
        mad += abs(deviation)
    return low, high, mean, m2 / count, m3 / count, m4 / count, mad / count

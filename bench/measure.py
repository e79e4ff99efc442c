"""Timing contenders against each other, and what a row of the results holds."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: Fewer rounds than this give no spread.
_LEAST_ROUNDS: Final = 2


@dataclass(frozen=True)
class Sample:
    """Measurements of one contender, in the order they were taken.

    Attributes
    ----------
    values
        One for each round.
    processor
        Processor time of each round in seconds, where it was measured: on a
        busy machine it tells the contenders apart better than the clock.
    """

    values: tuple[float, ...]
    processor: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)


@dataclass(frozen=True)
class Aim:
    """What a row should reach: a ratio, or the largest value of ours."""

    ratio: float | None = None
    most: float | None = None
    text: str = ""

    def reached(self, row: Row) -> bool:
        """Whether the medians of a row do."""
        if self.ratio is not None and row.ratio < self.ratio:
            return False
        return self.most is None or row.ours.median <= self.most

    def __str__(self) -> str:
        return self.text or (f"≥ {self.ratio:g}×" if self.ratio is not None else f"≤ {self.most:g}")


@dataclass(frozen=True)
class Row:
    """One comparison; `ratio` is the peer's measure over ours: how many times less ours needs."""

    name: str
    ours: Sample
    peer: Sample
    peer_name: str
    unit: str = "s"
    aim: Aim | None = None
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    judged: bool = True

    @property
    def ratio(self) -> float:
        """Median of the peer over median of ours."""
        return self.peer.median / self.ours.median

    @property
    def processor_ratio(self) -> float | None:
        """The ratio in processor time; `None` where that was not measured."""
        if not (self.ours.processor and self.peer.processor):
            return None
        return statistics.median(self.peer.processor) / max(statistics.median(self.ours.processor), 1e-9)

    @property
    def ratio_spread(self) -> tuple[float, float]:
        """Smallest and largest ratio of one round."""
        if len(self.ours.values) != len(self.peer.values):
            return self.peer.low / self.ours.high, self.peer.high / self.ours.low
        each = [peer / ours for ours, peer in zip(self.ours.values, self.peer.values, strict=True)]
        return min(each), max(each)

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; `None` where there is none or a quick run says nothing about it."""
        return self.aim.reached(self) if self.aim is not None and self.judged else None


@dataclass(frozen=True)
class Skipped:
    """A row that could not be measured here, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Race:
    """What `race` measured: seconds of every contender, and what each returned last."""

    times: Mapping[str, Sample]
    results: Mapping[str, Any]


def race(
    contenders: Mapping[str, Callable[[], Any]],
    *,
    rounds: int,
    budget: float = float("inf"),
    warm: bool = True,
) -> Race:
    """Let contenders run in turn, round after round, so that a slow minute of the machine meets them all.

    Parameters
    ----------
    contenders
        Name → function to be timed (wall clock).
    rounds
        How often each runs.
    budget
        Seconds after which no further round begins once there are two.
    warm
        Let everyone run once before, untimed: compilation, imports and page
        faults are paid there.
    """
    if warm:
        for contender in contenders.values():
            contender()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    processor: dict[str, list[float]] = {name: [] for name in contenders}
    results: dict[str, Any] = {}
    gc.collect()
    gc.freeze()  # what is there by now need not be looked through between turns
    begin = time.perf_counter()
    for number in range(rounds):
        if number >= _LEAST_ROUNDS and time.perf_counter() - begin > budget:
            break
        for name, contender in contenders.items():
            results.pop(name, None)
            gc.collect()
            busy, start = time.process_time(), time.perf_counter()
            results[name] = contender()
            times[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - busy)
    gc.unfreeze()
    samples = {name: Sample(tuple(times[name]), tuple(processor[name])) for name in contenders}
    return Race(samples, results)


def medians(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median of every entry of several records with the same names."""
    return {name: statistics.median(record[name] for record in records) for name in records[0]}


def shares(phases: Mapping[str, float]) -> str:
    """Phases of some work as a sentence part, the longest first: ``write 0.41 s, read 0.30 s``."""
    ordered = sorted(phases.items(), key=lambda entry: -entry[1])
    return ", ".join(f"{name} {duration(seconds)}" for name, seconds in ordered)


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"

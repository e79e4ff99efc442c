"""How a run gets on, in words: the same on the terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lake.ledger.pace import LATELY

#: Headings of `step_rows`; rates are frames per second, of late where the run goes on.
STEPS: Final = ("step", "times", "per s", "median", "95 %", "share")
_SIZES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def amount(count: float) -> str:
    """A number of bytes."""
    for unit in _SIZES[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_SIZES[-1]}"


def took(seconds: float) -> str:
    """How long a step takes, to what can be told apart."""
    if seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds:.0f} s"


def span(low: float, high: float) -> str:
    """A time between two others, to two digits at most: more would feign knowledge."""
    unit, name = (1.0, "s") if high < 90 else (60.0, "min") if high < 90 * 60 else (3600.0, "h")
    first, last = (_round(max(value / unit, 1 if unit == 1 else 0)) for value in (low, high))
    return f"{first} {name}" if first == last else f"{first} to {last} {name}"


def _round(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1g}" if value < 1 else f"{value:.2g}"


def left(pace: Mapping[str, Any]) -> str:
    """How long a run will take still, as far as is known; nothing of one that nobody carries out."""
    if pace["status"] != "running":
        return ""
    if pace["left"] is not None:
        return f"{span(*pace['left'])} left"
    if not any(one["alive"] for one in pace["executors"]):
        return "nobody carries it out"
    return f"no unit ended in the last {LATELY} minutes" if pace["rate"]["overall"] else ""


def speed(pace: Mapping[str, Any]) -> str:
    """How fast a run is, of late and over all its time."""
    rate = pace["rate"]
    if not rate["overall"]:
        return ""
    going = pace["status"] == "running"
    late = f"{rate['lately']:.3g} units/min lately, " if going else ""
    moved = f", {amount(rate['bytes_in'])}/s read, {amount(rate['bytes_out'])}/s written" if going else ""
    return f"{late}{rate['overall']:.3g} units/min over all{moved}"


def one_line(pace: Mapping[str, Any]) -> str:
    """Where a run stands."""
    said = (f"{pace['ended']}/{pace['total']} units", speed(pace), left(pace))
    return ", ".join(part for part in said if part)


def step_rows(pace: Mapping[str, Any]) -> list[tuple[str, int, str, str, str, str]]:
    """What `STEPS` names: of each step how often, how fast, the median, what 95 of 100 stay below, share."""
    return [
        (
            one["step"],
            one["times"],
            f"{one['rate']:.3g}",
            took(one["median"]),
            took(one["p95"]),
            f"{100 * one['share']:.0f} %",
        )
        for one in pace["steps"]
    ]


def busiest(workers: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """The workers that did the most; a cluster may have a thousand."""
    return sorted(workers, key=lambda one: -one["units"])[:most]

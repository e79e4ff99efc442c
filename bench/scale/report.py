"""What the parts measured as one table and one plot, with what ten million would cost by the same model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Told = dict[str, Any]
_MB: Final = 1e6
_TEN_MILLION: Final = 10**7


@dataclass(frozen=True)
class Row:
    """One line of the table: a quantity that a part tells at each size.

    `per_unit` is what should be flat, in milliseconds or bytes; a rate is told as it is.
    """

    part: str
    name: str
    unit: str
    get: Callable[[Told], float]
    aim: str = ""
    grows: bool = True


def _seconds(*stages: str) -> Callable[[Told], float]:
    return lambda told: float(sum(told["stages"][one]["seconds"] for one in stages))


def _processor(*stages: str) -> Callable[[Told], float]:
    """Processor time for one unit, in milliseconds, of the client and of the services."""

    def get(told: Told) -> float:
        spent = sum(told["stages"][one][who] for one in stages for who in ("client", "services"))
        return float(1e3 * spent / told["count"])

    return get


def _peak(told: Told) -> float:
    return float(told["peak"]) / _MB


def _rate(stage: str) -> Callable[[Told], float]:
    return lambda told: float(told["stages"][stage]["per_second"])


def _hands(stage: str) -> Callable[[Told], float]:
    """Processor time for one unit, in milliseconds, where several processes took a part of them."""

    def get(told: Told) -> float:
        found = told["stages"][stage]
        return float(1e3 * (found["client"] + found["services"]) / found["units"])

    return get


_RAW, _RUN = "raw files registered", "carried out and published"
_EARLY, _LATE = "claimed and finished, at the beginning", "claimed and finished, at the end"
ROWS: Final = (
    Row("through", "units carried out and published", "s", _seconds(_RUN)),
    Row("through", "– of processors, for one unit", "ms", _processor(_RUN), grows=False),
    Row("through", "– memory of the client", "MB", _peak),
    Row("planning", "plan", "s", _seconds("planned"), "10⁶ in ≤ 60 s"),
    Row("planning", "– of processors, for one unit", "ms", _processor("planned"), grows=False),
    Row("planning", "– memory", "MB", _peak, "10⁶ in ≤ 2 GB"),
    Row("ledger", "units entered", "s", _seconds("entered")),
    Row("ledger", "– memory", "MB", _peak),
    Row("ledger", "claimed and finished, run new", "units/s", _rate(_EARLY), "≥ 2,000", grows=False),
    Row("ledger", "claimed and finished, run nearly over", "units/s", _rate(_LATE), "≥ 2,000", grows=False),
    Row("ledger", "– of processors, for one unit, new", "ms", _hands(_EARLY), grows=False),
    Row("ledger", "– of processors, for one unit, nearly over", "ms", _hands(_LATE), grows=False),
    Row("release", "one release of so many files", "s", _seconds("published")),
    Row("release", "– of processors, for one file", "ms", _processor("published"), grows=False),
    Row("release", "– memory", "MB", _peak, "does not grow"),
)


def load(folder: Path) -> list[Told]:
    """All that was measured, by part and size."""
    told = [json.loads(path.read_text()) for path in sorted(folder.glob("*-*.json"))]
    return sorted(told, key=lambda one: (one["part"], one["count"]))


def table(told: Sequence[Told]) -> str:
    """The table, in Markdown."""
    sizes = sorted({one["count"] for one in told})
    heads = ["", *(_power(size) for size in sizes), "10⁷ by the model", "aim"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in ROWS:
        found = {one["count"]: row.get(one) for one in told if one["part"] == row.part}
        if found:
            cells = [_number(found.get(size)) for size in sizes]
            guess = _number(model(found)(_TEN_MILLION)) if row.grows and len(found) > 1 else ""
            lines.append(f"| {row.name}, {row.unit} | {' | '.join(cells)} | {guess} | {row.aim} |")
    return "\n".join(lines) + "\n"


def model(found: dict[int, float]) -> Callable[[int], float]:
    """A constant and so much for each unit, through the two largest sizes."""
    (few, less), (many, more) = sorted(found.items())[-2:]
    slope = max(0.0, (more - less) / (many - few))
    return lambda size: more + slope * (size - many)


def _power(size: int) -> str:
    exponent = len(str(size)) - 1
    raised = "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(exponent))
    return f"10{raised}" if size == 10**exponent else f"{size:,}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def draw(told: Sequence[Told], path: Path) -> None:
    """Cost for one unit, and memory, over the number of units."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    lines = {
        "through": ("everything: carried out and published", "#2a7f62"),
        "release": ("one release of so many files", "#c8553d"),
        "ledger": ("ledger: claimed and finished, nearly over", "#6c5b9e"),
        "planning": ("plan", "#3a6ea5"),
    }
    costs = {row.part: row.get for row in ROWS if "processors" in row.name}
    for part, (label, colour) in lines.items():
        those = [one for one in told if one["part"] == part]
        sizes = [one["count"] for one in those]
        left.loglog(sizes, [costs[part](one) for one in those], "o-", color=colour, label=label)
        right.loglog(sizes, [_peak(one) for one in those], "o-", color=colour, label=label)
    left.set_ylabel("processor time for one unit, ms")
    right.set_ylabel("peak memory of the process, MB")
    right.axhline(2000, color="black", linewidth=1, linestyle="--")
    for axes in (left, right):
        axes.set_xlabel("units")
        axes.grid(color="#dddddd")
    left.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=100)
    plt.close(figure)

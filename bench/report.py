"""What a run leaves behind: lines while it runs, then JSON, a table and a plot."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from bench.measure import Row, Sample, Skipped, duration

_PACKAGES: Final = (
    *("heliolake", "numpy", "scipy", "numba", "astropy", "sunpy", "aiapy", "scikit-image"),
    *("opencv-python-headless", "fitsio", "xarray", "dask", "distributed"),
)
_COLOURS: Final = {True: "#2a7f62", False: "#c8553d", None: "#6c7a89"}
_WORDS: Final = {True: "aim reached", False: "aim missed", None: "no aim set, or a quick run"}
_JUDGEMENTS: Final = {True: "reached", False: "MISSED", None: "not judged in a quick run"}


def write(folder: Path, results: Sequence[Row | Skipped], about: dict[str, Any]) -> None:
    """Write ``results.json`` and ``results.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [result for result in results if isinstance(result, Row)]
    skipped = [result for result in results if isinstance(result, Skipped)]
    document = {
        "rows": [as_document(row) for row in rows],
        "skipped": [{"name": one.name, "reason": one.reason} for one in skipped],
        **about,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    (folder / "results.md").write_text(_markdown(rows, skipped, about), encoding="utf-8")


def draw(folder: Path, results: Sequence[Row | Skipped], about: dict[str, Any]) -> None:
    """Draw ``results.png``."""
    rows = [result for result in results if isinstance(result, Row)]
    if rows:
        _plot(folder / "results.png", rows, _subtitle(about))


def about_machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": versions,
        "threads": 1,
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def as_document(row: Row) -> dict[str, Any]:
    """A row as ``results.json`` has it; `ratio` is the peer's measure over ours."""
    return {
        "name": row.name,
        "ours": row.ours.median,
        "peer": row.peer.median,
        "peer_name": row.peer_name,
        "ratio": row.ratio,
        "unit": row.unit,
        "spread": {
            "ours": [row.ours.low, row.ours.high],
            "peer": [row.peer.low, row.peer.high],
            "ratio": list(row.ratio_spread),
        },
        "rounds": len(row.ours.values),
        "processor_time_ratio": row.processor_ratio,
        "aim": None if row.aim is None else str(row.aim),
        "reached": row.reached,
        "numbers": dict(row.numbers),
        "notes": list(row.notes),
    }


def line(result: Row | Skipped) -> str:
    """A result as it appears on the terminal."""
    if isinstance(result, Skipped):
        return f"{result.name}\n    skipped: {result.reason}"
    low, high = result.ratio_spread
    ratio = f"{_times(result.ratio)} ({_times(low)} – {_times(high)}){_processor_ratio(result)}"
    first = (
        f"{result.name}  against  {result.peer_name}\n"
        f"    ours {_measure(result.ours, result.unit)}   peer {_measure(result.peer, result.unit)}   "
        f"ratio {ratio}{_verdict(result)}"
    )
    return "\n".join([first, *(f"    · {note}" for note in result.notes)])


def _processor_ratio(row: Row) -> str:
    ratio = row.processor_ratio
    return "" if ratio is None else f", {_times(ratio)} in processor time"


def _verdict(row: Row) -> str:
    if row.aim is None:
        return ""
    return f"   aim {row.aim}: {_JUDGEMENTS[row.reached]}"


def _measure(sample: Sample, unit: str) -> str:
    return f"{_value(sample.median, unit)} ({_value(sample.low, unit)} – {_value(sample.high, unit)})"


def _value(value: float, unit: str) -> str:
    return duration(value) if unit == "s" else f"{value:.4g} {unit}"


def _times(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


def _subtitle(about: dict[str, Any]) -> str:
    machine = about["machine"]
    quick = "; QUICK RUN: small images, figures mean nothing" if about["quick"] else ""
    return (
        f"{about['started'][:16].replace('T', ' ')} UTC, {machine['processor']}, {machine['cores']} cores, "
        f"one thread each, load {about['load']['before']:.1f} before{quick}"
    )


def _markdown(rows: Sequence[Row], skipped: Sequence[Skipped], about: dict[str, Any]) -> str:
    lines = [
        "# Benchmarks",
        "",
        f"{_subtitle(about)}. Medians (smallest – largest) of interleaved rounds; ratio: peer ÷ ours.",
        "",
        "| row | ours | peer | ratio | in processor time | aim | against |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row.ratio_spread
        spent = "–" if row.processor_ratio is None else _times(row.processor_ratio)
        aim = "–" if row.aim is None else f"{row.aim}: {_JUDGEMENTS[row.reached]}"
        lines.append(
            f"| {row.name} | {_measure(row.ours, row.unit)} | {_measure(row.peer, row.unit)} | "
            f"**{_times(row.ratio)}** ({_times(low)} – {_times(high)}) | {spent} | {aim} | {row.peer_name} |"
        )
    lines += ["", "## Notes", ""]
    for row in rows:
        lines += [f"**{row.name}**, against {row.peer_name}", "", *(f"- {note}" for note in row.notes), ""]
    lines += [f"- skipped: {one.name}: {one.reason}" for one in skipped]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines += ["", f"Versions: Python {about['machine']['python']}, {versions}."]
    return "\n".join(lines) + "\n"


def _plot(path: Path, rows: Sequence[Row], subtitle: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure, axes = plt.subplots(figsize=(11, 1.6 + 0.52 * len(rows)), layout="constrained")
    largest = max(row.ratio_spread[1] for row in rows)
    smallest = min(row.ratio_spread[0] for row in rows)
    for place, row in enumerate(reversed(rows)):
        low, high = row.ratio_spread
        axes.barh(place, row.ratio - 1, left=1, height=0.62, color=_COLOURS[row.reached], zorder=2)
        axes.plot([low, high], [place, place], color="black", linewidth=1.2, zorder=4)
        mark = row.aim.ratio if row.aim is not None and row.aim.ratio is not None else 1.0
        right = max(1.0, high, row.ratio, mark)
        text = (
            f"{_times(row.ratio)}   {_value(row.ours.median, row.unit)} : {_value(row.peer.median, row.unit)}"
        )
        axes.text(right * 1.07, place, text, va="center", fontsize=8.5, zorder=5)
        if row.aim is not None and row.aim.ratio is not None:
            axes.plot(
                [row.aim.ratio] * 2, [place - 0.42, place + 0.42], color="black", linewidth=2.2, zorder=5
            )
    axes.axvline(1.0, color="black", linewidth=0.8, zorder=3)
    axes.set_xscale("log")
    axes.set_xlim(min(0.25, smallest * 0.8), largest * 12)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([f"{row.name}\nvs {row.peer_name}" for row in reversed(rows)], fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("peer ÷ ours (logarithmic): how many times less time, or memory, ours needs")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.grid(axis="x", color="#dddddd", zorder=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    present = [state for state in (True, False, None) if any(row.reached is state for row in rows)]
    handles: list[Any] = [Patch(color=_COLOURS[state], label=_WORDS[state]) for state in present]
    handles.append(
        Line2D([], [], color="black", linewidth=2.2, marker="|", linestyle="", markersize=11, label="aim")
    )
    handles.append(Line2D([], [], color="black", linewidth=1.2, label="smallest to largest round"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8.5, frameon=False
    )
    axes.set_title(f"Heliolake against its peers\n{subtitle}", fontsize=9.5, loc="left")
    figure.savefig(path, dpi=130)
    plt.close(figure)

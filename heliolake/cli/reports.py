"""Reports of ingest and process as people read them."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from heliolake.cli.output import coloured, out, table

if TYPE_CHECKING:
    from cluster.report import Item, Report

_SHOWN = 40
"""Rows of one table: beyond that a person wants `--json`."""


def print_report(report: Report, *, noun: str) -> None:
    """Counts, then what was put aside with reason and advice, then the releases made."""
    console = out()
    counts = report.counts()
    parts = [f"{number} {coloured(outcome)}" for outcome, number in counts.items() if number]
    console.print(f"{_plural(len(report.items), noun)}: {', '.join(parts) or 'nothing to do'}")
    _print_troubles(report)
    _print_caveats(report)
    releases: list[dict[str, Any]] = report.more.get("releases", [])
    if releases:
        console.print()
        console.print(release_table(releases, "Releases made"))
    if ignored := report.more.get("ignored"):
        console.print(f"\n[dim]{_plural(len(ignored), 'file')} left alone: not named like FITS files.[/]")


def release_table(releases: list[dict[str, Any]], title: str = "") -> Any:
    """Releases as a table."""
    rows = [
        (
            escape(entry["product"]),
            f"v{entry['version']:04d}",
            coloured(entry["status"]),
            entry["level"],
            entry["files"],
            short_time(entry["date_beg"]),
        )
        for entry in releases[:_SHOWN]
    ]
    if len(releases) > _SHOWN:
        rows.append((f"… and {len(releases) - _SHOWN} more (--json has all)", "", "", "", "", ""))
    return table(
        title, ("product", "version", "status", ">level", ">files", "begins"), rows, fold=("product",)
    )


def short_time(text: str | None) -> str:
    """A time to the second, without a zone: all times are UTC."""
    return "" if not text else str(text)[:19].replace("T", " ")


def _print_troubles(report: Report) -> None:
    troubles = [item for item in report.items if item.outcome in ("quarantined", "failed")]
    console = out()
    for item in troubles[:_SHOWN]:
        console.print(f"\n{coloured(item.outcome)}  [bold]{escape(PurePath(item.file).name)}[/]")
        console.print(f"  {escape(_sentence(item))}", soft_wrap=False)
        if item.advice:
            console.print(f"  [dim]→ {escape(item.advice)}[/]")
    if len(troubles) > _SHOWN:
        console.print(f"\n… and {len(troubles) - _SHOWN} more: heliolake quarantine lists them all.")


def _sentence(item: Item) -> str:
    found = f" ({item.keyword}: {item.found})" if item.keyword and item.found else ""
    return f"{item.reason}{found}"


def _print_caveats(report: Report) -> None:
    counted = Counter(caveat for item in report.items if item.outcome == "done" for caveat in item.caveats)
    console = out()
    for caveat, number in counted.most_common(8):
        console.print(f"[dim]note ({_plural(number, 'file')}): {escape(caveat)}[/]")


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

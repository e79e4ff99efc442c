"""Reports of ingest and process as people read them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from heliolake.cli.output import coloured, out, shown, table

if TYPE_CHECKING:
    from cluster.report import Item, Report

_SHOWN = 40
"""Rows of one table: beyond that a person wants `--json`."""
_NAMED = 12
"""Files named together for one trouble."""
_KINDS = 8
"""Sentences of one kind: the rest is counted."""


def print_report(report: Report, *, noun: str, brief: bool = False, told: set[str] | None = None) -> None:
    """Counts, then what was put aside with reason and advice, then (unless brief) the releases made.

    Parameters
    ----------
    report, noun, brief
        What, and how.
    told
        Notes that were printed before and are not printed again; those that are now are put in.
    """
    console = out()
    counts = report.counts()
    parts = [f"{number} {coloured(outcome)}" for outcome, number in counts.items() if number]
    console.print(f"{_plural(len(report.items), noun)}: {', '.join(parts) or 'nothing to do'}")
    _print_troubles(report)
    _print_left_out(report)
    _print_caveats(report, told if told is not None else set())
    if brief:
        return
    releases: list[dict[str, Any]] = report.more.get("releases", [])
    if releases:
        console.print()
        console.print(release_table(releases, "Releases made"))
    if ignored := report.more.get("ignored"):
        console.print(
            f"\n[dim]{_plural(len(ignored), 'file')} left alone: no FITS files by name or first bytes.[/]"
        )


def told_where(recipe: Mapping[str, Any]) -> str:
    """Which files of its level a recipe takes, as a sentence; empty where it takes all."""
    some = [
        f"{name} {' or '.join(shown(str(value)) for value in allowed)}"
        for name, allowed in recipe["where"].items()
    ]
    level = recipe["from_level"]
    return f"Takes files with {' and '.join(some)}; others of level {level} stay as they are." if some else ""


def release_table(releases: list[dict[str, Any]], title: str = "") -> Any:
    """Releases as a table."""
    rows = [
        (
            shown(entry["product"]),
            f"v{entry['version']:04d}",
            _standing(entry),
            entry["files"],
            short_time(entry["date_beg"])[:16],
        )
        for entry in releases[:_SHOWN]
    ]
    if len(releases) > _SHOWN:
        rows.append((f"… and {len(releases) - _SHOWN} more (--json has all)", "", "", "", ""))
    return table(title, ("product", "version", "status", ">files", "begins (UTC)"), rows, fold=("product",))


def _standing(entry: dict[str, Any]) -> str:
    """The status of a release, whether it is not everybody's yet, and whether it was not observed at all."""
    said = [
        name for name, key in (("embargo", "under_embargo"), ("simulated", "simulated")) if entry.get(key)
    ]
    return ", ".join([coloured(entry["status"]), *(f"[yellow]{one}[/]" for one in said)])


def short_time(text: str | None) -> str:
    """A time to the second, without a zone: all times are UTC."""
    return "" if not text else str(text)[:19].replace("T", " ")


def _print_troubles(report: Report) -> None:
    """What was put aside or failed; files with the same trouble together."""
    together: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in report.items:
        if item.outcome in ("quarantined", "failed"):
            # What was found differs from file to file; reason and advice tell the kind of trouble.
            together[item.outcome, item.reason, item.advice].append(item)
    console = out()
    for (outcome, _, advice), items in together.items():
        console.print(f"\n{coloured(outcome)}  [bold]{shown(_names(items))}[/]")
        console.print(f"  {shown(_sentence(items[0]) if len(items) == 1 else items[0].reason)}")
        if advice:
            console.print(f"  [dim]→ {shown(advice)}[/]")
    if any(outcome == "quarantined" for outcome, _, _ in together):
        console.print("[dim]heliolake quarantine lists each with all that was found.[/]")


def _names(items: Sequence[Item]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(PurePath(item.file).name for item in items[:_NAMED]) + more


def _print_left_out(report: Report) -> None:
    """Files of which nothing was made because something is lacking beside them."""
    from cluster.report import LEFT_OUT

    together: dict[str, list[Item]] = defaultdict(list)
    for item in report.items:
        if item.code == LEFT_OUT:
            together[item.reason].append(item)
    console = out()
    for reason, items in list(together.items())[:_KINDS]:
        console.print(f"left out  {shown(_names(items))}: {shown(reason)}")
    if len(together) > _KINDS:
        console.print(f"[dim]and for {_plural(len(together) - _KINDS, 'other reason')}: --json has all[/]")


def _sentence(item: Item) -> str:
    found = f" ({item.keyword}: {item.found})" if item.keyword and item.found else ""
    return f"{item.reason}{found}"


def _print_caveats(report: Report, told: set[str]) -> None:
    counted = Counter(caveat for item in report.items if item.outcome == "done" for caveat in item.caveats)
    console = out()
    again = told & set(counted)
    new = Counter({one: number for one, number in counted.items() if one not in told})
    for caveat, number in new.most_common(_KINDS):
        console.print(f"[dim]note ({_plural(number, 'file')}): {shown(caveat)}[/]")
        told.add(caveat)
    if len(new) > _KINDS:
        console.print(f"[dim]and {_plural(len(new) - _KINDS, 'note')} of fewer files: --json has all[/]")
    if again:
        console.print(f"[dim]and {_plural(len(again), 'note')} as above[/]")


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

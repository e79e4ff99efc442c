"""What the command prints: one JSON document on stdout, or tables people can read; all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

Progress = Callable[[int, int, str], None]

#: Colours of states and outcomes, wherever they are shown.
COLOURS = {
    "running": "green",
    "done": "green",
    "ACTIVE": "green",
    "stopped": "dim",
    "skipped": "dim",
    "SUPERSEDED": "dim",
    "quarantined": "yellow",
    "DRAFT": "yellow",
    "unhealthy": "yellow",
    "dead": "red",
    "failed": "red",
    "WITHDRAWN": "red",
}


def out() -> Console:
    """The console on stdout; made anew so that it follows a redirected stream."""
    return Console(highlight=False, soft_wrap=False)


def err() -> Console:
    """The console on stderr."""
    return Console(stderr=True, highlight=False)


def print_json(document: Mapping[str, Any]) -> None:
    """Write exactly one JSON document to stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def coloured(word: str) -> str:
    """A state or outcome in its colour, as Rich markup."""
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/]" if colour else word


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, fold: Sequence[str] = ()
) -> Table:
    """A table that stays readable on 80 columns.

    Parameters
    ----------
    title
        Stands above it.
    columns
        Headings; one that begins with ``>`` stands over numbers.
    rows
        Cells; text may hold Rich markup (escape what comes from files).
    fold
        Headings of columns that may be broken into several lines; the others are kept whole where they fit.
    """
    made = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        show_header=any(columns),
    )
    for heading in columns:
        name = heading.removeprefix(">")
        made.add_column(
            name,
            justify="right" if heading.startswith(">") else "left",
            overflow="fold",
            no_wrap=False,
            min_width=None if name in fold else min(len(name), 12),
            ratio=None,
            header_style="bold cyan",
        )
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A progress bar on stderr, shown only on a terminal."""
    console = err()
    if not console.is_terminal:
        yield lambda _done, _total, _what: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[item]}", table_column=None),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None, item="")

        def show(done: int, total: int, item: str) -> None:
            bar.update(task, completed=done, total=total, item=_short(item, 30))

        yield show


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[1 - width :]}"

"""What the command prints: one JSON document on stdout, or tables people can read; all else on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from lake.text import printable, printable_lines

Progress = Callable[[int, int, str], None]

#: Colours of states and outcomes, wherever they are shown.
COLOURS = {
    "running": "green",
    "done": "green",
    "ACTIVE": "green",
    "stopped": "dim",
    "cancelled": "dim",
    "skipped": "dim",
    "SUPERSEDED": "dim",
    "paused": "yellow",
    "quarantined": "yellow",
    "DRAFT": "yellow",
    "unhealthy": "yellow",
    "dead": "red",
    "failed": "red",
    "WITHDRAWN": "red",
}


class _PlainConsole(Console):
    """A console that shows every character and obeys none; its own colours excepted.

    Commands give it what `shown` made of text from outside. What they forget is spelled out here, where
    the widths of columns are settled already.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of what is printed."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)


def out() -> Console:
    """The console on stdout; made anew so that it follows a redirected stream."""
    return _PlainConsole(highlight=False, soft_wrap=False)


def err() -> Console:
    """The console on stderr."""
    return _PlainConsole(stderr=True, highlight=False)


def shown(value: object) -> str:
    """Text from outside (names, reasons, values of headers) as Rich markup that shows it as it is."""
    text = printable(str(value))
    body = text.rstrip("\\")
    # Before a tag Rich takes two backslashes for one, elsewhere for two: a tag of ours says which.
    last = "\\\\" * (len(text) - len(body))
    return escape(body) + (f"{last}[b][/b]" if last else "")


def print_json(document: Mapping[str, Any]) -> None:
    """Write exactly one JSON document to stdout.

    Letters of all languages are written as they are; what `lake.text.printable` would spell out is written
    in JSON's own way (``\\u202e``), which readers of JSON turn back.
    """
    sys.stdout.write(_json(document) + "\n")
    sys.stdout.flush()


def _json(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    return "\n".join(
        line if line.isascii() and line.isprintable() else _json_line(line) for line in text.split("\n")
    )


def _json_line(line: str) -> str:
    return line if line.isascii() and line.isprintable() else "".join(map(_json_character, line))


def _json_character(character: str) -> str:
    if printable(character) == character:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else json.dumps(character)[1:-1]


def print_path(path: Path) -> None:
    """Write a path in a line of its own: to scripts byte for byte, to a terminal so that it can be read."""
    line = printable(path).encode() if sys.stdout.isatty() else os.fsencode(path)
    sys.stdout.flush()
    sys.stdout.buffer.write(line + b"\n")


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
        Cells; text may hold Rich markup (`shown` makes it of what comes from outside).
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
    """A progress bar on stderr, shown only on a terminal; as long as the total is not known it says so."""
    console = err()
    if not console.is_terminal:
        yield lambda _done, _total, _what: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("[dim]{task.fields[item]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(shown(what), total=None, item="", count="looking what there is to do", left="")
        began = time.monotonic()
        before: int | None = None  # what an earlier attempt did is no measure of this one's pace

        def show(done: int, total: int, item: str) -> None:
            nonlocal before, began
            if before is None:
                before, began = done, time.monotonic()
            left = time_left(done - before, total - done, time.monotonic() - began)
            bar.update(
                task,
                completed=done,
                total=total,
                count=f"{done}/{total}",
                left=left,
                item=shown(_short(item, 30)),
            )

        yield show


def time_left(done: int, todo: int, seconds: float) -> str:
    """How long the rest will take at the pace so far, in words; nothing where there is no pace yet."""
    if done < 1 or todo < 1:
        return ""
    rest = seconds * todo / done
    if rest < 90:  # two digits at most: more would feign knowledge
        return f"{max(1, round(rest))} s left"
    return f"{round(rest / 60)} min left" if rest < 90 * 60 else f"{rest / 3600:.1f} h left"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[1 - width :]}"

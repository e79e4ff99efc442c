"""Tables as notebooks show them; all text is escaped, for headers and names of files may hold anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from lake.text import printable


def safe(text: object) -> str:
    """Any text as HTML that shows it and does nothing else; `None` is an empty one."""
    return "" if text is None else escape(printable(str(text)))


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table as HTML.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells; `None` is an empty one.
    caption
        Stands above it.
    """
    head = "".join(f"<th>{safe(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    above = f"<caption>{safe(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The same as plain text in columns."""
    cells = [list(columns), *(["" if cell is None else printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)

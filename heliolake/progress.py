"""Progress of long work: a bar below the notebook's cell, or on the terminal where there is no notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster.html import safe
from heliolake.cli.output import Progress, progress_bar, time_left

_EVERY = 0.2
"""Seconds between two drawings."""


@contextmanager
def shown(what: str) -> Iterator[Progress]:
    """A bar for one piece of work; in a notebook it stays below its cell when the work is done.

    Parameters
    ----------
    what
        What is being done.
    """
    display = _display()
    if display is None:
        with progress_bar(what) as bar:
            yield bar
        return
    handle = display(_Bar(what), display_id=True)
    last, began, before = 0.0, time.monotonic(), -1

    def show(done: int, total: int, item: str) -> None:
        nonlocal last, began, before
        now = time.monotonic()
        if before < 0:
            before, began = done, now
        if done < total and now - last < _EVERY:
            return
        last = now
        handle.update(_Bar(what, done, total, time_left(done - before, total - done, now - began), item))

    yield show


def drawing(what: object) -> Callable[[object], object]:
    """Show something below the cell; what is given back shows another in its place.

    Outside of notebooks each is printed.
    """
    display = _display()
    if display is None:
        print(what)
        return print
    update: Callable[[object], object] = display(what, display_id=True).update
    return update


class _Bar:
    """One drawing of the bar."""

    def __init__(self, what: str, done: int = 0, total: int = 0, left: str = "", item: str = "") -> None:
        self.what, self.done, self.total, self.left, self.item = what, done, total, left, item

    def __repr__(self) -> str:
        if not self.total:
            return f"{self.what}: looking what there is to do"
        return " ".join(part for part in (f"{self.what}: {self.done}/{self.total}", self.left) if part)

    def _repr_html_(self) -> str:
        if not self.total:
            return f"<div>{safe(repr(self))} …</div>"
        return (
            f'<div>{safe(self.what)} <progress value="{self.done}" max="{self.total}"></progress> '
            f"{self.done}/{self.total} {safe(self.left)} <small>{safe(self.item)}</small></div>"
        )


def _display() -> Callable[..., Any] | None:
    """How to show something below a cell; `None` outside of notebooks."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display  # type: ignore[import-not-found]  # there, for it runs us

    found: Callable[..., Any] = display
    return found

"""What the demonstration made, and what is worth trying next."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.home.home import Home
from cluster.report import Report

if TYPE_CHECKING:
    from heliolake.demo.stories import Story

PICTURE = "heliolake-demo.png"
PAGE = "heliolake-demo.html"
ARCHIVE = "http://127.0.0.1:8686/"
"""Where `heliolake serve` has the archive when nothing else is said."""


@dataclass
class DemoResult:
    """What the demonstration made.

    Attributes
    ----------
    home
        The home it ran in.
    ingested
        Report of ingest.
    processed
        Report of each recipe, by its name.
    releases
        All ACTIVE releases of the home now, as `search` lists them.
    simulated
        Names of the products that hold simulated frames.
    quarantined
        What was put aside, as `quarantine` lists it.
    stories
        What picture and page show.
    picture, page
        The files.
    seconds
        Time spent on each part.
    """

    home: Home
    ingested: Report
    processed: dict[str, Report] = field(default_factory=dict)
    releases: list[dict[str, Any]] = field(default_factory=list)
    simulated: set[str] = field(default_factory=set)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    picture: Path = Path(PICTURE)
    page: Path = Path(PAGE)
    seconds: dict[str, float] = field(default_factory=dict)

    def next_commands(self) -> list[str]:
        """Commands worth trying now; `serve` has the archive at `ARCHIVE`."""
        made = [one["product"] for one in self.releases if one["recipe"]]
        product = made[-1] if made else "PRODUCT"
        start = f"{_program()} --home {shlex.quote(_shortest(self.home.path))}"
        return [f"{start} up", f"{start} serve", f"{start} search", f"{start} get {product} -o out"]


def _program() -> str:
    """What to type for the command that runs: its path where the shell would find none or another."""
    ours = Path(sys.executable).with_name("heliolake")
    found = shutil.which("heliolake")
    return "heliolake" if found and Path(found).samefile(ours) else _shortest(ours)


def _shortest(path: Path) -> str:
    """A path from here where it lies below, else in full."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

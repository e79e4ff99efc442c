"""The course of the demonstration: up, ingest, process, look, draw."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cluster.home import Home
from cluster.report import Report

if TYPE_CHECKING:
    from heliolake.demo.inputs import Simulated
    from heliolake.demo.stories import Shown, Story
    from heliolake.notebook import Connection

PICTURE = "heliolake-demo.png"
PAGE = "heliolake-demo.html"
RECIPES = ("aia-l15", "stereo_hi-l1")
"""Recipes that need no calibration file, in the order they are run."""

Say = Callable[[str], None]


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
        """Three commands worth trying now."""
        made = [one["product"] for one in self.releases if one["recipe"]]
        product = made[-1] if made else "PRODUCT"
        start = f"{_program()} --home {shlex.quote(_shortest(self.home.path))}"
        return [f"{start} up", f"{start} search", f"{start} get {product} -o out"]


def run_demo(
    home: Home,
    output: Path,
    data: Path | None = None,
    *,
    keep: bool = False,
    say: Say = lambda _sentence: None,
) -> DemoResult:
    """Show everything once.

    Parameters
    ----------
    home
        Where; made if need be. Running again in the same home finds most of the work done.
    output
        Folder of the picture, the page and the simulated files.
    data
        A folder of further files to take in; those that cannot be used are put aside.
    keep
        Leave the services running that this function started.
    say
        Called with a sentence at each step.

    Raises
    ------
    Fatal, Retriable
        When a service cannot be started or is lost.
    """
    from cluster.services import down, status, up

    output.mkdir(parents=True, exist_ok=True)
    running_before = all(state.state == "running" for state in status(home))
    begin = time.perf_counter()
    say("Starting PostgreSQL, Rucio and Dask")
    up(home)
    started = time.perf_counter() - begin
    try:
        result = _with_services(home, output, data, say)
    finally:
        if not keep and not running_before:
            say("Stopping the services")
            down(home)
    result.seconds = {"start": started, **result.seconds}
    return result


def _with_services(home: Home, output: Path, data: Path | None, say: Say) -> DemoResult:
    from cluster.ingest import ingest
    from heliolake.demo.inputs import shipped_frames, simulate
    from heliolake.demo.page import write_page
    from heliolake.demo.picture import write_picture
    from heliolake.notebook import Connection
    from lake import quarantine
    from lake.search import search

    clock = _Clock()
    say("Simulating a series of HI-1 frames with known truth")
    simulated = simulate(output / "simulated", output / "truth")
    clock("simulate")
    with Connection(home) as connection:
        say("Ingesting real frames and simulated ones")
        sources: list[Path] = [*shipped_frames(), *simulated.paths, *([data] if data else [])]
        result = DemoResult(home, ingest(connection.lake, sources))
        _use_flat(connection, simulated)
        clock("ingest")
        for name in _useful_recipes():
            say(f"Processing: {name}")
            result.processed[name] = connection.process(name)
        clock("process")
        result.releases = [one.facts for one in connection.search(status="ACTIVE")]
        found = search(connection.lake, meta={"simulated": True})
        result.simulated = {release["product"] for release in found}
        result.quarantined = quarantine.listing(connection.lake)
        say("Drawing")
        result.stories = _stories(connection, simulated)
    result.picture, result.page = output / PICTURE, output / PAGE
    write_picture(result.stories, result.picture)
    clock("draw")
    result.seconds = clock.spent
    write_page(result, result.page)
    return result


def _use_flat(connection: Connection, simulated: Simulated) -> None:
    """Let simulated frames have the flat of the camera that took them; no other frame is given it."""
    from cluster.references import add
    from lake.references import NewReference

    flat = NewReference(
        path=simulated.flat,
        need="flat",
        instrument="stereo_hi",
        source="flat field of the demonstration's simulated camera",
        selectors={"SIMULATD": True, "detector": "1", "spacecraft": "a", "type": "s4"},
        simulated=True,
    )
    add(connection.lake, [flat], note="with the flat of the demonstration's simulated camera", use=True)


def _program() -> str:
    """What to type for the command that runs: its path where the shell would find none or another."""
    ours = Path(sys.executable).with_name("heliolake")
    found = shutil.which("heliolake")
    return "heliolake" if found and Path(found).samefile(ours) else _shortest(ours)


def _shortest(path: Path) -> str:
    """A path from here where it lies below, else in full."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


class _Clock:
    """Seconds since the last look, by the name of what was done."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, what: str) -> None:
        now = time.perf_counter()
        self.spent[what] = now - self._last
        self._last = now


def _useful_recipes() -> list[str]:
    from pipeline.instrument import recipes

    known = recipes()
    return [name for name in RECIPES if name in known]


def _is_ours(shown: Shown, simulated: Simulated) -> bool:
    """Whether a frame of the lake is the simulated one whose truth we have, not one of an earlier home."""
    from astropy.io import fits

    path = next((path for path in simulated.paths if path.name == shown.name), None)
    return path is not None and np.array_equal(fits.getdata(path), shown.before)


def _stories(connection: Connection, simulated: Simulated) -> list[Story]:
    """Rows of the picture: AIA frames, the last simulated HI frame, a real HI frame where there is one."""
    from heliolake.demo.frames import pairs
    from heliolake.demo.stories import aia_story, hi_story

    hi = pairs(connection, "stereo_hi", "1")
    stories = [aia_story(pair.load()) for pair in pairs(connection, "sdo_aia", "1.5")[:2]]
    for pair in [pair for pair in hi if pair.name in simulated.truths][-1:]:
        shown = pair.load()
        if _is_ours(shown, simulated):
            stories.append(hi_story(shown, simulated.truths[pair.name]))
    stories += [hi_story(pair.load(), None) for pair in [pair for pair in hi if not pair.simulated][:1]]
    return stories

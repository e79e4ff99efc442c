"""The course of the demonstration: up, ingest, process, look, draw."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cluster.home.home import Home
from heliolake.demo.result import PAGE, PICTURE, DemoResult

if TYPE_CHECKING:
    from heliolake.demo.inputs import Simulated
    from heliolake.demo.stories import Shown, Story
    from heliolake.notebook import Connection

RECIPES = ("aia-l15", "stereo_hi-l1")
"""Recipes that need no calibration file, in the order they are run."""

Say = Callable[[str], None]


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
    from cluster.intake.embargoes import embargoes_of
    from cluster.intake.ingest import ingest
    from heliolake.demo.inputs import shipped_frames, simulate
    from heliolake.demo.page import write_page
    from heliolake.demo.picture import write_picture
    from heliolake.notebook import Connection
    from lake.releases import quarantine
    from lake.releases.search import search

    clock = _Clock()
    say("Simulating a series of HI-1 frames with known truth")
    simulated = simulate(output / "simulated", output / "truth")
    clock("simulate")
    with Connection(home) as connection:
        say("Ingesting real frames and simulated ones")
        sources: list[Path] = [*shipped_frames(), *simulated.paths, *([data] if data else [])]
        result = DemoResult(home, ingest(connection.lake, sources, embargoes=embargoes_of(home.path)))
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
    from cluster.intake.references import add
    from lake.calibration.references import NewReference

    flat = NewReference(
        path=simulated.flat,
        need="flat",
        instrument="stereo_hi",
        source="flat field of the demonstration's simulated camera",
        selectors={"SIMULATD": True, "detector": "1", "spacecraft": "a", "type": "s4"},
        simulated=True,
    )
    add(connection.lake, [flat], note="with the flat of the demonstration's simulated camera", use=True)


def _useful_recipes() -> list[str]:
    from pipeline.recipe import recipes

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


class _Clock:
    """Seconds since the last look, by the name of what was done."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, what: str) -> None:
        now = time.perf_counter()
        self.spent[what] = now - self._last
        self._last = now

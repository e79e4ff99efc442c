"""The course of the demonstration: up, ingest, process, look, draw."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.home.home import Home
from heliolake.demo.result import PAGE, PICTURE, DemoResult

if TYPE_CHECKING:
    from heliolake.demo.tales import Reduction, Tale
    from heliolake.notebook import Connection

Say = Callable[[str], None]


def run_demo(
    home: Home,
    output: Path,
    data: Path | None = None,
    *,
    instrument: str = "",
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
    instrument
        Show this one; by default AIA and HI.
    keep
        Leave the services running that this function started.
    say
        Called with a sentence at each step.

    Raises
    ------
    Fatal, Retriable
        When a service cannot be started or is lost.
    BadInput
        When there is no demonstration of the instrument.
    """
    from cluster.services import down, status, up
    from heliolake.demo.tales import tale

    told = tale(instrument)  # before anything is started
    output.mkdir(parents=True, exist_ok=True)
    running_before = all(state.state == "running" for state in status(home))
    begin = time.perf_counter()
    say("Starting PostgreSQL, Rucio and Dask")
    up(home)
    started = time.perf_counter() - begin
    try:
        result = _with_services(home, output, data, say, told)
    finally:
        if not keep and not running_before:
            say("Stopping the services")
            down(home)
    result.seconds = {"start": started, **result.seconds}
    return result


def _with_services(home: Home, output: Path, data: Path | None, say: Say, told: Tale) -> DemoResult:
    from cluster.intake.embargoes import embargoes_of
    from cluster.intake.ingest import ingest
    from cluster.intake.references import add
    from cluster.pictures.remake import remake
    from heliolake.demo.page import write_page
    from heliolake.demo.picture import write_picture
    from heliolake.notebook import Connection
    from lake.releases import quarantine
    from lake.releases.finding import Wanted
    from lake.releases.search import search

    clock = _Clock()
    say(told.making)
    prepared = told.prepare(output)
    clock("simulate")
    with Connection(home) as connection:
        say("Ingesting the frames")
        sources: list[Path] = [*prepared.paths, *([data] if data else [])]
        result = DemoResult(home, ingest(connection.lake, sources, embargoes=embargoes_of(home.path)))
        if prepared.references:
            note = "with the calibration of the demonstration's simulated cameras"
            add(connection.lake, prepared.references, note=note, use=True)
        clock("ingest")
        for name in told.recipes:
            say(f"Processing: {name}")
            result.processed[name] = connection.process(name, observation=told.only.get(name))
            for reduction in told.reductions:
                if reduction.behind == name:
                    say(f"Learning from frames: {reduction.name}")
                    _learn(connection, reduction)
        clock("process")
        result.releases = [one.facts for one in connection.search(status="ACTIVE")]
        found = search(connection.lake, Wanted(meta={"simulated": True}))
        result.simulated = {release["product"] for release in found}
        result.quarantined = quarantine.listing(connection.lake)
        say("Drawing")
        with connection.cluster() as client:  # of raw data: products have theirs from their run
            remake(connection.lake, result.releases, client, movies=True)
        result.stories = told.tell(connection, prepared)
    result.picture, result.page = output / PICTURE, output / PAGE
    write_picture(result.stories, result.picture)
    clock("draw")
    result.seconds = clock.spent
    write_page(result, result.page)
    return result


def _learn(connection: Connection, reduction: Reduction) -> None:
    """Make a reference and use it."""
    from cluster.plan.plan import Query
    from cluster.run.reduce import reduce_to_reference
    from lake.calibration import contexts
    from pipeline.reduction import find_reduction

    lake = connection.lake
    made = reduce_to_reference(
        lake,
        connection.home.scheduler(),
        find_reduction(reduction.instrument, reduction.name),
        Query(observation=reduction.observation),
        principal=connection.principal,
    )
    contexts.use(lake, made.context.number)


class _Clock:
    """Seconds since the last look, by the name of what was done."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, what: str) -> None:
        now = time.perf_counter()
        self.spent[what] = now - self._last
        self._last = now

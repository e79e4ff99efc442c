"""From a planned unit to what a worker is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from cluster.plan.layouts import layout_of, places_of
from cluster.plan.units import PlannedUnit
from cluster.run.execute import Job
from cluster.run.sources import frame_sources
from cluster.run.stacks import Target
from lake.checksums import Checksums
from lake.entries import in_utc
from lake.grant import Grant
from lake.lake import Lake
from lake.names import product_file
from pipeline.recipe import Recipe
from pipeline.registry import instrument


class Edition(NamedTuple):
    """The release a file is made for; its header says so.

    Parameters
    ----------
    version
        Version of the release.
    created
        When the version was reserved: DATE of the header, the same at every attempt.
    context
        Number of the context of references.
    lost
        Checksums of a file of this edition that is made again.
    doi
        Concept DOI of the product, where it was registered when the version was begun.
    embargo
        End of the embargo that held when the version was begun.
    """

    version: int
    created: datetime
    context: int | None
    lost: Checksums | None = None
    doi: str = ""
    embargo: datetime | None = None


def jobs_of(
    lake: Lake,
    grant: Grant,
    recipe: Recipe,
    units: Iterable[PlannedUnit],
    target: Callable[[PlannedUnit], Target],
) -> Iterator[Job]:
    """What a worker needs to carry out units; those of one piece of work with several outputs are one job.

    Parameters
    ----------
    lake, recipe, units
        What to do, and where the files lie.
    grant
        What opens their inputs.
    target
        Where what a unit gives is to go.
    """
    together: dict[str, list[PlannedUnit]] = {}
    for unit in units:
        together.setdefault(unit.work or unit.unit_id, []).append(unit)
    entry = instrument(recipe.instrument)
    for members in together.values():
        layout = layout_of(members[0].file, entry)
        sources = frame_sources(lake, grant, members[0], entry)
        yield Job(
            sources, tuple(map(target, members)), layout.shape, layout.dims, places_of(recipe, members[0])
        )


def target_of(lake: Lake, unit: PlannedUnit, edition: Edition) -> Target:
    """Where the file of a unit goes in the lake."""
    begin, end = span_of(unit)
    return Target(
        unit=unit.unit_id,
        output=unit.output,
        instrument=unit.product.scope,
        store=lake.store.url,
        scope=unit.product.scope,
        name=product_file(unit.file.stem, unit.product.level, edition.version),
        level=unit.product.level,
        version=edition.version,
        date=_fits_time(edition.created),
        parents=tuple(file.did for file in unit.files),
        begin=begin,
        end=end,
        context=edition.context,
        lost=edition.lost,
        doi=edition.doi,
        embargo="" if edition.embargo is None else _fits_time(edition.embargo),
    )


def _fits_time(moment: datetime) -> str:
    return in_utc(moment).replace(tzinfo=None).isoformat(timespec="milliseconds")


def span_of(unit: PlannedUnit) -> tuple[datetime | None, datetime | None]:
    """Begin and end of all files of a group; nothing for one file, whose header says it better."""
    if len(unit.members) == 1:
        return None, None
    begins = [file.date_beg for file in unit.files if file.date_beg is not None]
    ends = [end for file in unit.files if (end := file.date_end or file.date_beg) is not None]
    return min(begins, default=None), max(ends, default=None)

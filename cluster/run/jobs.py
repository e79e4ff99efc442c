"""From a planned unit to what a worker is given."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from cluster.plan.layouts import layout_of
from cluster.plan.plan import PlannedUnit
from cluster.run.execute import Job
from cluster.run.sources import frame_source
from cluster.run.stacks import Target
from lake.checksums import Checksums
from lake.entries import in_utc
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
    """

    version: int
    created: datetime
    context: int | None
    lost: Checksums | None = None


def job_of(lake: Lake, recipe: Recipe, unit: PlannedUnit, edition: Edition) -> Job:
    """What a worker needs to carry out a unit."""
    file = unit.file
    entry = instrument(recipe.instrument)
    source = frame_source(lake, unit, entry)
    target = Target(
        unit=unit.unit_id,
        instrument=entry.name,
        store=lake.store.url,
        scope=unit.product.scope,
        name=product_file(file.stem, unit.product.level, edition.version),
        version=edition.version,
        date=in_utc(edition.created).replace(tzinfo=None).isoformat(timespec="milliseconds"),
        parents=(file.did,),
        context=edition.context,
        lost=edition.lost,
    )
    layout = layout_of(file, entry)
    return Job(source, target, layout.shape, layout.dims)

"""From a planned unit to what a worker is given."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from cluster.execute import Job
from cluster.plan import PlannedUnit
from cluster.stacks import FrameSource, Loader, Target
from lake.checksums import Checksums
from lake.entries import in_utc
from lake.lake import Lake
from lake.names import product_file, split_did
from pipeline.instrument import instrument
from pipeline.recipe import Recipe
from pipeline.step import ReferenceFile


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
    references = {
        need: ReferenceFile(need, chosen.did, str(lake.path_of(*split_did(chosen.did))), chosen.sha256)
        for need, chosen in unit.references.items()
    }
    source = FrameSource(
        loader=Loader(str(lake.path_of(file.scope, file.name)), file.image_hdu),
        source=file.name,
        sha256=file.sha256,
        blank_is_missing=entry.blank_is_missing,
        caveats=file.caveats,
        references=references,
    )
    target = Target(
        unit=unit.unit_id,
        instrument=entry.name,
        root=lake.root,
        scope=unit.product.scope,
        name=product_file(file.stem, unit.product.level, edition.version),
        version=edition.version,
        date=in_utc(edition.created).replace(tzinfo=None).isoformat(timespec="milliseconds"),
        parents=(file.did,),
        context=edition.context,
        lost=edition.lost,
    )
    return Job(source, target, shape=(file.shape[-2], file.shape[-1]))

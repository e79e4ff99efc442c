"""The units of a plan as frames to be read: for a run and for a trial alike, so that they cannot differ."""

from __future__ import annotations

from cluster.plan.plan import PlannedUnit
from cluster.run.stacks import FrameSource, Loader
from lake.lake import Lake
from lake.names import split_did
from pipeline.instrument import Instrument
from pipeline.step import ReferenceFile


def frame_source(lake: Lake, unit: PlannedUnit, entry: Instrument) -> FrameSource:
    """What a worker needs to read a unit's file, with the references that were chosen for it."""
    file = unit.file
    references = {
        need: ReferenceFile(need, chosen.did, str(lake.path_of(*split_did(chosen.did))), chosen.sha256)
        for need, chosen in unit.references.items()
    }
    return FrameSource(
        loader=Loader(str(lake.path_of(file.scope, file.name)), file.image_hdu),
        source=file.name,
        sha256=file.sha256,
        blank_is_missing=entry.blank_is_missing,
        caveats=file.caveats,
        references=references,
    )

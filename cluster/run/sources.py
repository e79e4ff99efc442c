"""The units of a plan as frames to be read: for a run and for a trial alike, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import xarray as xr
from astropy.io import fits

from cluster.plan.layouts import stored_dims
from cluster.plan.units import Member, PlannedUnit
from cluster.run.stacks import FrameSource, Loader, with_last
from lake.errors import HeliolakeLakeError
from lake.fits.stored import stored_header
from lake.grant import Grant
from lake.lake import Lake
from lake.names import split_did
from pipeline.dims import IMAGE, Dims, Layout
from pipeline.frame import with_primary
from pipeline.instrument import Instrument
from pipeline.step import ReferenceFile
from pipeline.world import world


def coordinates_of(sources: Sequence[FrameSource], layout: Layout) -> dict[str, xr.Variable]:
    """World coordinates that all frames share, for people who look at them; images have none.

    Parameters
    ----------
    sources
        The frames; the header of each is read, and no pixel. One that cannot be read says nothing.
    layout
        Theirs.
    """
    return world(layout, [] if layout.dims == IMAGE else list(_headers(sources, layout.dims)))


def _headers(sources: Sequence[FrameSource], dims: Dims) -> Iterator[fits.Header]:
    for source in sources:
        ref, hdu, _ = source.loader
        with suppress(HeliolakeLakeError):  # told when it is its turn to be read
            header = with_last(stored_header(ref, hdu), source.stored, dims)
            yield with_primary(header, stored_header(ref)) if hdu else header


def frame_sources(lake: Lake, grant: Grant, unit: PlannedUnit, entry: Instrument) -> tuple[FrameSource, ...]:
    """What a worker needs to read a unit's files, with the references that were chosen for each."""
    first, *others = (_frame_source(lake, grant, member, entry) for member in unit.members)
    if unit.lacks:
        first = first.model_copy(update={"caveats": (*first.caveats, f"the group of files {unit.lacks}")})
    return first, *others


def _frame_source(lake: Lake, grant: Grant, member: Member, entry: Instrument) -> FrameSource:
    file = member.file
    references = {
        need: ReferenceFile(
            need, chosen.did, lake.ref(grant, *split_did(chosen.did), chosen.sha256).text, chosen.sha256
        )
        for need, chosen in member.references.items()
    }
    return FrameSource(
        loader=Loader(lake.ref(grant, file.scope, file.name, file.sha256), file.image_hdu),
        source=file.name,
        blank_is_missing=entry.blank_is_missing,
        stored=stored_dims(file, entry),
        caveats=file.caveats,
        references=references,
    )

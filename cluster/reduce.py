"""Reductions over the lake: many frames into one reference, and the context that lists it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from distributed import Client

from cluster.connect import connected, submit
from cluster.plan import Query
from cluster.scheduler import Scheduler
from cluster.stacks import FrameSource, Loader, open_stack
from lake import contexts, references
from lake.choice import Context
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.fits_io import read_header
from lake.inputs import active_inputs
from lake.lake import Lake
from pipeline.instrument import instrument
from pipeline.reduction import ReductionKind, lazily

#: Frames in one block of a reduction; a partial result of a few dozen is no larger than they are.
_FRAMES: Final = 16


@dataclass(frozen=True)
class Made:
    """References made by a reduction, and the context that lists them."""

    references: tuple[references.ReferenceInfo, ...]
    context: Context
    frames: int


def reduce_to_reference(
    lake: Lake,
    scheduler: Scheduler,
    kind: ReductionKind,
    query: Query,
    *,
    valid: tuple[datetime | None, datetime | None] | None = None,
) -> Made:
    """Make references from all frames a query finds, one per camera (what `kind.alike` tells apart).

    Parameters
    ----------
    lake
        Where the frames are and the references go.
    scheduler
        The Dask scheduler.
    kind
        The reduction.
    query
        Which observations.
    valid
        Validity of the references; the days of the frames by default.

    Returns
    -------
    Made
        Its context is the current one and the new references; `heliolake context use` makes it current.

    Raises
    ------
    lake.errors.BadInput
        When no frame is found, or frames of one group differ in size.
    """
    found = active_inputs(
        lake,
        kind.instrument,
        kind.level,
        since=query.since,
        until=query.until,
        observation=query.observation,
    )
    groups: dict[tuple[Any, ...], list[FileEntry]] = {}
    for one in found:
        groups.setdefault(tuple(one.file.meta.get(name) for name in kind.alike), []).append(one.file)
    if not groups:
        raise BadInput(
            f"there are no {kind.instrument} files of level {kind.level} to make a {kind.name} from",
            keyword="observation",
            found=query.observation or "all",
            advice="process that level first, or widen the query; `heliolake search` shows what there is",
        )
    with connected(scheduler) as client:
        made = [_reduce(lake, client, kind, files, valid) for files in groups.values()]
    base = contexts.current(lake, kind.instrument)
    note = f"with {', '.join(info.did for info in made)}"
    context = contexts.extend(lake, base, made, note=note, instrument=kind.instrument)
    return Made(tuple(made), context, sum(map(len, groups.values())))


def _reduce(
    lake: Lake,
    client: Client,
    kind: ReductionKind,
    files: Sequence[FileEntry],
    valid: tuple[datetime | None, datetime | None] | None,
) -> references.ReferenceInfo:
    shapes = {file.shape for file in files}
    if len(shapes) > 1:
        raise BadInput(
            f"the frames for one {kind.name} differ in size",
            keyword="NAXIS1, NAXIS2",
            found=", ".join(str(shape) for shape in sorted(shapes)),
            advice="narrow the query to frames of one size",
        )
    unit = _common_unit(lake, kind, files)
    entry = instrument(kind.instrument)
    sources = [
        FrameSource(
            loader=Loader(str(lake.path_of(file.scope, file.name)), file.image_hdu),
            source=file.name,
            sha256=file.sha256,
            blank_is_missing=entry.blank_is_missing,
        )
        for file in files
    ]
    ((ny, nx),) = shapes
    stack = open_stack(sources, (ny, nx), frames_per_block=_FRAMES)
    values = submit(client, lazily(kind.prepare(len(files)), stack)).result()
    dates = [file.date_beg for file in files if file.date_beg is not None]
    # Validity ends before its end: the last frame is to be inside.
    begin, end = min(dates), max(dates) + timedelta(seconds=1)
    if not np.isfinite(values).any():
        raise BadInput(
            f"none of the {len(files)} frames for the {kind.name} could be used",
            keyword="observation",
            found=files[0].name,
            advice="`heliolake fsck --deep` tells whether their stored files are whole",
        )
    days = max(1, round((end - begin) / timedelta(days=1)))
    selectors = {name: files[0].meta[name] for name in kind.alike if name in files[0].meta}
    with tempfile.TemporaryDirectory(prefix="heliolake-") as folder:
        name = "_".join([kind.name, *(str(value) for value in selectors.values()), f"{begin:%Y%m%d}"])
        path = Path(folder) / f"{name}.fits"
        kind.write(values, unit, days, len(files)).writeto(path, checksum=True)
        new = references.NewReference(
            path=path,
            need=kind.need,
            instrument=kind.instrument,
            source=f"{kind.name} of {len(files)} files of level {kind.level}, made by Heliolake",
            valid_from=valid[0] if valid else begin,
            valid_until=valid[1] if valid else end,
            selectors=selectors,
            simulated=any(bool(file.meta.get("simulated")) for file in files),
        )
        (info,) = references.add(lake, [new])
    return info


def _common_unit(lake: Lake, kind: ReductionKind, files: Sequence[FileEntry]) -> str:
    """The unit of all frames; a mean over two units would be a number of neither."""
    found = {
        str(read_header(str(lake.path_of(file.scope, file.name)), 0).get("BUNIT", "")).strip()
        for file in files
    }
    if len(found) > 1:
        raise BadInput(
            f"the frames for one {kind.name} are in different units",
            keyword="BUNIT",
            found=", ".join(sorted(found)),
            advice="narrow the query to frames of one unit, or process them again with one recipe",
        )
    return found.pop()

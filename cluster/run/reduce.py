"""Reductions over the lake: many frames into one reference, and the context that lists it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from distributed import Client

from cluster.connect import connected, submit
from cluster.plan.plan import Query
from cluster.run.stacks import FrameSource, Loader, open_stack
from cluster.scheduler import Scheduler
from lake.calibration import contexts, references
from lake.calibration.choice import Context
from lake.entries import FileEntry, iso
from lake.errors import BadInput
from lake.fits.io import read_header
from lake.lake import Lake
from lake.releases.inputs import active_inputs
from pipeline.reduction import Origin, Reduced, ReductionKind, lazily
from pipeline.registry import instrument

#: Frames in one block of a reduction; a partial result of a few dozen is no larger than they are.
_FRAMES: Final = 16


Validity = tuple[datetime | None, datetime | None]


@dataclass(frozen=True)
class MadeReference:
    """One reference made by a reduction.

    Attributes
    ----------
    info
        The reference as the lake knows it.
    frames
        Frames it is made of: those that had a value anywhere.
    given
        Frames that were found for it.
    begin, end
        When the first and the last of the frames it is made of began.
    caveats
        What a user of it should know; they stand in its header too.
    """

    info: references.ReferenceInfo
    frames: int
    given: int
    begin: datetime
    end: datetime
    caveats: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            **self.info.as_dict(),
            "frames": self.frames,
            "frames_found": self.given,
            "first_frame": iso(self.begin),
            "last_frame": iso(self.end),
            "caveats": list(self.caveats),
        }


@dataclass(frozen=True)
class Made:
    """References made by a reduction, and the context that lists them."""

    references: tuple[MadeReference, ...]
    context: Context


@dataclass(frozen=True)
class _Group:
    """Frames for one reference: different ones, in order of time, with what they agree in."""

    files: tuple[FileEntry, ...]
    begins: tuple[datetime, ...]
    selectors: dict[str, Any]


def reduce_to_reference(
    lake: Lake,
    scheduler: Scheduler,
    kind: ReductionKind,
    query: Query,
    *,
    valid: Validity | None = None,
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
        When no frame is found or fewer than `kind.fewest`, or frames of one group differ in size or
        unit. Nothing is added to the lake then, for any group.
    """
    found = active_inputs(
        lake,
        kind.instrument,
        kind.level,
        since=query.since,
        until=query.until,
        observation=query.observation,
    )
    alike: dict[tuple[Any, ...], list[FileEntry]] = {}
    for one in found:
        alike.setdefault(tuple(one.file.meta.get(name) for name in kind.alike), []).append(one.file)
    if not alike:
        raise BadInput(
            f"there are no {kind.instrument} files of level {kind.level} to make a {kind.name} from",
            keyword="observation",
            found=query.observation or "all",
            advice="process that level first, or widen the query; `heliolake search` shows what there is",
        )
    groups = [_group(kind, files) for files in alike.values()]
    with tempfile.TemporaryDirectory(prefix="heliolake-") as folder, connected(scheduler) as client:
        written = [_reduce(lake, client, kind, group, valid, Path(folder)) for group in groups]
        infos = references.add(lake, [new for new, _ in written])
    made = tuple(finished(info) for info, (_, finished) in zip(infos, written, strict=True))
    base = contexts.current(lake, kind.instrument)
    note = f"with {', '.join(info.did for info in infos)}"
    return Made(made, contexts.extend(lake, base, infos, note=note, instrument=kind.instrument))


def _group(kind: ReductionKind, files: Sequence[FileEntry]) -> _Group:
    """The frames for one reference; of several of one moment, which are one exposure, the first."""
    by_begin: dict[datetime, FileEntry] = {}
    for file in sorted(files, key=lambda file: file.name):
        if file.date_beg is not None:
            by_begin.setdefault(file.date_beg, file)
    ordered = dict(sorted(by_begin.items()))
    selectors = {name: files[0].meta[name] for name in kind.alike if name in files[0].meta}
    group = _Group(tuple(ordered.values()), tuple(ordered), selectors)
    _require_enough(kind, group, len(group.files))
    shapes = {file.shape for file in group.files}
    if len(shapes) > 1:
        raise BadInput(
            f"the frames for one {kind.name} differ in size",
            keyword="NAXIS1, NAXIS2",
            found=", ".join(str(shape) for shape in sorted(shapes)),
            advice="narrow the query to frames of one size",
        )
    return group


def _require_enough(kind: ReductionKind, group: _Group, number: int, lost: str = "") -> None:
    if number >= kind.fewest:
        return
    what = ", ".join(f"{name} {value}" for name, value in group.selectors.items())
    raise BadInput(
        f"there are too few frames for a {kind.name} ({what})",
        keyword="observation",
        found=f"{number} different frame{'s' * (number != 1)}{lost}, and {kind.fewest} are needed",
        advice="widen the query to more frames, or narrow it so that it leaves these out",
    )


def _reduce(
    lake: Lake,
    client: Client,
    kind: ReductionKind,
    group: _Group,
    valid: Validity | None,
    folder: Path,
) -> tuple[references.NewReference, Callable[[references.ReferenceInfo], MadeReference]]:
    """The reference of one group as a file, and what will be told of it once it is in the lake."""
    unit = _common_unit(lake, kind, group.files)
    reduced = _computed(lake, client, kind, group)
    usable = f" of {len(group.files)} could be used" if len(reduced.used) < len(group.files) else ""
    _require_enough(kind, group, len(reduced.used), usable)
    if not (reduced.count >= kind.fewest).any():
        raise BadInput(
            f"no pixel of the {kind.name} would be made of {kind.fewest} frames",
            keyword="QUALITY",
            found=f"at most {reduced.count.max(initial=0)} of {len(group.files)} frames have a value there",
            advice="look at the frames' flags with `heliolake show`, or widen the query",
        )
    used = tuple(
        (file.name, begin)
        for file, begin in zip(group.files, group.begins, strict=True)
        if file.name in reduced.used
    )
    origin, caveats = Origin(unit, used), kind.caveats(reduced)
    # Validity ends before its end: the last frame is to be inside.
    begin, end = group.begins[0], group.begins[-1] + timedelta(seconds=1)
    name = "_".join([kind.name, *(str(value) for value in group.selectors.values()), f"{begin:%Y%m%d}"])
    path = folder / f"{name}.fits"
    kind.write(reduced, origin, caveats).writeto(path, checksum=True)
    new = references.NewReference(
        path=path,
        need=kind.need,
        instrument=kind.instrument,
        source=f"{kind.name} of {len(used)} files of level {kind.level}, made by Heliolake",
        valid_from=valid[0] if valid else begin,
        valid_until=valid[1] if valid else end,
        selectors=group.selectors,
        simulated=any(bool(file.meta.get("simulated")) for file in group.files),
    )
    return new, lambda info: MadeReference(
        info, len(used), len(group.files), used[0][1], used[-1][1], caveats
    )


def _computed(lake: Lake, client: Client, kind: ReductionKind, group: _Group) -> Reduced:
    entry = instrument(kind.instrument)
    sources = [
        FrameSource(
            loader=Loader(str(lake.path_of(file.scope, file.name)), file.image_hdu),
            source=file.name,
            sha256=file.sha256,
            blank_is_missing=entry.blank_is_missing,
        )
        for file in group.files
    ]
    ny, nx = group.files[0].shape
    stack = open_stack(sources, (ny, nx), frames_per_block=_FRAMES)
    whole = lazily(kind.prepare(len(group.files)), stack, instrument=kind.instrument)
    found: Reduced = submit(client, whole).result()
    return found


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

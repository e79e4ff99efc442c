"""Which frames go into which reference: those alike in what tells cameras apart, epoch by epoch."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster.plan.plan import Query
from lake.entries import FileEntry, in_utc, iso
from lake.errors import BadInput
from lake.lake import Lake
from lake.releases.inputs import Input, active_inputs
from pipeline.dims import IMAGE, takes, written
from pipeline.reduction import ReductionKind, Validity

#: All time.
_ALWAYS: Validity = (None, None)


@dataclass(frozen=True)
class FrameGroup:
    """Frames for one reference: different ones, in order of time, with what they agree in.

    Attributes
    ----------
    files, begins
        The frames, and when each began.
    selectors
        In what they agree.
    parents
        Releases that they are of.
    epoch
        Times that they lie between, where such were given; the second is not of it.
    """

    files: tuple[FileEntry, ...]
    begins: tuple[datetime, ...]
    selectors: dict[str, Any]
    parents: tuple[str, ...]
    epoch: Validity = _ALWAYS

    def document(self) -> dict[str, Any]:
        """What a run has to know of them as a whole."""
        told = "\n".join(f"{file.did} {file.sha256}" for file in self.files)
        return {
            "selectors": self.selectors,
            "parents": list(self.parents),
            "frames": len(self.files),
            "first": self.begins[0].isoformat(),
            "last": self.begins[-1].isoformat(),
            "epoch": [iso(one) for one in self.epoch],
            "simulated": any(bool(file.meta.get("simulated")) for file in self.files),
            "digest": hashlib.sha256(told.encode()).hexdigest(),
        }


def groups_of(
    lake: Lake, kind: ReductionKind, query: Query, epochs: Sequence[datetime] = ()
) -> list[FrameGroup]:
    """The frames that a query finds, in groups.

    Parameters
    ----------
    lake, kind, query
        Where, what for, and which.
    epochs
        Times (UTC) at which a new epoch begins: frames before and after are of different groups.

    Raises
    ------
    BadInput
        When there are no frames or too few for a group, when they differ in size, or when an epoch has none.
    """
    found = active_inputs(
        lake,
        kind.instrument,
        kind.level,
        since=query.since,
        until=query.until,
        observation=query.observation,
    )
    alike: dict[tuple[Any, ...], list[Input]] = {}
    for one in found:
        alike.setdefault(tuple(one.meta.get(name) for name in kind.alike), []).append(one)
    if not alike:
        raise BadInput(
            f"there are no {kind.instrument} files of level {kind.level} to make a {kind.name} from",
            keyword="observation",
            found=query.observation or "all",
            advice="process that level first, or widen the query; `heliolake search` shows what there is",
        )
    ends = sorted({in_utc(one) for one in epochs})
    cut = [list(_by_epoch(together, ends)) for together in alike.values()]
    _require_frames(ends, {epoch for parts in cut for epoch, _ in parts})
    return [_group(kind, together, epoch) for parts in cut for epoch, together in parts]


def _by_epoch(found: Sequence[Input], ends: Sequence[datetime]) -> Iterator[tuple[Validity, list[Input]]]:
    """The frames of each epoch that has any."""
    parts: dict[int, list[Input]] = {}
    for one in found:
        begin = one.file.date_beg
        parts.setdefault(bisect_right(ends, in_utc(begin)) if begin else 0, []).append(one)
    for number, together in sorted(parts.items()):
        yield _epoch(ends, number), together


def _epoch(ends: Sequence[datetime], number: int) -> Validity:
    begin = ends[number - 1] if number else None
    return begin, ends[number] if number < len(ends) else None


def _require_frames(ends: Sequence[datetime], seen: set[Validity]) -> None:
    """Refuse an epoch without any frame: a time that was given is not what it was meant to be."""
    for number in range(len(ends) + 1):
        begin, end = _epoch(ends, number)
        if (begin, end) not in seen and (begin or end):
            words = [f"from {iso(begin)}" if begin else "", f"until {iso(end)}" if end else ""]
            raise BadInput(
                "an epoch has no frames",
                keyword="epoch",
                found=" ".join(filter(None, words)),
                advice="leave that time out, or widen the query",
            )


def _group(kind: ReductionKind, found: Sequence[Input], epoch: Validity) -> FrameGroup:
    """The frames for one reference; of several of one moment, which are one exposure, the first."""
    files = [one.file for one in found]
    by_begin: dict[datetime, FileEntry] = {}
    for file in sorted(files, key=lambda file: file.name):
        if file.date_beg is not None:
            by_begin.setdefault(file.date_beg, file)
    ordered = dict(sorted(by_begin.items()))
    selectors = {name: files[0].meta[name] for name in kind.alike if name in files[0].meta}
    parents = tuple(sorted({one.release for one in found}))
    group = FrameGroup(tuple(ordered.values()), tuple(ordered), selectors, parents, epoch)
    require_enough(kind, selectors, len(group.files))
    others = {file.dims or IMAGE for file in group.files if not takes(kind.dims, file.dims or IMAGE)}
    if others:
        raise BadInput(
            f"the {kind.name} takes frames of {written(kind.dims)}",
            keyword="NAXIS",
            found=", ".join(map(written, sorted(others))),
            advice="narrow the query to such frames",
        )
    shapes = {(*file.dims, *file.shape) for file in group.files}
    if len(shapes) > 1:
        raise BadInput(
            f"the frames for one {kind.name} differ in size",
            keyword="NAXIS1, NAXIS2",
            found=", ".join(sorted(map(str, shapes))),
            advice="narrow the query to frames of one size",
        )
    return group


def require_enough(kind: ReductionKind, selectors: Mapping[str, Any], number: int, lost: str = "") -> None:
    """Refuse to make a reference of fewer frames than its kind needs."""
    if number >= kind.fewest:
        return
    what = ", ".join(f"{name} {value}" for name, value in selectors.items())
    raise BadInput(
        f"there are too few frames for a {kind.name} ({what})",
        keyword="observation",
        found=f"{number} different frame{'s' * (number != 1)}{lost}, and {kind.fewest} are needed",
        advice="widen the query to more frames, or narrow it so that it leaves these out",
    )

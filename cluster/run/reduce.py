"""Reductions over the lake: many frames into one reference, and the context that lists it."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster.connect import connected
from cluster.plan.plan import Query
from cluster.run.frame_groups import FrameGroup, groups_of, require_enough
from cluster.run.open_run import require_free, take
from cluster.run.partials import Whole
from cluster.run.reducing import Progress, Reducing, frames_of, pieces, require_worker
from cluster.scheduler import Scheduler
from lake.calibration import contexts, references
from lake.calibration.choice import Context
from lake.entries import from_iso, iso
from lake.errors import BadInput
from lake.governance.policy import PUBLIC, Principal
from lake.grant import Grant
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import ENDED, REDUCTION, UnitSpec
from lake.names import ProductKey, split_did
from lake.releases.access import require_inputs
from lake.releases.releases import product_lock
from lake.storage import volatile
from pipeline import code
from pipeline.errors import BadInput as PipelineBadInput
from pipeline.errors import Fatal
from pipeline.reduction import Origin, ReductionKind, Validity, find_reduction

_log = logging.getLogger(__name__)


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
    findings
        What was found, in sentences.
    """

    info: references.ReferenceInfo
    frames: int
    given: int
    begin: datetime
    end: datetime
    caveats: tuple[str, ...]
    findings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            **self.info.as_dict(),
            "frames": self.frames,
            "frames_found": self.given,
            "first_frame": iso(self.begin),
            "last_frame": iso(self.end),
            "caveats": list(self.caveats),
            "findings": list(self.findings),
        }


@dataclass(frozen=True)
class Made:
    """References made by a reduction, and the context that lists them."""

    references: tuple[MadeReference, ...]
    context: Context


def reduce_to_reference(
    lake: Lake,
    scheduler: Scheduler,
    kind: ReductionKind,
    query: Query,
    *,
    valid: Validity | None = None,
    epochs: Sequence[datetime] = (),
    pictures: Path | None = None,
    on_progress: Progress | None = None,
    principal: Principal = PUBLIC,
) -> Made:
    """Make references from all frames a query finds, one per camera and epoch.

    Its pieces are units of a run: the same command goes on where an earlier one was stopped.

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
        Validity of the references; what the kind says by default, for most the days of the frames.
    epochs
        Times (UTC) from which on a camera is another one: no reference is made of frames of both sides, or
        stands for them.
    pictures
        Folder for a picture of each reference, of kinds that can be drawn.
    on_progress
        Called with frames gone over, how many there are in all passes, and what is made.
    principal
        On whose behalf: frames that they may not read are refused.

    Returns
    -------
    Made
        Its context is the current one and the new references; `heliolake context use` makes it current.

    Raises
    ------
    lake.errors.BadInput
        When no frame is found or fewer than `kind.fewest`, or frames of one group differ in size, or another
        process is making the same. Nothing is added to the lake then, for any group.
    pipeline.errors.BadInput
        When frames of one group differ in their unit.
    pipeline.errors.Fatal, pipeline.errors.Retriable, lake.errors.Retriable
        When every piece would fail alike, or a service is lost.
    """
    groups = groups_of(lake, kind, query, epochs)
    document = {
        "reduction": {"instrument": kind.instrument, "name": kind.name},
        "valid": None if valid is None else [iso(one) for one in valid],
        "code": dict(code.of_instrument(kind.instrument)),
        "groups": [group.document() for group in groups],
    }
    grant = _granted(lake, document, principal)
    run = _open(lake, kind, groups, document)
    del groups  # from here on the ledger knows the frames
    return _carry_out(run, grant, scheduler, kind, document, on_progress, pictures)


def resume_reduction(
    lake: Lake,
    scheduler: Scheduler,
    run_id: str,
    *,
    pictures: Path | None = None,
    on_progress: Progress | None = None,
    principal: Principal = PUBLIC,
) -> Made:
    """Go on with a reduction by the id of its run; see `reduce_to_reference`.

    Raises
    ------
    lake.errors.BadInput
        Also when there is no such run, it is none of a reduction, or is done.
    """
    told = runs.find_run(lake, run_id)
    document = told["document"]
    if "reduction" not in document:
        raise BadInput(
            f"run {run_id} makes products, not references",
            advice=f"heliolake process --run {run_id} goes on with it",
        )
    if told["status"] == "done":
        raise BadInput(
            f"run {run_id} is done",
            advice="what it made is in the lake (`heliolake context list`); "
            "give the reduction and its query to make it again",
        )
    kind = find_reduction(document["reduction"]["instrument"], document["reduction"]["name"])
    today = code.of_instrument(kind.instrument)
    if document["code"] != dict(today):
        changed = code.differences(document["code"], today)
        raise Fatal(
            f"the software changed since run {run_id} was begun: {changed}. Its reference would be of two "
            f"kinds. Begin again: `heliolake reduce {kind.name}` with the same options"
        )
    grant = _granted(lake, document, principal)
    run = take(lake, told, publishes=False)
    return _carry_out(run, grant, scheduler, kind, document, on_progress, pictures)


def _granted(lake: Lake, document: Mapping[str, Any], principal: Principal) -> Grant:
    """What opens the frames of all groups."""
    parents = {parent for group in document["groups"] for parent in group.get("parents", ())}
    return require_inputs(lake, principal, parents)


def _open(lake: Lake, kind: ReductionKind, groups: Sequence[FrameGroup], document: Mapping[str, Any]) -> Run:
    """The run that makes this: one that was stopped, else a new one. Never two at once.

    Raises
    ------
    BadInput
        When another process is at it.
    """
    salt = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    with product_lock(lake, ProductKey("plans", salt, "0")):
        for told in runs.runs_of_plan(lake, salt):
            if told["status"] in ENDED:
                continue
            require_free(lake, told)
            if told["status"] in ("running", "stopped"):
                return take(lake, told, publishes=False)

        def units() -> Iterator[UnitSpec]:
            for number, group in enumerate(groups):
                yield from pieces(kind, number, group.files, salt)

        return Run.create(lake, salt, document, f"{REDUCTION}{kind.name}", units(), this_process())


def _carry_out(
    run: Run,
    grant: Grant,
    scheduler: Scheduler,
    kind: ReductionKind,
    document: Mapping[str, Any],
    on_progress: Progress | None,
    pictures: Path | None,
) -> Made:
    status, note = "stopped", "interrupted"
    try:
        with connected(scheduler) as client:
            require_worker(client)
            frames = [group["frames"] for group in document["groups"]]
            wholes = Reducing(run, grant, kind, frames, on_progress).carry_out(client)
        made = _register(run, kind, document, wholes, pictures)
        status, note = "done", ""
    except Exception as error:
        note = str(error)[:500]
        if isinstance(error, (BadInput, PipelineBadInput, Fatal)):  # it would end so again
            status = "failed"
        raise
    finally:
        run.give_back()
        run.end(status, note)
        if status != "stopped":
            volatile.drop_all(run.lake.store, run.id)
    return made


def _register(
    run: Run,
    kind: ReductionKind,
    document: Mapping[str, Any],
    wholes: Sequence[Whole],
    pictures: Path | None,
) -> Made:
    """The references in the lake, and a context that lists them; pictures of them where they are wanted."""
    lake = run.lake
    with tempfile.TemporaryDirectory(prefix="heliolake-") as folder:
        written = [
            _Written.of(run, kind, document, number, whole, Path(folder))
            for number, whole in enumerate(wholes)
        ]
        infos = references.add(lake, [one.new for one in written])
        if pictures is not None:
            for info, one in zip(infos, written, strict=True):
                _draw(kind, one.new.path, pictures / f"{Path(split_did(info.did)[1]).stem}.png")
    made = tuple(one.registered(info) for info, one in zip(infos, written, strict=True))
    base = contexts.current(lake, kind.instrument)
    note = f"with {', '.join(info.did for info in infos)}"
    return Made(made, contexts.extend(lake, base, infos, note=note, instrument=kind.instrument))


def _draw(kind: ReductionKind, reference: Path, picture: Path) -> None:
    """A picture of a reference, which is in the lake by now, whatever becomes of the picture."""
    if kind.draw is None:
        return
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        kind.draw(reference, picture)
    except (OSError, Fatal) as error:
        _log.warning("The reference is in the lake, but %s could not be drawn: %s", picture, error)


@dataclass(frozen=True)
class _Written:
    """The reference of one group as a file, and what will be told of it once it is in the lake."""

    new: references.NewReference
    used: int
    given: int
    begin: datetime
    end: datetime
    caveats: tuple[str, ...]
    findings: tuple[str, ...]

    def registered(self, info: references.ReferenceInfo) -> MadeReference:
        """What is told of it."""
        return MadeReference(info, self.used, self.given, self.begin, self.end, self.caveats, self.findings)

    @classmethod
    def of(
        cls,
        run: Run,
        kind: ReductionKind,
        document: Mapping[str, Any],
        number: int,
        whole: Whole,
        folder: Path,
    ) -> _Written:
        """Write the reference of a group; refused where too few of its frames could be used."""
        group, reduced = document["groups"][number], whole.reduced
        given = group["frames"]
        usable = f" of {given} could be used" if len(reduced.used) < given else ""
        require_enough(kind, group["selectors"], len(reduced.used), usable)
        if not (reduced.count >= kind.fewest).any():
            raise BadInput(
                f"no pixel of the {kind.name} would be made of {kind.fewest} frames",
                keyword="QUALITY",
                found=f"at most {reduced.count.max(initial=0)} of {given} frames have a value there",
                advice="look at the frames' flags with `heliolake show`, or widen the query",
            )
        used = tuple(
            (name, datetime.fromisoformat(begin))
            for _, payload in run.payloads(frames_of(kind, number))
            if payload["pass"] == 0
            for _, name, _, _, begin in payload["frames"]
            if name in reduced.used
        )
        caveats = kind.caveats(reduced)
        told, epoch = document["valid"], group.get("epoch", (None, None))
        first, last = (datetime.fromisoformat(group[key]) for key in ("first", "last"))
        day = f"{first:%Y%m%dT%H%M%S}" if any(epoch) else f"{first:%Y%m%d}"
        words = [kind.name, *(str(value) for value in group["selectors"].values()), day]
        path = folder / f"{'_'.join(words)}.fits"
        kind.write(reduced, Origin(whole.unit, used), caveats).writeto(path, checksum=True)
        whole_time = kind.validity(first, last) if told is None else (from_iso(told[0]), from_iso(told[1]))
        # Where an epoch ends, so does what its frames tell.
        validity = [inner or outer for inner, outer in zip(map(from_iso, epoch), whole_time, strict=True)]
        new = references.NewReference(
            path=path,
            need=kind.need,
            instrument=kind.instrument,
            source=f"{kind.name} of {len(used)} files of level {kind.level}, made by Heliolake",
            valid_from=validity[0],
            valid_until=validity[1],
            selectors=group["selectors"],
            simulated=group["simulated"],
            parents=tuple(group.get("parents", ())),
        )
        return cls(new, len(used), given, used[0][1], used[-1][1], caveats, reduced.findings)

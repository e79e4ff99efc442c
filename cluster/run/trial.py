"""Trials: what a recipe would make, with nothing published, nothing in the ledger, nothing put aside.

The frames are read, and go through the recipe, by the very functions of a run. Only what becomes of them
differs: they stay a lazy stack, or are written to a folder of the person's own, under names and with headers
that say what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cluster.connect import connected
from cluster.plan.layouts import layout_of, places_of
from cluster.plan.plan import Plan
from cluster.plan.refusals import refuse_hopeless
from cluster.plan.units import PlannedUnit
from cluster.report import Item, Report
from cluster.run.execute import DaskExecution, Job
from cluster.run.jobs import Edition, jobs_of, target_of
from cluster.run.sources import coordinates_of, frame_sources
from cluster.run.stacks import Manifest, Target, open_stack
from cluster.scheduler import Scheduler
from lake.errors import BadInput, Fatal
from lake.governance.policy import Principal
from lake.grant import Grant
from lake.lake import Lake
from lake.names import trial_file
from lake.releases.access import require_inputs
from lake.storage.opening import reached
from pipeline import apply
from pipeline.carrying import begins
from pipeline.dims import Shape
from pipeline.instrument import Instrument
from pipeline.registry import instrument

Progress = Callable[[int, int, str], None]


def trial_stack(
    lake: Lake, plan: Plan, principal: Principal, *, shape: Shape | None = None, frames_per_block: int = 1
) -> xr.Dataset:
    """What a plan would make, as a lazy stack.

    Parameters
    ----------
    lake
        Where the inputs are.
    plan
        What to do.
    principal
        Who wants it: inputs that they may not read are refused.
    shape
        Of the raw frames wanted, (ny, nx) of images; needed only where they have several.
    frames_per_block
        Images in one Dask chunk.

    Returns
    -------
    xarray.Dataset
        As `pipeline.apply` gives it, with ``time`` as coordinate.

    Raises
    ------
    pipeline.errors.Fatal
        When every frame would lack a reference.
    lake.errors.BadInput
        When nothing is found, an input may not be read, or frames have several shapes and none was named.
    """
    grant = _require(lake, plan, principal)
    entry = instrument(plan.recipe.instrument)
    chosen = _of_shape(plan, shape, entry)
    sources = [source for unit in chosen for source in frame_sources(lake, grant, unit, entry)]
    members, places = len(chosen[0].members), places_of(plan.recipe, chosen[0])
    layout = layout_of(chosen[0].file, entry)
    stack = open_stack(
        sources,
        layout.shape,
        dims=layout.dims,
        flagged=layout.flagged,
        frames_per_block=frames_per_block * members,
        uncertainty=plan.recipe.uncertainty and not begins(plan.recipe.bind()),
    )
    located = stack.assign_coords(coordinates_of(sources, layout))
    made = apply(located, plan.recipe, reach=reached, members=members, places=places).assign_coords(
        time=("time", datetimes(one.file.date_beg for one in chosen))
    )
    return made.assign_attrs(recipe=plan.recipe.name, level=plan.recipe.to_level, trial=1)


def trial_products(
    lake: Lake,
    scheduler: Scheduler,
    plan: Plan,
    folder: Path,
    principal: Principal,
    *,
    on_progress: Progress | None = None,
) -> Report:
    """What a plan would make, computed on the cluster and written to a folder.

    Parameters
    ----------
    lake, plan, principal
        As for `trial_stack`.
    scheduler
        The Dask scheduler, whose workers must reach the folder.
    folder
        Made if need be. Products of earlier trials in it are replaced, other files never.
    on_progress
        Called with frames finished, their total, and the name of the last.

    Returns
    -------
    Report
        One item per file; ``more["trial"]`` is the folder.

    Raises
    ------
    pipeline.errors.Fatal, lake.errors.BadInput
        As `trial_stack`.
    lake.errors.Fatal
        When the folder cannot be made.
    """
    grant = _require(lake, plan, principal)
    folder = _made(folder)
    by_id = {unit.unit_id: unit for unit in plan.units}
    ended: dict[str, Manifest] = {}
    say = on_progress or (lambda _done, _total, _name: None)
    say(0, len(by_id), "")
    with connected(scheduler) as client:
        execution = DaskExecution(client, plan.recipe)
        with closing(execution(_jobs(lake, grant, plan, folder))) as manifests:
            for manifest in manifests:
                ended[manifest.unit] = manifest
                say(len(ended), len(by_id), by_id[manifest.unit].file.name)
    items = [_item(unit, ended[name], folder) for name, unit in by_id.items()]
    nothing: dict[str, Any] = {"run": None, "releases": [], "put_back": [], "left_over": []}
    return Report(items, nothing | {"trial": str(folder), "not_for": plan.not_for.document()})


def datetimes(dates: Iterable[datetime | None]) -> NDArray[np.datetime64]:
    """Times of frames as a coordinate, UTC; NaT where one is not known."""
    plain = [
        np.datetime64("NaT") if one is None else one.astimezone(UTC).replace(tzinfo=None) for one in dates
    ]
    return np.array(plain, dtype="datetime64[ns]")


def _require(lake: Lake, plan: Plan, principal: Principal) -> Grant:
    if not plan.units:
        raise BadInput(
            f"no file of {plan.recipe.instrument} level {plan.recipe.from_level} matches",
            keyword="observation",
            found="nothing",
            advice="widen the query; `heliolake search` shows what there is",
        )
    refuse_hopeless(lake, plan)
    return require_inputs(lake, principal, plan.parents(), plan.reference_dids())


def _of_shape(plan: Plan, shape: Shape | None, entry: Instrument) -> list[PlannedUnit]:
    """The pieces of work whose frames have one shape and are equally many."""
    by_shape: dict[Shape, list[PlannedUnit]] = {}
    for unit in plan.units:
        if not unit.output:
            by_shape.setdefault(layout_of(unit.file, entry).shape, []).append(unit)
    shapes = sorted(by_shape)
    if shape is None and len(shapes) == 1:
        shape = shapes[0]
    if shape is None or shape not in by_shape:
        raise BadInput(
            "the frames have several shapes" if shape is None else "no frame has this shape",
            keyword="shape",
            found=", ".join(map(str, shapes)) if shape is None else str(shape),
            advice=f"name one with shape=(ny, nx); there are {', '.join(map(str, shapes))}",
        )
    found = by_shape[shape]
    numbers = sorted({(len(unit.members), places_of(plan.recipe, unit)) for unit in found})
    if len(numbers) > 1:
        raise BadInput(
            "the groups have several numbers of files",
            keyword="group_by",
            found=", ".join(f"{files} for {places} places" for files, places in numbers),
            advice="name one observation, or write the products to a folder instead",
        )
    return found


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(f"The folder {folder} cannot be made: {error.strerror}. Name another with -o.") from error
    return folder.resolve()


def _jobs(lake: Lake, grant: Grant, plan: Plan, folder: Path) -> Iterator[Job]:
    now = datetime.now(UTC)

    def target(unit: PlannedUnit) -> Target:
        made = target_of(lake, unit, Edition(1, now, plan.context))
        name = trial_file(unit.file.stem, unit.product.level)
        return made.model_copy(update={"store": "", "folder": folder, "name": name, "version": 0})

    return jobs_of(lake, grant, plan.recipe, plan.units, target)


def _item(unit: PlannedUnit, manifest: Manifest, folder: Path) -> Item:
    outcome = manifest.outcome
    made = manifest.size > 0
    return Item(
        file=unit.file.name,
        outcome=outcome.status.value,
        reason=outcome.reason,
        advice=outcome.advice,
        keyword=outcome.keyword,
        found=outcome.found,
        unit=unit.unit_id,
        did=unit.file.did,
        output=str(folder / trial_file(unit.file.stem, unit.product.level)) if made else "",
        sha256=manifest.sha256,
        caveats=outcome.caveats,
    )

"""Publishing a run's products, each when the last of its units is finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.plan.units import PlannedUnit
from cluster.run.kept_plan import KeptPlan
from cluster.run.stacks import Manifest
from lake.entries import FileEntry
from lake.ledger.results import record_quarantined, results
from lake.ledger.run import Run
from lake.names import ProductKey, product_file
from lake.releases import quarantine
from lake.releases.activation import active_version, reactivate
from lake.releases.drafts import Provenance, discard, reserve
from lake.releases.publishing import ClosedWithOthers, require_bytes
from lake.releases.releases import active_files, find_by_key, product_lock, publish
from lake.releases.values import united
from lake.releases.withdrawal import withdrawn_files
from pipeline.chain import BoundStep
from pipeline.code import digest
from pipeline.errors import Fatal, Retriable
from pipeline.outcome import Status
from pipeline.provenance import procedure


def complete_products(
    plan: KeptPlan, settled: set[str], among: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Publish every product of a run that is complete and not published yet.

    A product some of whose units failed for a reason that may pass is held
    back: the last release stays the active one until the run was gone on with.

    Parameters
    ----------
    plan
        What the run carries out, which is open.
    settled
        Names of products that need not be looked at again; grows.
    among
        Names of products to look at; all of the run's by default.

    Yields
    ------
    dict
        The releases made, as `search` lists them; ``again`` tells whether it was made before and is ACTIVE
        again, ``replaces`` the version that was ACTIVE.

    Raises
    ------
    pipeline.errors.Fatal
        When a unit was done by other code: such a file is never published.
    """
    run = plan.run
    for name in run.finished_products(among):
        if name in settled:
            continue
        members = list(plan.units(name))
        with product_lock(run.lake, members[0].product):
            found = _gather(run, members)
            _require_code(found, digest(plan.code))
            if found.may_pass:
                continue
            release = _publish(plan, found)
        settled.add(name)
        if release is not None:
            yield release


@dataclass
class _Gathered:
    """What the units of one product gave."""

    members: Sequence[PlannedUnit]
    reused: list[FileEntry] = field(default_factory=list)
    new: list[tuple[PlannedUnit, Manifest]] = field(default_factory=list)
    put_aside: dict[str, dict[str, Any]] = field(default_factory=dict)
    may_pass: int = 0
    failed: int = 0
    withdrawn: int = 0

    @property
    def product(self) -> ProductKey:
        """The product all units belong to."""
        return self.members[0].product

    def caveats(self) -> list[str]:
        """What a user of the release should know about what is not in it."""
        found = [f"{self.failed} units failed and are missing"] if self.failed else []
        if self.put_aside:
            number = len(self.put_aside)
            found.append(f"{number} input files were put aside; see `heliolake quarantine`")
        if self.withdrawn:
            found.append(f"{self.withdrawn} files were withdrawn and are left out")
        return found


def _gather(run: Run, members: Sequence[PlannedUnit]) -> _Gathered:
    found = _Gathered(members)
    outcomes = {one.unit_id: one for one in run.outcomes(found.product.name)}
    known = results(run.lake, (unit.unit_id for unit in members))
    for unit in members:
        finished, result = outcomes[unit.unit_id], known.get(unit.unit_id)
        if result is not None and result.file is not None:
            found.reused.append(result.file)
        elif finished.state == Status.DONE:
            manifest = Manifest.model_validate({"unit": unit.unit_id, **finished.outcome})
            found.new.append((unit, manifest))
        elif finished.state == Status.QUARANTINED:
            found.put_aside[unit.unit_id] = _reason(finished.outcome)
        elif finished.outcome.get("outcome", {}).get("retriable"):
            found.may_pass += 1
        else:
            found.failed += 1
    # What was withdrawn for its content does not come back under another number.
    gone = withdrawn_files(run.lake, [file.did for file in found.reused])
    found.reused = [file for file in found.reused if file.did not in gone]
    found.withdrawn = len(gone)
    return found


def _require_code(found: _Gathered, code: str) -> None:
    """Workers refuse other code before they compute; those of an old release of Heliolake do not know to."""
    strange = [unit.file.name for unit, manifest in found.new if manifest.outcome.code != code]
    if strange:
        raise Fatal(
            f"{strange[0]}{f' and {len(strange) - 1} more' if strange[1:] else ''} of {found.product.name} "
            "came from a worker that runs other code than the plan was made with; nothing of it is "
            "published. Run `heliolake down` and `heliolake up`, then `heliolake process` as before"
        )


def _publish(plan: KeptPlan, found: _Gathered) -> dict[str, Any] | None:
    lake, run_id, product = plan.run.lake, plan.run.id, found.product
    if find_by_key(lake, product, run_id) is not None:
        return None
    record_quarantined(lake, found.put_aside)
    quarantine.resolve(lake, [file.did for unit, _ in found.new for file in unit.files], stage="process")
    active = active_files(lake, product)
    from_elsewhere = [file for file in active if file.unit_id is None]
    kept = {file.did for file in (*found.reused, *from_elsewhere)}
    if not found.new and (not found.reused or kept == {file.did for file in active}):
        discard(lake, product, run_id)
        return None
    before = active_version(lake, product)
    if not found.new:
        require_bytes(lake, [*found.reused, *from_elsewhere])
    if not found.new and (again := reactivate(lake, product, kept, found.caveats(), run_id)):
        discard(lake, product, run_id)
        return {**again, "again": True, "replaces": before}
    draft = reserve(lake, product, run_id)
    made = [_entry(unit, manifest, draft.version) for unit, manifest in found.new]
    provenance = Provenance(
        context=plan.context,
        recipe=plan.recipe.name,
        recipe_version=plan.recipe.version,
        run_id=run_id,
        refs=sorted({did for unit in found.members for did in unit.reference_dids}),
        parents=sorted({parent for unit in found.members for parent in unit.parents}),
        caveats=found.caveats(),
        quarantined_units=found.put_aside,
        places={
            one.did: manifest.rse for one, (_, manifest) in zip(made, found.new, strict=True) if manifest.rse
        },
        procedures=_procedures(plan.recipe.bind(), found.members[0].output),
    )
    try:
        release = publish(lake, draft, [*found.reused, *made, *from_elsewhere], provenance)
    except ClosedWithOthers as error:
        # A closed dataset never opens again: the product's next version is to hold what it should.
        discard(lake, product, run_id)
        plan.run.replan_given_up()
        raise Retriable(
            f"{product.name} changed while it was published; run the same command again"
        ) from error
    return {**release, "again": False, "replaces": before}


def _procedures(chain: Sequence[BoundStep], output: str) -> dict[str, int]:
    """Versions of the steps that a file has gone through; of a further output, up to the one that made it."""
    last = next((index for index, bound in enumerate(chain) if output in bound.step.outputs), len(chain))
    return {procedure(bound.step): bound.step.version for bound in chain[: last + 1]}


def _entry(unit: PlannedUnit, manifest: Manifest, version: int) -> FileEntry:
    product: ProductKey = unit.product
    return FileEntry(
        scope=product.scope,
        name=product_file(unit.file.stem, product.level, version),
        level=product.level,
        stem=unit.file.stem,
        size=manifest.size,
        adler32=manifest.adler32,
        sha256=manifest.sha256,
        date_beg=manifest.date_beg or unit.file.date_beg,
        date_end=manifest.date_end or unit.files[-1].date_end,
        shape=manifest.shape,
        dims=manifest.dims,
        meta=united(file.meta for file in unit.files),
        caveats=manifest.outcome.caveats,
        unit_id=unit.unit_id,
        refs=unit.reference_dids,
    )


def _reason(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What `outcome` says of a unit put aside, whether it was met in this run or before."""
    told = outcome.get("outcome", outcome)
    return {key: told.get(key, "") for key in ("status", "reason", "keyword", "found", "advice", "step")}

"""Publishing a run's products, each when the last of its units is finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, Self

from cluster.plan.units import PlannedUnit
from cluster.run.kept_plan import KeptPlan
from cluster.run.stacks import Manifest
from lake.entries import FileEntry
from lake.ledger.results import record_quarantined, results
from lake.ledger.units import Finished, Result
from lake.names import ProductKey, product_file
from lake.releases import quarantine
from lake.releases.activation import active_dids, active_version, reactivate
from lake.releases.drafts import Provenance, discard, reserve
from lake.releases.publishing import ClosedWithOthers, require_bytes
from lake.releases.releases import active_files, find_by_key, product_lock, publish
from lake.releases.spool import Files, Spool
from lake.releases.values import united
from lake.releases.withdrawal import withdrawn_files
from lake.rucio.client import batches
from pipeline.chain import BoundStep
from pipeline.code import digest
from pipeline.errors import Fatal, Retriable
from pipeline.outcome import Status
from pipeline.provenance import procedure

#: A unit that was put aside, and why.
Aside = tuple[str, dict[str, Any]]
#: Units whose ends are looked at together.
_MANY: Final = 2000


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
        product = plan.product(name)
        if find_by_key(run.lake, product, run.id) is None:
            with product_lock(run.lake, product), _Gathered.of(product) as found:
                _gather(plan, found)
                _require_code(found)
                if found.may_pass:
                    continue
                release = _publish(plan, found)
            if release is not None:
                yield release
        settled.add(name)


@dataclass
class _Gathered:
    """What the units of one product gave; there may be more of them than memory should hold."""

    product: ProductKey
    files: Spool[FileEntry]
    put_aside: Spool[Aside]
    inputs: Spool[str]
    output: str = ""
    new: int = 0
    may_pass: int = 0
    failed: int = 0
    withdrawn: int = 0
    strange: int = 0
    first_strange: str = ""

    @classmethod
    @contextmanager
    def of(cls, product: ProductKey) -> Iterator[Self]:
        """Nothing of a product yet; what is added is kept for as long as the block lasts."""
        with Spool[FileEntry]() as files, Spool[Aside]() as aside, Spool[str]() as inputs:
            yield cls(product, files, aside, inputs)

    def add(self, unit: PlannedUnit, finished: Finished, result: Result | None, code: str) -> None:
        """Count in what one unit gave."""
        self.output = unit.output
        if result is not None and result.file is not None:
            self.files.add(result.file)
        elif finished.state == Status.DONE:
            manifest = Manifest.model_validate({"unit": unit.unit_id, **finished.outcome})
            self.new += 1
            self.files.add(_entry(unit, manifest))
            for file in unit.files:
                self.inputs.add(file.did)
            if manifest.outcome.code != code:
                self.strange += 1
                self.first_strange = self.first_strange or unit.file.name
        elif finished.state == Status.QUARANTINED:
            self.put_aside.add((unit.unit_id, _reason(finished.outcome)))
        elif finished.outcome.get("outcome", {}).get("retriable"):
            self.may_pass += 1
        else:
            self.failed += 1

    def caveats(self) -> list[str]:
        """What a user of the release should know about what is not in it."""
        found = [f"{self.failed} units failed and are missing"] if self.failed else []
        if len(self.put_aside):
            found.append(f"{len(self.put_aside)} input files were put aside; see `heliolake quarantine`")
        if self.withdrawn:
            found.append(f"{self.withdrawn} files were withdrawn and are left out")
        return found


@dataclass(frozen=True)
class _Edition:
    """The files of a release that is reserved: those that were made for it are named after its version."""

    files: Sequence[Files]
    product: ProductKey
    version: int

    def __len__(self) -> int:
        return sum(map(len, self.files))

    def __iter__(self) -> Iterator[FileEntry]:
        for file in chain.from_iterable(self.files):
            name = file.name or product_file(file.stem, self.product.level, self.version)
            yield replace(file, name=name)


def _gather(plan: KeptPlan, found: _Gathered) -> None:
    lake, code = plan.run.lake, digest(plan.code)
    for several in batches(plan.ended(found.product.name), _MANY):
        known = results(lake, (unit.unit_id for unit, _ in several))
        # What was withdrawn for its content does not come back under another number.
        gone = withdrawn_files(lake, [one.file.did for one in known.values() if one.file is not None])
        for unit, finished in several:
            result = known.get(unit.unit_id)
            if result is not None and result.file is not None and result.file.did in gone:
                found.withdrawn += 1
            else:
                found.add(unit, finished, result, code)


def _require_code(found: _Gathered) -> None:
    """Workers refuse other code before they compute; those of an old release of Heliolake do not know to."""
    if found.strange:
        more = found.strange - 1
        raise Fatal(
            f"{found.first_strange}{f' and {more} more' if more else ''} of {found.product.name} "
            "came from a worker that runs other code than the plan was made with; nothing of it is "
            "published. Run `heliolake down` and `heliolake up`, then `heliolake process` as before"
        )


def _publish(plan: KeptPlan, found: _Gathered) -> dict[str, Any] | None:
    lake, run_id, product = plan.run.lake, plan.run.id, found.product
    if find_by_key(lake, product, run_id) is not None:
        return None
    record_quarantined(lake, found.put_aside)
    for subjects in batches(found.inputs, _MANY):
        quarantine.resolve(lake, subjects, stage="process")
    from_elsewhere = active_files(lake, product, made_here=False)
    before = active_version(lake, product)
    if not found.new:
        kept = {file.did for file in chain(found.files, from_elsewhere)}
        if not len(found.files) or kept == active_dids(lake, product):
            discard(lake, product, run_id)
            return None
        require_bytes(lake, chain(found.files, from_elsewhere))
        if again := reactivate(lake, product, kept, found.caveats(), run_id):
            discard(lake, product, run_id)
            return {**again, "again": True, "replaces": before}
    draft = reserve(lake, product, run_id)
    provenance = Provenance(
        context=plan.context,
        recipe=plan.recipe.name,
        recipe_version=plan.recipe.version,
        run_id=run_id,
        refs=sorted(plan.reference_dids(product.name)),
        parents=sorted(plan.parents(product.name)),
        caveats=found.caveats(),
        procedures=_procedures(plan.recipe.bind(), found.output),
    )
    try:
        release = publish(
            lake, draft, _Edition((found.files, from_elsewhere), product, draft.version), provenance
        )
    except ClosedWithOthers as error:
        # A closed dataset never opens again: the product's next version is to hold what it should.
        discard(lake, product, run_id)
        plan.run.replan_given_up()
        raise Retriable(
            f"{product.name} changed while it was published; run the same command again"
        ) from error
    return {**release, "again": False, "replaces": before}


def _procedures(steps: Sequence[BoundStep], output: str) -> dict[str, int]:
    """Versions of the steps that a file has gone through; of a further output, up to the one that made it."""
    last = next((index for index, bound in enumerate(steps) if output in bound.step.outputs), len(steps))
    return {procedure(bound.step): bound.step.version for bound in steps[: last + 1]}


def _entry(unit: PlannedUnit, manifest: Manifest) -> FileEntry:
    """What is registered of a new file; its name is known when the version is (`_Edition`)."""
    product: ProductKey = unit.product
    return FileEntry(
        scope=product.scope,
        name="",
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
        rse=manifest.rse,
        facts=manifest.facts,
    )


def _reason(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What `outcome` says of a unit put aside, whether it was met in this run or before."""
    told = outcome.get("outcome", outcome)
    return {key: told.get(key, "") for key in ("status", "reason", "keyword", "found", "advice", "step")}

"""Publishing a run's products, each when the last of its units is finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.plan import PlannedUnit
from cluster.stacks import Manifest
from lake import units
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey, product_file
from lake.releases import Provenance, active_files, discard, find_by_key, product_lock, publish, reserve
from pipeline.outcome import Status
from pipeline.recipe import Recipe


def complete_products(
    lake: Lake, run_id: str, recipe: Recipe, context: int | None
) -> Iterator[dict[str, Any]]:
    """Publish every product of a run that is complete and not published yet.

    Yields
    ------
    dict
        The releases made, as `search` lists them.
    """
    for name in units.finished_products(lake, run_id):
        members = [
            PlannedUnit.of_payload(unit_id, payload["unit"])
            for unit_id, (_, payload) in units.payloads(lake, run_id, name).items()
        ]
        with product_lock(lake, members[0].product):
            release = _publish(lake, run_id, recipe, context, members)
        if release is not None:
            yield release


def _publish(
    lake: Lake, run_id: str, recipe: Recipe, context: int | None, members: list[PlannedUnit]
) -> dict[str, Any] | None:
    product = members[0].product
    if find_by_key(lake, product, run_id) is not None:
        return None
    outcomes = {one.unit_id: one for one in units.outcomes(lake, run_id, product.name)}
    known = units.results(lake, (unit.unit_id for unit in members))
    draft = reserve(lake, product, run_id)
    files, put_aside, failed = [], {}, 0
    for unit in members:
        finished = outcomes[unit.unit_id]
        result = known.get(unit.unit_id)
        if result is not None and result.file is not None:
            files.append(result.file)
        elif finished.state == Status.DONE:
            manifest = Manifest.model_validate({"unit": unit.unit_id, **finished.outcome})
            files.append(_entry(unit, manifest, draft.version))
        elif finished.state == Status.QUARANTINED:
            put_aside[unit.unit_id] = _reason(finished.outcome)
        else:
            failed += 1
    units.record_quarantined(lake, put_aside)
    active = active_files(lake, product)
    from_elsewhere = [file for file in active if file.unit_id is None]
    everything = [*files, *from_elsewhere]
    if not files or {file.did for file in everything} == {file.did for file in active}:
        discard(lake, draft)
        return None
    caveats = [f"{failed} units failed and are missing"] if failed else []
    if put_aside:
        caveats.append(f"{len(put_aside)} input files were put aside; see `heliolake quarantine`")
    provenance = Provenance(
        context=context,
        recipe=recipe.name,
        recipe_version=recipe.version,
        run_id=run_id,
        refs=sorted({chosen.did for unit in members for chosen in unit.references.values()}),
        parents=sorted({unit.parent for unit in members}),
        caveats=caveats,
        quarantined_units=put_aside,
    )
    return publish(lake, draft, everything, provenance)


def _entry(unit: PlannedUnit, manifest: Manifest, version: int) -> FileEntry:
    product: ProductKey = unit.product
    return FileEntry(
        scope=product.scope,
        name=product_file(unit.file.stem, product.level, version),
        level=product.level,
        stem=unit.file.stem,
        size=manifest.size,
        adler32=manifest.adler32,
        md5=manifest.md5,
        sha256=manifest.sha256,
        date_beg=unit.file.date_beg,
        date_end=unit.file.date_end,
        shape=manifest.shape,
        meta=unit.file.meta,
        caveats=manifest.outcome.caveats,
        unit_id=unit.unit_id,
        refs=tuple(sorted(chosen.did for chosen in unit.references.values())),
    )


def _reason(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What `outcome` says of a unit put aside, whether it was met in this run or before."""
    told = outcome.get("outcome", outcome)
    return {key: told.get(key, "") for key in ("status", "reason", "keyword", "found", "advice", "step")}

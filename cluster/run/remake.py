"""Products whose bytes were lost, made again.

The same unit gives the same bytes, so a lost file comes back under its name wherever the software is the
one that made it. Where it comes out otherwise nothing is written: a name stands for the same bytes for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

from cluster.connect import connected
from cluster.plan.plan import Plan
from cluster.plan.units import PlannedUnit
from cluster.report import Item
from cluster.run.execute import DaskExecution, Job
from cluster.run.jobs import Edition, jobs_of, target_of
from cluster.run.stacks import Manifest
from cluster.scheduler import Scheduler
from lake.entries import FileEntry
from lake.fsck import restore
from lake.governance.doi.headers import concept_doi
from lake.grant import Grant
from lake.lake import Lake
from lake.ledger.units import Result
from lake.names import ProductKey, version_of
from lake.releases.releases import find_version
from lake.releases.withdrawal import withdrawn_files
from lake.storage.store import key_of
from pipeline.outcome import Status

_NEWER = "its product has a newer release; a copy of the lost file can be given to `heliolake restore PATH`"
_FIRST = "`heliolake fsck` names what is lost and how it comes back; then run this again"


@dataclass
class Remade:
    """What became of the lost files of a plan.

    Parameters
    ----------
    put_back
        Units whose files lie under their names again, and the files' DIDs.
    other
        Units that come out otherwise now, and how.
    failed
        Units that could not be carried out, their inputs being lost as well perhaps, and why.
    """

    put_back: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def told(self, item: Item) -> Item:
        """The item of a unit that was made before, with what became of its lost file."""
        if item.outcome == Status.SKIPPED and item.unit in self.put_back:
            return replace(item, outcome=Status.DONE.value, reason="its lost file was made again, the same")
        if item.outcome == Status.SKIPPED and item.unit in self.other:
            return _still_lost(item, self.other[item.unit], _NEWER)
        if item.outcome == Status.SKIPPED and item.unit in self.failed:
            return _still_lost(item, self.failed[item.unit], _FIRST)
        return item


def remake_lost(
    lake: Lake, scheduler: Scheduler, plan: Plan, grant: Grant, known: Mapping[str, Result]
) -> Remade:
    """Make the files again that units of a plan gave before and the storage has no more.

    May be repeated: what is there is not made.

    Parameters
    ----------
    lake, scheduler, plan
        As for `cluster.run.process.process`.
    grant
        What opens its inputs.
    known
        What its units gave.

    Returns
    -------
    Remade
        Units whose files are back, and those that come out otherwise.
    """
    lost = {
        unit.unit_id: (unit, file)
        for unit in plan.units
        if (file := _file_of(known, unit)) is not None and not _has_its_size(lake, file)
    }
    # What was withdrawn and is lost stays lost: made anew it would be published under another name.
    gone = withdrawn_files(lake, [file.did for _, file in lost.values()])
    lost = {unit_id: (unit, file) for unit_id, (unit, file) in lost.items() if file.did not in gone}
    remade = Remade()
    if not lost:
        return remade
    wanted: dict[str, Edition] = {}
    for unit, file in lost.values():
        edition = _edition(lake, unit.product, file)
        if edition is None:
            remade.other[unit.unit_id] = "the release it was made for is not known"
        else:
            wanted[unit.unit_id] = edition
    units = [unit for unit, _ in lost.values() if unit.unit_id in wanted]
    jobs = jobs_of(lake, grant, plan.recipe, units, lambda unit: target_of(lake, unit, wanted[unit.unit_id]))
    for manifest in _carried_out(scheduler, plan, list(jobs)):
        unit, file = lost[manifest.unit]
        if manifest.outcome.status is Status.FAILED:
            remade.failed[unit.unit_id] = manifest.outcome.reason
        elif manifest.sha256 == file.sha256:
            remade.put_back[unit.unit_id] = file.did
        else:
            remade.other[unit.unit_id] = manifest.outcome.reason or "made again, it holds other bytes"
    back = [lost[unit_id][1] for unit_id in remade.put_back]
    restore.mend_replicas(lake, [restore.Registered(one.scope, one.name, one.checksums) for one in back])
    return remade


def _still_lost(item: Item, why: str, advice: str) -> Item:
    return replace(item, outcome=Status.FAILED.value, reason=f"{item.output} is lost: {why}", advice=advice)


def _file_of(known: Mapping[str, Result], unit: PlannedUnit) -> FileEntry | None:
    result = known.get(unit.unit_id)
    return None if result is None else result.file


def _has_its_size(lake: Lake, file: FileEntry) -> bool:
    """A look that a million files allow; `fsck --deep` reads them, and sets aside what is damaged."""
    key = key_of(file.scope, file.name)
    there = lake.store_of(key).stat(key)
    return there is not None and there.size == file.size


def _edition(lake: Lake, product: ProductKey, file: FileEntry) -> Edition | None:
    version = version_of(file.name)
    release = None if version is None else find_version(lake, product, version)
    if version is None or release is None:
        return None
    created = datetime.fromisoformat(release["created"])
    doi = concept_doi(lake, product, created)
    stated = release["embargo_stated"]
    embargo = None if stated is None else datetime.fromisoformat(stated)
    return Edition(version, created, release["context"], file.checksums, doi, embargo)


def _carried_out(scheduler: Scheduler, plan: Plan, jobs: list[Job]) -> Iterator[Manifest]:
    if not jobs:
        return
    with connected(scheduler) as client, closing(DaskExecution(client, plan.recipe)(jobs)) as manifests:
        yield from manifests

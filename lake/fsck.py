"""Comparing storage, Rucio and catalogue: every difference named, what can be repaired repaired.

Nothing here deletes data: bytes that nothing knows are moved aside, never removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psutil
from sqlalchemy import select

from lake import units
from lake.catalogue.models import Release, Run, Unit
from lake.catalogue.session import transaction
from lake.checksums import Checksums
from lake.entries import iso
from lake.errors import HeliolakeLakeError
from lake.fsck_picture import OPEN_RUN, Did, Picture, ReleaseFacts, take_picture
from lake.lake import Lake
from lake.names import level_token, version_token
from lake.owners import is_dead
from lake.rucio_client import Replica
from lake.storage import LOST_AND_FOUND, Found, sums_of

GRACE_SECONDS = 3600.0
_AGAIN = "run the command that made it again, it will go on where it stopped"


@dataclass
class Difference:
    """One thing that storage, Rucio and catalogue do not agree on."""

    kind: str
    did: str
    detail: str
    repair: Callable[[], None] | None = None
    repaired: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "kind": self.kind,
            "did": self.did,
            "detail": self.detail,
            "repairable": self.repair is not None,
            "repaired": self.repaired,
        }


def fsck(
    lake: Lake,
    *,
    deep: bool = False,
    repair: bool = False,
    grace_seconds: float = GRACE_SECONDS,
    scopes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Compare storage, Rucio and catalogue.

    Parameters
    ----------
    lake
        The lake.
    deep
        Read all bytes and compare their checksums too.
    repair
        Repair what can be repaired.
    grace_seconds
        Leftovers younger than this are named but not repaired: their writer may be at work.
    scopes
        Look at these only (instruments, `references`); at all when absent.

    Returns
    -------
    dict
        `differences`, each with kind, did (or path), detail, repairable, repaired; and `checked` with counts.

    Raises
    ------
    Retriable
        When Rucio or the catalogue does not answer.
    """
    picture = take_picture(lake, scopes)
    differences = [
        *_leftovers(lake, picture, grace_seconds),
        *_files(lake, picture),
        *_releases(lake, picture),
        *_drafts(lake, picture, grace_seconds),
        *_ledger(lake, picture),
    ]
    if deep:
        differences += _bytes(lake, picture)
    if repair:
        for difference in differences:
            _try(difference)
    return {
        "differences": [difference.as_dict() for difference in differences],
        "checked": {
            "stored": len(picture.stored),
            "files": len(picture.files),
            "replicas": sum(1 for _, state in picture.replicas.values() if state is not None),
            "datasets": len(picture.datasets),
            "releases": len(picture.releases),
            "deep": deep,
        },
    }


def _try(difference: Difference) -> None:
    if difference.repair is None:
        return
    try:
        difference.repair()
        difference.repaired = True
    except (HeliolakeLakeError, OSError) as error:
        difference.detail += f"; the repair failed: {error}"


def _leftovers(lake: Lake, picture: Picture, grace: float) -> Iterator[Difference]:
    """Half-written files of dead writers, and whole ones that nobody knows."""
    for part in picture.parts:
        # A process of this pid may be another one, or on another host: age decides in the end.
        if psutil.pid_exists(part.writer or 0) and not _old(part, grace):
            continue
        yield Difference(
            "leftover-part",
            part.path,
            f"a writer (pid {part.writer}) died and left {part.size} bytes that are not under a final name",
            partial(_unlink, lake, part),
        )
    expected = {picture.path_of(did) for did in picture.files.keys() | picture.known}
    drafts = tuple(
        (f"{one.scope}/", f".{level_token(one.level)}.{version_token(one.version)}.fits")
        for one in picture.releases
        if one.status == "DRAFT"
    )
    for path, found in picture.stored.items():
        if path in expected:
            continue
        # The ledger may call these bytes done: whoever goes on with the run counts on them.
        awaited = any(path.startswith(folder) and path.endswith(ending) for folder, ending in drafts)
        movable = _old(found, grace) and not awaited
        why = "they belong to an unfinished release" if awaited else "a writer may be about to register them"
        advice = f"they can be moved to {LOST_AND_FOUND}" if movable else f"{why}: {_AGAIN}"
        yield Difference(
            "orphan-bytes",
            path,
            f"{found.size} bytes that neither Rucio nor the catalogue knows; {advice}",
            partial(_move_aside, lake, path) if movable else None,
        )


def _files(lake: Lake, picture: Picture) -> Iterator[Difference]:
    """Each file: known to all three, with one size and one set of sums."""
    in_drafts = {
        did
        for release in picture.releases
        if release.status == "DRAFT"
        for did in picture.contents.get((release.scope, release.dataset), ())
    }
    for did in sorted(picture.files.keys() | picture.known):
        name = ":".join(did)
        sums, (replica, state) = picture.files.get(did), picture.replicas.get(did, (None, None))
        found = picture.stored.get(picture.path_of(did))
        if found is None:
            yield Difference(
                "missing-bytes", name, f"no bytes at {picture.path_of(did)}; restore them from a copy"
            )
        if sums is None:
            why = f"belongs to an unfinished release: {_AGAIN}" if did in in_drafts else _AGAIN
            yield Difference("not-in-catalogue", name, f"Rucio has the file, the catalogue has not; {why}")
        elif did not in picture.known:
            yield Difference("not-in-rucio", name, "the catalogue has the file, Rucio has not")
        elif state is None:
            repair = None if found is None else partial(_register, lake, did, sums)
            yield Difference("no-replica", name, f"Rucio has no replica on {lake.rucio.rse}", repair)
        elif state != "AVAILABLE":
            yield Difference("replica-state", name, f"Rucio's replica on {lake.rucio.rse} is {state}")
        yield from _sizes(name, sums.size if sums else None, replica, found)
        if sums and replica and (replica.adler32, replica.md5 or sums.md5) != (sums.adler32, sums.md5):
            yield Difference("checksum-mismatch", name, "Rucio and the catalogue have other checksums")


def _sizes(
    name: str, catalogue: int | None, replica: Replica | None, found: Found | None
) -> Iterator[Difference]:
    sizes = {
        "catalogue": catalogue,
        "Rucio": replica.size if replica else None,
        "storage": found.size if found else None,
    }
    if len({size for size in sizes.values() if size is not None}) > 1:
        told = ", ".join(f"{who} {size}" for who, size in sizes.items() if size is not None)
        yield Difference("size-mismatch", name, f"sizes differ: {told}; restore the file from a copy")


def _releases(lake: Lake, picture: Picture) -> Iterator[Difference]:
    """Each published release: a closed dataset with just its files, in its container, with a locked rule."""
    expected = {(release.scope, release.dataset) for release in picture.releases}
    for scope, dataset in sorted(picture.datasets.keys() - expected):
        yield Difference(
            "unknown-dataset", f"{scope}:{dataset}", "Rucio has a dataset that is no release of ours"
        )
    for release in picture.releases:
        if release.status != "DRAFT":
            yield from _release(lake, picture, release)


def _release(lake: Lake, picture: Picture, release: ReleaseFacts) -> Iterator[Difference]:
    key = (release.scope, release.dataset)
    dataset = picture.datasets.get(key)
    if dataset is None:
        yield Difference(
            "no-dataset", release.did, "the catalogue has the release, Rucio has no dataset of it"
        )
        return
    content = picture.contents.get(key, set())
    if content != release.files:
        detail = f"{len(content - release.files)} files too many, {len(release.files - content)} missing"
        yield Difference(
            "dataset-content", release.did, f"Rucio's dataset differs from the release: {detail}"
        )
    if dataset.is_open:
        repair = partial(lake.rucio.close, *key) if content == release.files else None
        yield Difference("dataset-open", release.did, "the dataset of a published release is open", repair)
    if release.dataset not in picture.containers.get((release.scope, release.observation), ()):
        yield Difference(
            "not-in-container",
            release.did,
            f"the dataset is not in its container {release.scope}:{release.observation}",
            partial(_attach, lake, release),
        )
    rules = [rule for rule in picture.rules.get(key, []) if rule.rse_expression == lake.rucio.rse]
    if not any(rule.locked for rule in rules):
        detail = "has only rules that are not locked" if rules else "has no rule"
        yield Difference(
            "rule-unlocked" if rules else "no-rule",
            release.did,
            f"the release {detail} on {lake.rucio.rse}: Rucio may delete its files",
            partial(lake.rucio.ensure_locked_rule, *key),
        )
    for rule in rules:
        if rule.locked and rule.state != "OK":
            yield Difference("rule-state", release.did, f"its rule on {lake.rucio.rse} is {rule.state}")


def _drafts(lake: Lake, picture: Picture, grace: float) -> Iterator[Difference]:
    """Releases that were begun and not published."""
    now = datetime.now(UTC)
    for release in picture.releases:
        if release.status != "DRAFT":
            continue
        empty = not picture.contents.get((release.scope, release.dataset))
        old = (now - release.created).total_seconds() >= grace
        awaited = release.key in picture.open_runs
        how = f"continue it with `heliolake process --run {release.key}`" if awaited else _AGAIN
        yield Difference(
            "abandoned-draft",
            release.did,
            f"begun at {iso(release.created)} and not published; unless a command is at work on it, {how}",
            partial(_discard, lake, release) if empty and old and not awaited else None,
        )


def _ledger(lake: Lake, picture: Picture) -> Iterator[Difference]:
    """Leases and runs of processes that are gone."""
    with transaction(lake.sessions) as session:
        owners = session.scalars(select(Unit.lease_owner).where(Unit.state == "leased").distinct()).all()
    for owner in owners:
        if owner is not None and is_dead(owner):
            detail = "units are leased by a process that is gone"
            yield Difference("dead-lease", owner, detail, partial(_free, lake))
    for run_id, owner in picture.open_runs.items():
        if is_dead(owner):
            detail = f"its process is gone; continue it with `heliolake process --run {run_id}`"
            yield Difference("unfinished-run", run_id, detail)


def _bytes(lake: Lake, picture: Picture) -> Iterator[Difference]:
    """Each stored file read and summed."""
    for did, sums in sorted(picture.files.items()):
        path = picture.path_of(did)
        if path not in picture.stored:
            continue
        try:
            found = sums_of(lake.root / path)
        except HeliolakeLakeError as error:
            yield Difference("unreadable-bytes", ":".join(did), str(error))
            continue
        if found != sums:
            yield Difference(
                "wrong-bytes",
                ":".join(did),
                "the stored bytes are not those registered; restore them from a copy",
            )


def _old(found: Found, grace: float) -> bool:
    return time.time() - found.modified >= grace


def _unlink(lake: Lake, part: Found) -> None:
    (lake.root / part.path).unlink(missing_ok=True)


def _move_aside(lake: Lake, path: str) -> None:
    target = lake.root / LOST_AND_FOUND / path
    target.parent.mkdir(parents=True, exist_ok=True)
    (lake.root / path).replace(target)


def _register(lake: Lake, did: Did, sums: Checksums) -> None:
    """Give Rucio a replica back, once the bytes have proved to be the registered ones."""
    if sums_of(lake.path_of(*did)) != sums:
        raise HeliolakeLakeError("the stored bytes are not those registered")
    lake.rucio.add_replicas([Replica(*did, sums.size, sums.adler32, sums.md5)])


def _attach(lake: Lake, release: ReleaseFacts) -> None:
    lake.rucio.ensure_container(release.scope, release.observation)
    lake.rucio.attach_dataset(release.scope, release.observation, release.dataset)


def _discard(lake: Lake, release: ReleaseFacts) -> None:
    with transaction(lake.sessions) as session:
        # Somebody may have gone on with the run since the picture was taken.
        run = session.get(Run, release.key, with_for_update=True)
        row = session.get(Release, release.id, with_for_update=True)
        if row is not None and row.status == "DRAFT" and (run is None or run.status not in OPEN_RUN):
            session.delete(row)


def _free(lake: Lake) -> None:
    units.take_over(lake)

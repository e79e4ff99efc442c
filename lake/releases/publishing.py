"""The stages of publishing a release, each safe to repeat."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from lake.catalogue.models import (
    Activation,
    File,
    Observation,
    Product,
    Release,
    ReleaseFile,
    UnitResult,
)
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.errors import Fatal, HeliolakeLakeError, Retriable
from lake.governance import embargo
from lake.governance.inheritance import settle, settle_new, share_lock, take_lock
from lake.governance.policy import GIVEN_OUT
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance
from lake.releases.facts import settle_facts
from lake.releases.spool import Files
from lake.releases.values import united
from lake.rucio.client import batches
from lake.rucio.copies import where
from lake.rucio.opendata import OpenDataState, mirror, wanted_state
from lake.storage.store import key_of

_MANY = 5000
_log = logging.getLogger(__name__)


class ClosedWithOthers(Fatal):
    """A dataset was closed, its publication broke off, and meanwhile its product came to hold other files."""


def require_bytes(lake: Lake, files: Iterable[FileEntry]) -> None:
    """Refuse to register a file whose bytes are not under their final name.

    A file that lies where this process does not look is taken to be there when the executor there said that
    it wrote it, or Rucio has it.
    """
    for batch in batches(files, _MANY):
        far = []
        for file in batch:
            key = key_of(file.scope, file.name)
            store = lake.store_of(key)
            there = store.stat(key)
            if there is None and lake.config.others:
                far.append(file)
            elif there is None or there.size != file.size:
                raise _absent(file, store.place(key), None if there is None else there.size)
        unsaid = [file for file in far if not file.rse]
        known = where(lake.rucio, [(file.scope, file.name) for file in unsaid]) if unsaid else {}
        for file in unsaid:
            if not known.get((file.scope, file.name)):
                raise _absent(file, lake.store.place(key_of(file.scope, file.name)), None)


def _absent(file: FileEntry, place: str, size: int | None) -> Fatal:
    found = "nothing there" if size is None else f"{size} bytes there"
    return Fatal(
        f"{file.did} cannot be registered: {file.size} bytes expected at {place}, {found}. "
        "Run `heliolake fsck`."
    )


def require_same_bytes(lake: Lake, files: Iterable[FileEntry]) -> None:
    """Refuse a name that the catalogue knows with other bytes."""
    for batch in batches(files, _MANY):
        with transaction(lake.sessions) as session:
            _ids_of(session, batch)


def into_rucio(lake: Lake, product: ProductKey, dataset: str, files: Files) -> None:
    """Replicas, dataset, closed, in its container, held by a locked rule."""
    rucio, scope = lake.rucio, product.scope
    for one in {scope, *(file.scope for file in files)}:
        rucio.ensure_scope(one)
    rucio.ensure_container(scope, product.observation)
    made = rucio.ensure_dataset(scope, dataset)
    state = None if made else rucio.collection(scope, dataset)
    if state is not None:
        wanted = {(file.scope, file.name) for file in files}
        there = {(file.scope, file.name) for file in rucio.files(scope, dataset)}
        if not state.is_open and there != wanted:
            raise ClosedWithOthers(
                f"{scope}:{dataset} is closed with other files than are to be published "
                f"({len(there)} there, {len(wanted)} wanted). Run `heliolake fsck`."
            )
        if extra := there - wanted:
            rucio.detach_files(scope, dataset, extra)
    if state is None or state.is_open:
        for batch in batches(files, _MANY):
            for rse, those in _by_place(lake, batch).items():
                rucio.attach_files(scope, dataset, [file.replica for file in those], rse)
        rucio.close(scope, dataset)
    rucio.attach_dataset(scope, product.observation, dataset)
    # Where it may lie whatever its embargo turns out to be; `hold` asks for more.
    rucio.ensure_locked_rule(scope, dataset, lake.config.placement(scope, under_embargo=True))


def _by_place(lake: Lake, files: Sequence[FileEntry]) -> dict[str | None, list[FileEntry]]:
    """Files by the storage element on which they are to be registered; None where they are already."""
    if not lake.config.others:
        return {"": list(files)}
    known = where(lake.rucio, [(file.scope, file.name) for file in files])
    found: dict[str | None, list[FileEntry]] = {}
    for file in files:
        there = known.get((file.scope, file.name))
        found.setdefault(None if there and (not file.rse or file.rse in there) else file.rse, []).append(file)
    return found


def hold(lake: Lake, release: Release) -> None:
    """Ask Rucio for the copies that are wanted of a published release, where it may lie now.

    It is held already; what goes wrong here `heliolake fsck` names.
    """
    if not lake.config.others:
        return
    now = datetime.now(UTC)
    held = release.embargo_until is not None and release.embargo_until > now
    wanted = lake.config.placement(release.scope, under_embargo=held)
    if wanted != lake.config.placement(release.scope, under_embargo=True):
        try:
            lake.rucio.ensure_locked_rule(release.scope, release.dataset, wanted)
        except HeliolakeLakeError as error:
            _log.warning("%s:%s is published; %s", release.scope, release.dataset, error)


def into_opendata(lake: Lake, release: Release) -> None:
    """Have Rucio show a release among its open data, where it is public.

    One under embargo needs no record. What was published stays so, whatever becomes of this: `heliolake fsck`
    names what is missing.
    """
    state = wanted_state(release.status, release.embargo_until, datetime.now(UTC))
    if state is OpenDataState.PUBLIC:
        try:
            mirror(lake.rucio, (release.scope, release.dataset), state)
            with transaction(lake.sessions) as session:
                row = session.get_one(Release, release.id)
                state = wanted_state(row.status, row.embargo_until, datetime.now(UTC))
            if state is not OpenDataState.PUBLIC:  # somebody decided otherwise meanwhile
                mirror(lake.rucio, (release.scope, release.dataset), state)
        except HeliolakeLakeError as error:
            _log.warning("%s:%s is published; %s", release.scope, release.dataset, error)


def into_catalogue(
    session: Session, release_id: int, files: Iterable[FileEntry], provenance: Provenance
) -> Release:
    """Everything the catalogue learns from a publication, within the caller's transaction."""
    alone = _lock(session, release_id, provenance)
    product_id = session.scalars(select(Release.product_id).where(Release.id == release_id)).one()
    product = session.get_one(Product, product_id, with_for_update=True)
    release = session.get_one(Release, release_id, with_for_update=True)
    if release.status != "DRAFT":
        return release
    extent = _Extent()
    for batch in batches(files, _MANY):
        ids = _add_files(session, batch)
        session.execute(
            insert(ReleaseFile).on_conflict_do_nothing(),
            [{"release_id": release_id, "file_id": one} for one in ids.values()],
        )
        _add_results(session, batch, ids, provenance)
        extent.add(batch)
    _refuse_withdrawn(session, release_id)
    _fill(release, extent, provenance)
    settle_facts(session, [release_id])
    _update_observation(session, product.observation_id, extent, provenance)
    session.flush()
    if provenance.embargo is not None:
        embargo.stamp_default(session, product.observation_id, provenance.embargo)
    # Asked at this moment, not when the work was planned: an embargo that was set meanwhile holds.
    settle_new(session, release)
    _activate(session, product, release)
    session.flush()
    if alone:
        settle(session, _releases_of(session, product.observation_id))
    session.refresh(release)
    return release


def _lock(session: Session, release_id: int, provenance: Provenance) -> bool:
    """Hold back decisions; tells whether other releases of the observation are to be settled too.

    That is so where values come in about which something was decided, and where a later version was
    published before: then nothing else may be published meanwhile.
    """
    if not _reaches_others(session, release_id, provenance):
        held = session.begin_nested()
        share_lock(session)
        if not _reaches_others(session, release_id, provenance):  # still, now that nothing can be decided
            held.commit()
            return False
        held.rollback()  # gives the lock back: two that wait for more of it would wait for each other
    take_lock(session)
    return True


def _reaches_others(session: Session, release_id: int, provenance: Provenance) -> bool:
    draft = session.get_one(Release, release_id)
    later = select(Release.id).where(
        Release.product_id == draft.product_id, Release.version > draft.version, Release.status != "DRAFT"
    )
    if session.scalar(later.limit(1)) is not None:
        return True
    known = select(Observation.meta).join(Product, Product.observation_id == Observation.id)
    before = session.scalars(known.where(Product.id == draft.product_id)).one()
    after = united([before, provenance.observation_meta])
    return embargo.concerns(session, [name for name in after if after[name] != before.get(name)])


def _refuse_withdrawn(session: Session, release_id: int) -> None:
    """Refuse files that were withdrawn while they were on their way into another release."""
    given_out = (
        select(ReleaseFile.file_id)
        .join(Release, Release.id == ReleaseFile.release_id)
        .where(ReleaseFile.file_id == File.id, Release.status.in_(GIVEN_OUT))
    )
    elsewhere = aliased(ReleaseFile)
    withdrawn = (
        select(File.name)
        .join(elsewhere, elsewhere.file_id == File.id)
        .join(Release, Release.id == elsewhere.release_id)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == release_id, Release.status == "WITHDRAWN", ~exists(given_out))
    )
    name = session.scalar(withdrawn.limit(1))
    if name is not None:
        raise Retriable(f"{name} was withdrawn while it was published; run the same command again")


def _releases_of(session: Session, observation_id: int) -> list[int]:
    query = select(Release.id).join(Product).where(Product.observation_id == observation_id)
    return list(session.scalars(query.where(Release.status != "DRAFT")))


def _add_files(session: Session, files: Sequence[FileEntry]) -> dict[tuple[str, str], int]:
    session.execute(
        insert(File).on_conflict_do_nothing(index_elements=["scope", "name"]), [_row(file) for file in files]
    )
    return _ids_of(session, files)


def _row(file: FileEntry) -> dict[str, Any]:
    return {
        "scope": file.scope,
        "name": file.name,
        "level": file.level,
        "stem": file.stem,
        "size": file.size,
        "adler32": file.adler32,
        "sha256": file.sha256,
        "date_beg": file.date_beg,
        "date_end": file.date_end,
        "shape": list(file.shape),
        "dims": list(file.dims),
        "image_hdu": file.image_hdu,
        "meta": file.meta,
        "caveats": list(file.caveats),
        "unit_id": file.unit_id,
        "original": os.fsencode(file.original) if file.original else None,
        "content_sha256": file.content_sha256 or file.sha256,
        "facts": file.facts,
    }


def _ids_of(session: Session, files: Sequence[FileEntry]) -> dict[tuple[str, str], int]:
    """Row of each file that the catalogue has; Fatal where it has the name with other bytes."""
    wanted = {(file.scope, file.name): file for file in files}
    found: dict[tuple[str, str], int] = {}
    query = select(File.id, File.scope, File.name, File.sha256).where(
        tuple_(File.scope, File.name).in_(list(wanted))
    )
    for row in session.execute(query):
        if wanted[row.scope, row.name].sha256 != row.sha256:
            raise Fatal(
                f"{row.scope}:{row.name} is registered with other bytes (sha256 {row.sha256[:16]}…, now "
                f"{wanted[row.scope, row.name].sha256[:16]}…). A name stands for the same bytes for ever: "
                "give the new file a new name or version."
            )
        found[row.scope, row.name] = row.id
    return found


def _add_results(
    session: Session,
    files: Sequence[FileEntry],
    ids: dict[tuple[str, str], int],
    provenance: Provenance,
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "unit_id": file.unit_id,
            "outcome": "done",
            "file_id": ids[file.scope, file.name],
            "refs": list(file.refs),
            "detail": {"caveats": list(file.caveats), "procedures": dict(provenance.procedures)},
        }
        for file in files
        if file.unit_id is not None
    ]
    if rows:
        session.execute(insert(UnitResult).on_conflict_do_nothing(index_elements=["unit_id"]), rows)


@dataclass
class _Extent:
    """How much there is in a release, from when to when, made with which references."""

    begin: datetime | None = None
    end: datetime | None = None
    files: int = 0
    bytes: int = 0
    refs: set[str] = field(default_factory=set)

    def add(self, files: Sequence[FileEntry]) -> None:
        """Count some files in."""
        begins = [file.date_beg for file in files if file.date_beg is not None]
        ends = [end for file in files if (end := file.date_end or file.date_beg) is not None]
        self.begin = min([*begins, *([] if self.begin is None else [self.begin])], default=None)
        self.end = max([*ends, *([] if self.end is None else [self.end])], default=None)
        self.files += len(files)
        self.bytes += sum(file.size for file in files)
        self.refs.update(ref for file in files for ref in file.refs)


def _fill(release: Release, extent: _Extent, provenance: Provenance) -> None:
    release.date_beg, release.date_end = extent.begin, extent.end
    release.files, release.bytes = extent.files, extent.bytes
    release.context = provenance.context
    release.recipe = provenance.recipe
    release.recipe_version = provenance.recipe_version
    release.run_id = provenance.run_id
    release.refs = sorted({*provenance.refs, *extent.refs})
    release.parents = list(provenance.parents)
    release.caveats = list(provenance.caveats)


def make_active(session: Session, product: Product, release: Release, run_id: str | None) -> None:
    """Let a release take the place of the ACTIVE one, and note when and for which run, within the caller's
    transaction."""
    now = session.scalar(select(func.now()))
    before = _active(session, product)
    if before is not None:
        before.status, before.superseded = "SUPERSEDED", now
        session.flush()  # the database allows one ACTIVE release at any moment
    release.status, release.superseded = "ACTIVE", None
    session.add(Activation(product_id=product.id, release_id=release.id, run_id=run_id, at=now))


def _activate(session: Session, product: Product, release: Release) -> None:
    """DRAFT becomes ACTIVE, what was ACTIVE is SUPERSEDED; so is a draft that comes too late."""
    release.published = session.scalar(select(func.now()))
    active = _active(session, product)
    if active is not None and active.version > release.version:
        release.status, release.superseded = "SUPERSEDED", release.published
        return
    make_active(session, product, release, release.run_id)


def _active(session: Session, product: Product) -> Release | None:
    return session.scalar(select(Release).where(Release.product_id == product.id, Release.status == "ACTIVE"))


def _update_observation(
    session: Session, observation_id: int, extent: _Extent, provenance: Provenance
) -> None:
    # Locked: others, at other levels, may add values of theirs.
    before = session.scalars(
        select(Observation.meta).where(Observation.id == observation_id).with_for_update()
    ).one()
    # least() and greatest() of PostgreSQL leave NULLs out.
    session.execute(
        update(Observation)
        .where(Observation.id == observation_id)
        .values(
            meta=united([before, provenance.observation_meta]),
            date_beg=func.least(Observation.date_beg, extent.begin),
            date_end=func.greatest(Observation.date_end, extent.end),
        )
    )

"""Releases: reserved as DRAFT, published in one fixed order, never changed afterwards.

The order is: bytes under their final name (done before, see `lake.storage`) → replica and
attachment in Rucio → dataset closed → in its container → locked rule → catalogue, in one
transaction. Each stage looks before it acts, so calling `publish` again cures a crash anywhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from sys import intern
from typing import Any

from sqlalchemy import Row, exists, or_, select, text, tuple_
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from lake.catalogue.models import (
    Activation,
    File,
    Observation,
    Product,
    Release,
    ReleaseFile,
    UnitResult,
)
from lake.catalogue.session import transaction, unreachable
from lake.entries import FileEntry, iso
from lake.errors import BadInput, Fatal, Reason
from lake.lake import Lake
from lake.names import ProductKey, split_did
from lake.releases import publishing
from lake.releases.drafts import Draft, Provenance, content_key, reserve
from lake.releases.facts import shown
from lake.releases.pictured import drop_of_product
from lake.releases.spool import Files
from lake.releases.values import is_simulated


def publish(lake: Lake, draft: Draft, files: Files, provenance: Provenance | None = None) -> dict[str, Any]:
    """Make a draft the ACTIVE release of its product. May be called again after a crash at any point.

    Parameters
    ----------
    lake
        The lake.
    draft
        From `reserve`.
    files
        All files of the release, whose bytes lie under their final names; may include files of earlier ones.
        They are gone through several times, and never held all at once.
    provenance
        What it was made with.

    Returns
    -------
    dict
        The release, as `search` lists it.

    Raises
    ------
    Fatal
        When bytes are missing, a name is known with other checksums, or the draft was discarded;
        `ClosedWithOthers` when an attempt before closed the dataset with other files.
    Retriable
        When Rucio or the catalogue does not answer.
    """
    if not len(files) or not _each_once(files):
        raise Fatal(f"{draft.product} v{draft.version:04d} needs files, each once; {len(files)} were given.")
    made_with = provenance or Provenance()
    status = _status(lake, draft)
    if status == "DRAFT":
        publishing.require_bytes(lake, files)
        publishing.require_same_bytes(lake, files)
        publishing.into_rucio(lake, draft.product, draft.dataset, files)
    with transaction(lake.sessions) as session:
        release = publishing.into_catalogue(session, draft.release_id, files, made_with)
        described = describe(release, draft.product, _values(session, release))
    publishing.hold(lake, release)
    publishing.into_opendata(lake, release)
    drop_of_product(lake, release.product_id)
    return described


def find_by_key(lake: Lake, product: ProductKey, key: str) -> dict[str, Any] | None:
    """The release that was published, or set active again, under a key; None when there is none.

    Whatever became of it since: a run settles a product once.
    """
    again = exists().where(Activation.release_id == Release.id, Activation.run_id == key)
    with transaction(lake.sessions) as session:
        release = session.scalar(
            select(Release)
            .join(Product)
            .where(
                Product.name == product.name, Release.status != "DRAFT", or_(Release.draft_key == key, again)
            )
            .order_by(Release.version.desc())
        )
        return None if release is None else describe(release, product, _values(session, release))


def find_version(lake: Lake, product: ProductKey, version: int) -> dict[str, Any] | None:
    """The release of a product at a version, whatever became of it since; None when there is none."""
    with transaction(lake.sessions) as session:
        release = session.scalar(
            select(Release)
            .join(Product)
            .where(Product.name == product.name, Release.status != "DRAFT", Release.version == version)
        )
        return None if release is None else describe(release, product, _values(session, release))


def active_files(lake: Lake, product: ProductKey, *, made_here: bool | None = None) -> list[FileEntry]:
    """Files of the ACTIVE release of a product, by name; empty when there is none.

    Parameters
    ----------
    lake, product
        Which.
    made_here
        Only those that units of ours made, or only those that came from elsewhere; all where it is None.
    """
    query = (
        select(File, UnitResult.refs)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .outerjoin(UnitResult, UnitResult.unit_id == File.unit_id)
        .join(Release, Release.id == ReleaseFile.release_id)
        .join(Product, Product.id == Release.product_id)
        .where(Product.name == product.name, Release.status == "ACTIVE")
        .order_by(File.name)
    )
    if made_here is not None:
        query = query.where(File.unit_id.is_not(None) if made_here else File.unit_id.is_(None))
    with transaction(lake.sessions) as session:
        return [entry(file, refs) for file, refs in session.execute(query)]


def files_named(lake: Lake, dids: Sequence[str]) -> list[FileEntry]:
    """Files of releases by their DIDs, of those that are registered."""
    wanted = [split_did(did) for did in dids]
    with transaction(lake.sessions) as session:
        found = session.scalars(select(File).where(tuple_(File.scope, File.name).in_(wanted)))
        return [entry(file) for file in found]


def extend(
    lake: Lake, product: ProductKey, files: Sequence[FileEntry], provenance: Provenance | None = None
) -> dict[str, Any] | None:
    """Publish the next release of a product: the files of its ACTIVE one and these.

    This is how raw data come in: each batch that adds files to an observation makes its next release.
    Two processes that extend the same product wait for each other, so that neither loses the other's files.

    Returns
    -------
    dict or None
        The new release; None when the ACTIVE one holds all these files already.

    Raises
    ------
    BadInput
        With code name-conflict when the ACTIVE release holds one of the names with other bytes.
    """
    with product_lock(lake, product):
        old = {file.name: file for file in active_files(lake, product)}
        for file in files:
            if file.name in old and old[file.name].sha256 != file.sha256:
                raise name_conflict(file, old[file.name].sha256)
        merged = {file.name: file for file in files} | old
        if len(merged) == len(old):
            return None
        everything = list(merged.values())
        draft = reserve(lake, product, content_key(everything))
        return publish(lake, draft, everything, provenance)


@contextmanager
def product_lock(lake: Lake, product: ProductKey) -> Iterator[None]:
    """Hold a product against other processes; the database frees it when the holder dies.

    Raises
    ------
    Retriable
        When the catalogue cannot be reached.
    """
    name = {"name": product.name}
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(lake.engine.connect())
            connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), name)
            # The lock belongs to the connection; an open transaction would only hold back vacuum.
            connection.commit()
        except OperationalError as error:
            raise unreachable(error, lake.engine) from error
        try:
            yield
        finally:
            try:
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)
                connection.commit()
            except DBAPIError:  # a connection that is given up frees the lock as well
                connection.invalidate()


def name_conflict(file: FileEntry, known_sha256: str) -> BadInput:
    """The refusal of a name that stands for other bytes already."""
    return BadInput(
        f"{file.did} is already in the lake with other bytes",
        file=file.name,
        keyword="sha256",
        found=f"{file.sha256[:16]}… here, {known_sha256[:16]}… in the lake",
        advice="a name stands for the same bytes for ever: give the changed file a new name or version",
        code=Reason.NAME_CONFLICT,
    )


def entry(file: File | Row[Any], refs: Sequence[str] | None = None) -> FileEntry:
    """A row of the catalogue, and the references of the unit that made it, as a `FileEntry`."""
    return FileEntry(
        # A plan may hold a million of these: what all of them say is kept once.
        scope=intern(file.scope),
        name=file.name,
        level=intern(file.level),
        stem=file.stem,
        size=file.size,
        adler32=file.adler32,
        sha256=file.sha256,
        date_beg=file.date_beg,
        date_end=file.date_end,
        shape=_same(tuple(file.shape)),
        dims=tuple(map(intern, file.dims)),
        image_hdu=file.image_hdu,
        meta={
            intern(key): intern(value) if type(value) is str else value for key, value in file.meta.items()
        },
        caveats=tuple(file.caveats),
        unit_id=file.unit_id,
        refs=tuple(refs or ()),
        original=os.fsdecode(file.original) if file.original else "",
    )


@lru_cache(maxsize=64)
def _same(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The tuple that stands for all that are equal to it."""
    return shape


def named(release: Release, product: ProductKey) -> dict[str, Any]:
    """What a release is called, and what the parts of its name are."""
    return {
        "product": product.name,
        "instrument": product.scope,
        "observation": product.observation,
        "level": product.level,
        "version": release.version,
    }


def describe(release: Release, product: ProductKey, meta: Mapping[str, Any]) -> dict[str, Any]:
    """A release as scripts see it.

    Parameters
    ----------
    release, product
        Which, and of what.
    meta
        Searchable values of its observation: whatever lists a release says whether it was simulated.
    """
    return named(release, product) | {
        "status": release.status,
        "simulated": is_simulated(meta),
        "date_beg": iso(release.date_beg),
        "date_end": iso(release.date_end),
        "files": release.files,
        "bytes": release.bytes,
        "did": f"{release.scope}:{release.dataset}",
        "created": iso(release.created),
        "published": iso(release.published),
        "recipe": release.recipe,
        "recipe_version": release.recipe_version,
        "context": release.context,
        "run": release.run_id,
        "caveats": list(release.caveats),
        "embargo_until": iso(release.embargo_until),
        "embargo_stated": iso(release.embargo_stated),
        "shows": shown(release),
    }


def _values(session: Session, release: Release) -> dict[str, Any]:
    query = select(Observation.meta).join(Product, Product.observation_id == Observation.id)
    found: dict[str, Any] = session.scalars(query.where(Product.id == release.product_id)).one()
    return found


def _each_once(files: Files) -> bool:
    """Whether no two of them have one name; of each name no more is kept than tells it from all others."""
    names = {hashlib.blake2b(file.did.encode(), digest_size=16).digest() for file in files}
    return len(names) == len(files)


def _status(lake: Lake, draft: Draft) -> str:
    with transaction(lake.sessions) as session:
        status = session.scalar(select(Release.status).where(Release.id == draft.release_id))
    if status is None:
        raise Fatal(
            f"The draft {draft.product} v{draft.version:04d} was discarded meanwhile; run the command again."
        )
    return status

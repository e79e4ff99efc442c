"""Versions of a product that are reserved and not yet public, and what a release is made with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.governance.embargo import Default
from lake.governance.inheritance import settle_new
from lake.lake import Lake
from lake.names import ProductKey, check_name, check_scope, release_name


@dataclass(frozen=True)
class Draft:
    """A version of a product that is reserved and not yet public.

    Parameters
    ----------
    release_id
        Row in the catalogue.
    product
        What it is a version of.
    version
        Counts from 1; never given twice.
    dataset
        Name of the Rucio dataset.
    key
        What the caller identifies the content by.
    created
        When it was reserved. Headers may use it as DATE: a second attempt then makes the same bytes.
    embargo_stated
        The end of the embargo that held then, for headers too; what holds once it is published may differ.
    """

    release_id: int
    product: ProductKey
    version: int
    dataset: str
    key: str
    created: datetime
    embargo_stated: datetime | None = None


@dataclass(frozen=True)
class Provenance:
    """What a release was made with; all of it optional for raw data.

    Parameters
    ----------
    context
        Number of the context.
    recipe, recipe_version
        The recipe.
    run_id
        The run.
    refs
        DIDs of the references.
    parents
        DIDs of the releases it was made from.
    caveats
        Sentences that hold for the whole release.
    observation_meta
        Searchable values of the observation; one that differs from what is there joins it in a list.
    procedures
        Version of each step that its units were to go through, by the name of its function (PRPROCn).
    embargo
        What the instrument asks for.
    """

    context: int | None = None
    recipe: str | None = None
    recipe_version: int | None = None
    run_id: str | None = None
    refs: Sequence[str] = ()
    parents: Sequence[str] = ()
    caveats: Sequence[str] = ()
    observation_meta: Mapping[str, Any] = field(default_factory=dict)
    procedures: Mapping[str, int] = field(default_factory=dict)
    embargo: Default | None = None


def content_key(files: Sequence[FileEntry]) -> str:
    """Key of a release that is just these files, in any order."""
    lines = sorted(f"{file.scope}:{file.name} {file.sha256}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def reserve(
    lake: Lake, product: ProductKey, key: str, *, parents: Sequence[str] = (), refs: Sequence[str] = ()
) -> Draft:
    """Reserve the next version of a product, or get the one that was reserved for the same key.

    Parameters
    ----------
    lake
        The lake.
    product
        Observation and level; both are registered when new.
    key
        What identifies the content to be published (a hash of its units, for instance).
    parents, refs
        Releases and references it is to be made of, where its headers have to state their embargo.

    Returns
    -------
    Draft
        Same key, same version, until it is published or discarded.
    """
    check_scope(product.scope)
    check_name(product.observation)
    with transaction(lake.sessions) as session:
        row = _product(session, product)
        release = session.scalar(
            select(Release).where(
                Release.product_id == row.id, Release.status == "DRAFT", Release.draft_key == key
            )
        )
        if release is None:
            row.last_version += 1
            release = Release(
                product_id=row.id,
                version=row.last_version,
                status="DRAFT",
                scope=product.scope,
                level=product.level,
                dataset=release_name(product.observation, product.level, row.last_version),
                draft_key=key,
                parents=list(parents),
                refs=list(refs),
            )
            session.add(release)
            session.flush()
            session.refresh(release)
            settle_new(session, release)
            release.embargo_stated = release.embargo_until
            session.flush()
        return _draft(release, product)


def discard(lake: Lake, product: ProductKey, key: str) -> None:
    """Give up the draft reserved under a key, if there is one. Its version number is not used again."""
    with transaction(lake.sessions) as session:
        release = session.scalar(
            select(Release)
            .join(Product)
            .where(Product.name == product.name, Release.status == "DRAFT", Release.draft_key == key)
            .with_for_update(of=Release)
        )
        if release is not None:
            session.delete(release)


def discard_all(lake: Lake, key: str) -> int:
    """Give up every draft reserved under a key; returns how many there were."""
    with transaction(lake.sessions) as session:
        drafts = session.scalars(
            select(Release).where(Release.draft_key == key, Release.status == "DRAFT").with_for_update()
        ).all()
        for draft in drafts:
            session.delete(draft)
        return len(drafts)


def _product(session: Session, product: ProductKey) -> Product:
    """The product's row, locked until the end of the transaction; made with its observation when new."""
    session.execute(
        insert(Observation)
        .values(scope=product.scope, name=product.observation)
        .on_conflict_do_nothing(index_elements=["scope", "name"])
    )
    observation_id = session.scalars(
        select(Observation.id).where(
            Observation.scope == product.scope, Observation.name == product.observation
        )
    ).one()
    session.execute(
        insert(Product)
        .values(observation_id=observation_id, level=product.level, name=product.name)
        .on_conflict_do_nothing(index_elements=["observation_id", "level"])
    )
    return session.scalars(
        select(Product)
        .where(Product.observation_id == observation_id, Product.level == product.level)
        .with_for_update()
    ).one()


def _draft(release: Release, product: ProductKey) -> Draft:
    return Draft(
        release.id,
        product,
        release.version,
        release.dataset,
        release.draft_key,
        release.created,
        release.embargo_stated,
    )

"""Which release of a product is the ACTIVE one: asked, and set back to an earlier one that says the same.

A release never changes, and is never made twice. That one of a product's releases is ACTIVE is a fact of
the product, not of the release: a pointer, whose history `activation` in the catalogue keeps. Where the very
files of an earlier release are wanted again (settings were tried and given up, a context was taken back), the
pointer goes back to it: a new version of the same files would give one content two numbers and two citations.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lake.catalogue.models import Activation, File, Observation, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.governance.inheritance import share_lock
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.pictured import drop_of_product
from lake.releases.publishing import make_active
from lake.releases.releases import describe
from lake.rucio.client import batches

_MANY = 5000


@dataclass(frozen=True)
class Active:
    """The ACTIVE release of a product: its version, and the units that made its files."""

    version: int
    units: frozenset[str]


def active_units(lake: Lake, products: Collection[str]) -> dict[str, Active]:
    """The ACTIVE releases of products by name, of those that have one; few and small questions."""
    versions: dict[str, int] = {}
    made: dict[str, set[str]] = {}
    with transaction(lake.sessions) as session:
        for batch in batches(sorted(products), _MANY):
            chosen = (
                select(Release.id, Release.version, Product.name)
                .join(Product, Product.id == Release.product_id)
                .where(Product.name == func.any(batch), Release.status == "ACTIVE")
            )
            versions.update((row.name, row.version) for row in session.execute(chosen))
            of = chosen.subquery()
            files = (
                select(of.c.name, File.unit_id)
                .join(ReleaseFile, ReleaseFile.release_id == of.c.id)
                .join(File, File.id == ReleaseFile.file_id)
                .where(File.unit_id.is_not(None))
            )
            for row in session.execute(files.execution_options(yield_per=_MANY)):
                made.setdefault(row.name, set()).add(str(row.unit_id))
    return {name: Active(version, frozenset(made.get(name, ()))) for name, version in versions.items()}


def active_dids(lake: Lake, product: ProductKey) -> set[str]:
    """DIDs of the files of the ACTIVE release of a product; empty when there is none."""
    query = (
        select(Release.id)
        .join(Product, Product.id == Release.product_id)
        .where(Product.name == product.name, Release.status == "ACTIVE")
    )
    with transaction(lake.sessions) as session:
        release = session.scalar(query)
        return set() if release is None else _dids(session, release)


def active_version(lake: Lake, product: ProductKey) -> int | None:
    """Version of the ACTIVE release of a product; `None` when it has none."""
    query = (
        select(Release.version)
        .join(Product, Product.id == Release.product_id)
        .where(Product.name == product.name, Release.status == "ACTIVE")
    )
    with transaction(lake.sessions) as session:
        return session.scalar(query)


def former_release(lake: Lake, product: ProductKey, units: Collection[str]) -> int | None:
    """Version of the latest SUPERSEDED release whose files, but those from elsewhere, these units made."""
    with transaction(lake.sessions) as session:
        for release in _superseded(session, product.name):
            made = session.scalars(
                select(File.unit_id)
                .join(ReleaseFile, ReleaseFile.file_id == File.id)
                .where(ReleaseFile.release_id == release.id, File.unit_id.is_not(None))
            )
            if set(made) == set(units):
                return release.version
    return None


def reactivate(
    lake: Lake, product: ProductKey, files: Collection[str], caveats: Sequence[str], run_id: str
) -> dict[str, Any] | None:
    """Make an earlier release that holds just these files the ACTIVE one again; all or nothing.

    Only a SUPERSEDED one comes back: what was withdrawn stays so. It has to say of itself what would be said
    of a new release, so its caveats are compared as well. Nothing changes in Rucio, where all releases of a
    product are closed and held alike, nor in who may have it: ACTIVE and SUPERSEDED are given out alike.

    Parameters
    ----------
    lake
        The lake.
    product
        Whose.
    files
        DIDs of all files it is to hold.
    caveats
        What a new release would say of itself.
    run_id
        The run that asks for it.

    Returns
    -------
    dict or None
        The release as `search` lists it; None when there is none.
    """
    with transaction(lake.sessions) as session:
        share_lock(session)
        row = session.scalar(select(Product).where(Product.name == product.name).with_for_update())
        if row is None:
            return None
        for release in _superseded(session, product.name):
            same = release.files == len(files) and list(release.caveats) == list(caveats)
            if same and _dids(session, release.id) == set(files):
                make_active(session, row, release, run_id)
                session.flush()
                session.refresh(release)
                observation = session.get_one(Observation, row.observation_id)
                found = describe(release, product, observation.meta)
                break
        else:
            return None
        product_id = row.id
    drop_of_product(lake, product_id)
    return found


def history(lake: Lake, product: ProductKey) -> list[dict[str, Any]]:
    """Which release of a product became ACTIVE when, and by which run; the first one first."""
    query = (
        select(Activation.at, Activation.run_id, Release.version)
        .join(Release, Release.id == Activation.release_id)
        .join(Product, Product.id == Activation.product_id)
        .where(Product.name == product.name)
        .order_by(Activation.id)
    )
    with transaction(lake.sessions) as session:
        return [{"version": row.version, "at": row.at, "run": row.run_id} for row in session.execute(query)]


def _superseded(session: Session, product: str) -> list[Release]:
    query = (
        select(Release)
        .join(Product, Product.id == Release.product_id)
        .where(Product.name == product, Release.status == "SUPERSEDED")
        .order_by(Release.version.desc())
    )
    return list(session.scalars(query))


def _dids(session: Session, release_id: int) -> set[str]:
    query = (
        select(File.scope, File.name)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == release_id)
    )
    return {f"{row.scope}:{row.name}" for row in session.execute(query)}

"""What the catalogue knows of a thing that has a DOI, gathered for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lake.catalogue.dois import Doi
from lake.catalogue.models import Observation, Product, Release
from lake.governance.doi.states import State
from lake.names import ProductKey, version_token


@dataclass(frozen=True)
class Facts:
    """A release, or ( `version` is None) a product as all of its releases together.

    Parameters
    ----------
    product
        Whose.
    version
        Of the release.
    date_beg, date_end
        Of the observations.
    files, bytes
        How much it is; of a product, that of its ACTIVE release.
    published
        When it was made; of a product, when its first release was.
    free_at
        When its embargo ends or ended; None where there never was one. Of a product, the first such time.
    withdrawn
        Whether it was withdrawn; of a product, whether all of its releases were.
    recipe
        What it was made with.
    relations
        DataCite's word for each, and the DOI of the other.
    """

    product: ProductKey
    version: int | None
    date_beg: datetime | None
    date_end: datetime | None
    files: int
    bytes: int
    published: datetime | None
    free_at: datetime | None
    withdrawn: bool
    recipe: str
    relations: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """`scope:observation.l1@v0001`, or without version."""
        return self.product.name if self.version is None else release_did(self.product, self.version)


def release_did(product: ProductKey, version: int) -> str:
    """What people call a release."""
    return f"{product.name}@{version_token(version)}"


def facts_of(session: Session, dois: Sequence[Doi]) -> dict[int, Facts]:
    """What is known of the things these DOIs stand for, by id of the DOI; three questions, however many."""
    products = {one.product_id for one in dois}
    keys = _keys(session, products)
    releases = _releases(session, products)
    others = _others(session, products, {one.prefix for one in dois})
    known: dict[int, Facts] = {}
    for doi in dois:
        siblings = releases[doi.product_id]
        relations = related(doi, others[doi.product_id], {one.id: one.version for one in siblings})
        chosen = siblings if doi.release_id is None else [one for one in siblings if one.id == doi.release_id]
        known[doi.id] = summed(keys[doi.product_id], chosen, relations, concept=doi.release_id is None)
    return known


def summed(
    product: ProductKey,
    releases: Sequence[Release],
    relations: Iterable[tuple[str, str]] = (),
    *,
    concept: bool,
) -> Facts:
    """One release, or all releases of a product, as one thing."""
    measured = [one for one in releases if one.status == "ACTIVE"] or releases
    free = [one.embargo_until for one in releases if one.status != "WITHDRAWN"] or [None]
    recipes = {f"{one.recipe} version {one.recipe_version}" for one in releases if one.recipe}
    ends = [end for one in releases if (end := one.date_end or one.date_beg) is not None]
    return Facts(
        product=product,
        version=None if concept else releases[0].version,
        date_beg=min((one.date_beg for one in releases if one.date_beg is not None), default=None),
        date_end=max(ends, default=None),
        files=measured[-1].files,
        bytes=measured[-1].bytes,
        published=min((one.published for one in releases if one.published is not None), default=None),
        free_at=None if None in free else min(one for one in free if one is not None),
        withdrawn=all(one.status == "WITHDRAWN" for one in releases),
        recipe=recipes.pop() if len(recipes) == 1 else "",
        relations=tuple(relations),
    )


def related(doi: Doi, siblings: Sequence[Doi], versions: dict[int, int]) -> list[tuple[str, str]]:
    """How a DOI is related to the others of its product; drafts are left out, for they do not resolve.

    Parameters
    ----------
    doi
        Which.
    siblings
        All of its product, itself included.
    versions
        Version of each release, by its id.
    """
    shared = [one for one in siblings if one.id != doi.id and one.asked != State.DRAFT]
    several = {versions[one.release_id]: one.doi for one in shared if one.release_id is not None}
    if doi.release_id is None:
        return [("HasVersion", several[version]) for version in sorted(several)]
    here = versions[doi.release_id]
    relations = [("IsVersionOf", one.doi) for one in shared if one.release_id is None]
    before = max((version for version in several if version < here), default=None)
    after = min((version for version in several if version > here), default=None)
    if before is not None:
        relations.append(("IsNewVersionOf", several[before]))
    if after is not None:
        relations.append(("IsPreviousVersionOf", several[after]))
    return relations


def _keys(session: Session, products: Iterable[int]) -> dict[int, ProductKey]:
    query = (
        select(Product.id, Observation.scope, Observation.name, Product.level)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Product.id.in_(products))
    )
    return {row.id: ProductKey(row.scope, row.name, row.level) for row in session.execute(query)}


def _releases(session: Session, products: Iterable[int]) -> dict[int, list[Release]]:
    query = select(Release).where(Release.product_id.in_(products), Release.status != "DRAFT")
    found: dict[int, list[Release]] = defaultdict(list)
    for release in session.scalars(query.order_by(Release.version)):
        found[release.product_id].append(release)
    return found


def _others(session: Session, products: Iterable[int], prefixes: Iterable[str]) -> dict[int, list[Doi]]:
    found: dict[int, list[Doi]] = defaultdict(list)
    query = select(Doi).where(Doi.product_id.in_(products), Doi.prefix.in_(prefixes))
    for doi in session.scalars(query.order_by(Doi.id)):
        found[doi.product_id].append(doi)
    return found

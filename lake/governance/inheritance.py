"""Under which embargo a release is: the strictest of what was decided about it and of what it was made of.

The terms in the row of a release are settled here and nowhere else: when it is published, and again for all
that descends from something about which a person decided. Both happen under one lock of the database, so that
an embargo set in the middle of a publication reaches it, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, String, and_, cast, func, or_, select, text, tuple_
from sqlalchemy.orm import Session

from lake.catalogue.models import Embargo, File, Observation, Product, Reference, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.governance.policy import Terms, strictest
from lake.lake import Lake
from lake.rucio.client import batches

_LOCK = 7_201_955_023  # not the one of the audit trail
_MANY = 500


@dataclass(frozen=True)
class Settled:
    """A release whose terms changed, with those before and now."""

    release: str
    scope: str
    dataset: str
    status: str
    before: Terms
    now: Terms


def share_lock(session: Session) -> None:
    """Wait for decisions that are being carried out; further ones wait for this transaction."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})


def take_lock(session: Session) -> None:
    """Wait for all that is being published or decided; more of it waits until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def settle(session: Session, releases: Iterable[int]) -> list[Settled]:
    """Give releases, and all that was made of them, the terms that hold now.

    Parameters
    ----------
    session
        Of the caller, who holds the lock.
    releases
        Rows whose terms may have changed.

    Returns
    -------
    list of Settled
        Those whose terms did change.
    """
    at = session.scalars(select(func.now())).one()
    changed: dict[int, Settled] = {}
    waiting = set(releases)
    while waiting:
        told: set[int] = set()
        for several in batches(sorted(waiting), _MANY):
            told |= _settle_some(session, several, at, changed)
        waiting = set(_descendants(session, told))
    return list(changed.values())


def settle_new(session: Session, release: Release) -> None:
    """Give a release that is being published the terms that hold now; nothing was made of it yet."""
    at = session.scalars(select(func.now())).one()
    release.embargo_until, release.embargo_holders = strictest(_sources(session, release), at)


def of_inputs(lake: Lake, releases: Collection[str], references: Collection[str] = ()) -> Terms:
    """The embargo that would hold now for something made of all of these.

    Parameters
    ----------
    lake
        The lake.
    releases
        By name, ``PRODUCT@vNNNN``.
    references
        By DID.
    """
    with transaction(lake.sessions) as session:
        at = session.scalars(select(func.now())).one()
        until, holders = strictest(_of_inputs(session, releases, references), at)
    return Terms("DRAFT", until, holders)


def descendants(session: Session, releases: Collection[int]) -> list[int]:
    """Releases that were made of others, of those in turn, and so on; later versions as such are none."""
    found: set[int] = set()
    waiting = set(releases)
    while waiting:
        waiting = set(_made_of(session, waiting)) - found - set(releases)
        found |= waiting
    return sorted(found)


def decided(session: Session, observation: int) -> list[Embargo]:
    """The decisions about an observation that hold: those of people, else the instrument's default.

    The default gives way to what people decided about the observation, to what lifts, and to an embargo that
    reaches as far. One that ends before it, perhaps long ago, does not set it aside.
    """
    own = session.scalars(
        select(Embargo)
        .join(Observation, (Observation.scope == Embargo.scope) & (Observation.name == Embargo.observation))
        .where(Observation.id == observation, Embargo.key == "")
        .order_by(Embargo.id.desc())
        .limit(1)
    ).one_or_none()
    by_value = list(session.scalars(_decided_by_value(observation)))
    if own is None or (own.by_default and any(_sets_aside(one, own) for one in by_value)):
        return by_value
    return [own, *by_value]


def _sets_aside(decision: Embargo, default: Embargo) -> bool:
    if decision.lifts or decision.until is None or default.until is None:
        return True
    return decision.until >= default.until


def _decided_by_value(observation: int) -> Select[tuple[Embargo]]:
    """The last decision about each searchable value that an observation has."""
    last = (
        select(func.max(Embargo.id))
        .where(Embargo.key != "")
        .group_by(Embargo.scope, Embargo.key, cast(Embargo.value, String))
    )
    # A person who types 12 means the number and the text alike: headers have either.
    as_text = func.to_jsonb(Embargo.value.op("#>>")(text("'{}'::text[]")))
    forms = [form for value in (Embargo.value, as_text) for form in (value, func.jsonb_build_array(value))]
    has = or_(*(Observation.meta.contains(func.jsonb_build_object(Embargo.key, form)) for form in forms))
    return (
        select(Embargo)
        .join(Observation, and_(or_(Embargo.scope == "", Embargo.scope == Observation.scope), has))
        .where(Observation.id == observation, Embargo.id.in_(last))
    )


def _settle_some(
    session: Session, releases: Collection[int], at: datetime, changed: dict[int, Settled]
) -> set[int]:
    """Settle some releases; gives back which of them changed."""
    query = (
        select(Release, Product.name)
        .join(Product, Product.id == Release.product_id)
        .where(Release.id.in_(releases), Release.status != "DRAFT")
        # What is made of something is younger: one pass settles most.
        .order_by(Release.published, Release.id)
        .with_for_update(of=Release)
    )
    told = set()
    for release, product in session.execute(query).all():
        before = terms_of(release)
        until, holders = strictest(_sources(session, release), at)
        over = before.embargo_until is not None and before.embargo_until <= at
        if (until, holders) == (before.embargo_until, before.embargo_holders) or (until is None and over):
            continue
        release.embargo_until, release.embargo_holders = until, holders
        session.flush()
        told.add(release.id)
        name = f"{product}@v{release.version:04d}"
        first = changed[release.id].before if release.id in changed else before
        changed[release.id] = Settled(
            name, release.scope, release.dataset, release.status, first, terms_of(release)
        )
    return told


def terms_of(release: Release) -> Terms:
    """What of a row decides, as it is now."""
    return Terms(release.status, release.embargo_until, list(release.embargo_holders), release.scope)


def _sources(session: Session, release: Release) -> Iterator[Terms]:
    """All whose embargo a release inherits: decisions, its inputs, its references, the version before it."""
    observation = session.scalars(
        select(Product.observation_id).where(Product.id == release.product_id)
    ).one()
    for one in decided(session, observation):
        yield _terms(one)
    yield from _of_inputs(session, release.parents, release.refs)
    before = version_before(session, release)
    if before is not None:
        yield terms_of(before)


def version_before(session: Session, release: Release) -> Release | None:
    """The published version of the same product that a release follows; None where it is the first."""
    return session.scalar(
        select(Release)
        .where(
            Release.product_id == release.product_id,
            Release.version < release.version,
            Release.status != "DRAFT",
        )
        .order_by(Release.version.desc())
        .limit(1)
    )


def _of_inputs(session: Session, releases: Collection[str], references: Collection[str]) -> Iterator[Terms]:
    """The terms of releases, of what references were made of, and decisions about the references."""
    parents = set(releases)
    if references:
        for reference in session.scalars(select(Reference).where(Reference.did.in_(references))):
            parents |= set(reference.parents)
        for kept_in in set(session.scalars(_observations_of(references))):
            yield from (_terms(one) for one in decided(session, kept_in))
    for several in batches(sorted(_keys(parents)), _MANY):
        named = select(Release).join(Product).where(tuple_(Product.name, Release.version).in_(several))
        yield from (terms_of(one) for one in session.scalars(named))


def _observations_of(dids: Iterable[str]) -> Select[tuple[int]]:
    """The observations that reference files are kept in."""
    split = [tuple(did.split(":", 1)) for did in dids]
    return (
        select(Product.observation_id)
        .join(Release, Release.product_id == Product.id)
        .join(ReleaseFile, ReleaseFile.release_id == Release.id)
        .join(File, File.id == ReleaseFile.file_id)
        .where(tuple_(File.scope, File.name).in_(split))
        .distinct()
    )


def _terms(decision: Embargo) -> Terms:
    return Terms("ACTIVE", decision.until, list(decision.holders), decision.scope)


def _keys(releases: Iterable[str]) -> Iterator[tuple[str, int]]:
    for name, _, version in (one.rpartition("@v") for one in releases):
        if version.isdecimal():
            yield name, int(version)


def _descendants(session: Session, releases: Collection[int]) -> Iterator[int]:
    """Releases that inherit from others at once."""
    yield from _made_of(session, releases)
    for several in batches(sorted(releases), _MANY):
        before = (
            select(Release.product_id, func.min(Release.version).label("version"))
            .where(Release.id.in_(several))
            .group_by(Release.product_id)
            .subquery()
        )
        yield from session.scalars(
            select(Release.id).join(
                before,
                and_(Release.product_id == before.c.product_id, Release.version > before.c.version),
            )
        )


def _made_of(session: Session, releases: Collection[int]) -> Iterator[int]:
    """Releases that others are inputs of, or references made of others."""
    for several in batches(sorted(releases), _MANY):
        rows = session.execute(
            select(Product.name, Release.version)
            .join(Product, Product.id == Release.product_id)
            .where(Release.id.in_(several))
        )
        names = [f"{name}@v{version:04d}" for name, version in rows]
        yield from session.scalars(select(Release.id).where(Release.parents.overlap(names)))
        dids = list(session.scalars(select(Reference.did).where(Reference.parents.overlap(names))))
        dids += list(session.scalars(_reference_files(several)))
        if dids:
            yield from session.scalars(select(Release.id).where(Release.refs.overlap(dids)))


def _reference_files(releases: Collection[int]) -> Select[tuple[str]]:
    """DIDs of references among the files of releases."""
    return (
        select(Reference.did)
        .join(File, func.concat(File.scope, ":", File.name) == Reference.did)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id.in_(releases))
    )

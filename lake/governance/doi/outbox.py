"""What is decided of DOIs, and that their registry has to be told: both in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lake.catalogue.dois import Doi, DoiOutbox
from lake.catalogue.models import Release
from lake.governance.doi.registry import Registry
from lake.governance.doi.states import State

_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Digits and letters that nobody takes for another: neither i, l, o nor u."""
_LENGTH: Final = 12


def doi_of(registry: Registry, name: str) -> str:
    """The DOI of a release or product: opaque, and the same however often it is asked for.

    Nothing of the name can be read from it. A catalogue that was set back to an earlier day gives the same
    DOI again, so that the registry never has two for one thing.

    Parameters
    ----------
    registry
        Its prefix and namespace.
    name
        `scope:observation.l1@v0001`, or a product's name.
    """
    number = int.from_bytes(hashlib.sha256(f"{registry.namespace}\n{name}".encode()).digest()[:8])
    letters = "".join(_LETTERS[number >> 5 * place & 31] for place in range(_LENGTH))
    return f"{registry.prefix}/{'-'.join(letters[start : start + 4] for start in range(0, _LENGTH, 4))}"


def find(session: Session, prefix: str, product_id: int, release_id: int | None) -> Doi | None:
    """The DOI of a release, or (None) of a product; locked against others who decide about it."""
    query = select(Doi).where(Doi.prefix == prefix, Doi.product_id == product_id)
    query = query.where(Doi.release_id.is_(None) if release_id is None else Doi.release_id == release_id)
    return session.scalar(query.with_for_update(key_share=True))


def decide(
    session: Session, registry: Registry, name: str, product_id: int, release_id: int | None
) -> tuple[Doi, bool]:
    """The DOI of a release or product, decided now where there is none yet; and whether it was."""
    made = session.scalar(
        insert(Doi)
        .values(
            doi=doi_of(registry, name),
            prefix=registry.prefix,
            product_id=product_id,
            release_id=release_id,
            asked=State.DRAFT.value,
        )
        .on_conflict_do_nothing()
        .returning(Doi.id)
    )
    found = find(session, registry.prefix, product_id, release_id)
    if found is None:  # 60 bits of a hash: it has to be another lake's, or a release renamed by hand
        raise RuntimeError(f"{doi_of(registry, name)} is the DOI of something else than {name}")
    return found, made is not None


def note(session: Session, product_id: int, because: str, prefix: str | None = None) -> None:
    """All DOIs of a product have to be looked at: what is said of one names the others.

    Parameters
    ----------
    session
        The transaction of the change.
    product_id
        Whose.
    because
        What changed.
    prefix
        Only of those under it.
    """
    query = select(Doi.id).where(Doi.product_id == product_id)
    if prefix is not None:
        query = query.where(Doi.prefix == prefix)
    session.add_all(DoiOutbox(doi_id=one, because=because) for one in session.scalars(query))


def withdrawn(session: Session, release_ids: Sequence[int], reason: str = "") -> None:
    """DOIs of releases that are withdrawn get tombstones, in the transaction that withdraws them.

    A DOI is never taken away. One that was findable is hidden, and says why; a draft is seen by nobody and
    stays one. The concept DOI of a product gets a tombstone once none of its releases is left.

    Parameters
    ----------
    session
        The transaction, in which the releases are WITHDRAWN already.
    release_ids
        Which.
    reason
        Why, as people will read it.
    """
    products = set(session.scalars(select(Release.product_id).where(Release.id.in_(release_ids))))
    why = reason or "the release was withdrawn"
    for doi in session.scalars(
        select(Doi).where(Doi.release_id.in_(release_ids)).with_for_update(key_share=True)
    ):
        _bury(session, doi, why)
    for product_id in sorted(products):
        left = session.scalar(
            select(func.count())
            .select_from(Release)
            .where(Release.product_id == product_id, Release.status.in_(("ACTIVE", "SUPERSEDED")))
        )
        if not left:
            concept = select(Doi).where(Doi.product_id == product_id, Doi.release_id.is_(None))
            for doi in session.scalars(concept.with_for_update(key_share=True)):
                _bury(session, doi, f"all releases were withdrawn; the last: {why}")
        note(session, product_id, "withdrawn")


def _bury(session: Session, doi: Doi, reason: str) -> None:
    doi.tombstone = reason
    doi.hidden = doi.hidden or session.scalars(select(func.now())).one()


def open_dois(session: Session, prefix: str, only: Collection[int] | None = None) -> list[int]:
    """Ids of the DOIs whose registry has to be told something, the longest waiting first."""
    query = (
        select(Doi.id)
        .join(DoiOutbox, DoiOutbox.doi_id == Doi.id)
        .where(Doi.prefix == prefix, DoiOutbox.settled.is_(None))
        .group_by(Doi.id)
        .order_by(func.min(DoiOutbox.id))
    )
    if only is not None:
        query = query.where(Doi.id.in_(only))
    return list(session.scalars(query))


def entries(session: Session, doi_id: int) -> list[int]:
    """What a registry has to be told of a DOI: ids of the entries that can be seen now.

    Settled are these and no others: an entry with an earlier number may be committed later.
    """
    query = select(DoiOutbox.id).where(DoiOutbox.doi_id == doi_id, DoiOutbox.settled.is_(None))
    return list(session.scalars(query))


def settle(session: Session, doi: Doi, told: Sequence[int], state: State, digest: str, now: datetime) -> None:
    """The registry has confirmed a state, and metadata that hold the changes of these entries."""
    doi.known, doi.digest, doi.error, doi.confirmed = state.value, digest, "", now
    if state.public and doi.public_since is None:
        # By the clock that says when versions are begun.
        doi.public_since = session.scalars(select(func.now())).one()
    session.execute(update(DoiOutbox).where(DoiOutbox.id.in_(told)).values(settled=now))

"""What Rucio's database says of a data identifier: whether it is published, and what holds it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rucio.common.types import InternalScope
    from sqlalchemy.orm import Session


def is_closed(scope: InternalScope, name: str, session: Session) -> bool:
    """Whether it is a closed dataset or container; what is closed is published."""
    from rucio.db.sqla.constants import DIDType
    from rucio.db.sqla.models import DataIdentifier

    did = session.get(DataIdentifier, (scope, name))
    return did is not None and did.did_type != DIDType.FILE and not did.is_open


def is_file(scope: InternalScope, name: str, session: Session) -> bool:
    """Whether it is a file, into which others could be put as into an archive."""
    from rucio.db.sqla.constants import DIDType
    from rucio.db.sqla.models import DataIdentifier

    did = session.get(DataIdentifier, (scope, name))
    return did is not None and did.did_type == DIDType.FILE


def is_protected(scope: InternalScope, name: str, session: Session) -> bool:
    """Whether something is closed, lies in something closed, or holds something closed however deep."""
    if is_closed(scope, name, session):
        return True
    return _lies_in_closed(scope, name, session) or _holds_closed(scope, name, session)


def closed_children(scope: InternalScope, dids: Iterable[Mapping[str, Any]], session: Session) -> list[str]:
    """Those closed collections among some that are of a scope: the releases of an observation."""
    return [
        str(did["name"])
        for did in dids
        if did["scope"] == scope and is_closed(did["scope"], did["name"], session)
    ]


def expiring(scope: InternalScope, name: str, session: Session) -> str | None:
    """The name of something that expires: the collection itself, or one of those in it."""
    from rucio.db.sqla.models import DataIdentifier, DataIdentifierAssociation
    from sqlalchemy import and_, select

    own = session.get(DataIdentifier, (scope, name))
    if own is not None and own.expired_at is not None:
        return name
    link, did = DataIdentifierAssociation, DataIdentifier
    query = (
        select(did.name)
        .join(link, and_(did.scope == link.child_scope, did.name == link.child_name))
        .where(link.scope == scope, link.name == name, did.expired_at.is_not(None))
        .limit(1)
    )
    return session.scalar(query)


def is_locked(rule_id: str, session: Session) -> bool:
    """Whether a rule is locked; those that protect releases are."""
    from rucio.db.sqla.models import ReplicationRule

    rule = session.get(ReplicationRule, rule_id)
    return rule is not None and bool(rule.locked)


def deleted_otherwise(dids: Collection[Mapping[str, Any]], session: Session) -> str | None:
    """The first name that stood for something else: a closed collection, or a file of other bytes.

    Rucio remembers what it deleted where its option `[deletion] archive_dids` is set.
    """
    from rucio.db.sqla.constants import DIDType
    from rucio.db.sqla.models import DeletedDataIdentifier as Deleted
    from sqlalchemy import select, tuple_

    scopes = {did["scope"] for did in dids}
    if session.execute(select(Deleted.name).where(Deleted.scope.in_(scopes)).limit(1)).first() is None:
        return None  # as nearly always, and much sooner known
    wanted = {(did["scope"], did["name"]): did for did in dids}
    place = tuple_(Deleted.scope, Deleted.name)
    for gone in session.scalars(select(Deleted).where(place.in_(list(wanted)))):
        did = wanted[gone.scope, gone.name]
        if gone.did_type == DIDType.FILE:
            same = gone.bytes == did.get("bytes") and gone.adler32 == did.get("adler32")
        else:
            same = bool(gone.is_open)
        if not same:
            return f"{gone.scope.external}:{gone.name}"
    return None


def without_another_copy(replicas: Iterable[tuple[Any, str, str]], session: Session) -> str | None:
    """The first published file among replicas (scope, name, storage element) that has no other good copy."""
    from rucio.db.sqla.constants import ReplicaState
    from rucio.db.sqla.models import RSEFileAssociation as Found
    from sqlalchemy import select

    places: dict[tuple[Any, str], set[str]] = {}
    for scope, name, rse_id in replicas:
        places.setdefault((scope, name), set()).add(rse_id)
    for (scope, name), declared in places.items():
        elsewhere = select(Found.rse_id).where(
            Found.scope == scope,
            Found.name == name,
            Found.state == ReplicaState.AVAILABLE,
            Found.rse_id.not_in(declared),
        )
        if is_protected(scope, name, session) and session.execute(elsewhere.limit(1)).first() is None:
            return f"{scope.external}:{name}"
    return None


def _lies_in_closed(scope: InternalScope, name: str, session: Session) -> bool:
    from rucio.db.sqla.models import DataIdentifier, DataIdentifierAssociation
    from sqlalchemy import and_, or_, select

    link, did = DataIdentifierAssociation, DataIdentifier
    query = (
        select(did.name)
        .join(link, and_(did.scope == link.scope, did.name == link.name))
        .where(link.child_scope == scope, link.child_name == name)
        .where(or_(did.is_open.is_(False), did.is_open.is_(None)))
    )
    return session.execute(query.limit(1)).first() is not None


def _holds_closed(scope: InternalScope, name: str, session: Session) -> bool:
    from rucio.db.sqla.constants import DIDType
    from rucio.db.sqla.models import DataIdentifier, DataIdentifierAssociation
    from sqlalchemy import and_, or_, select

    link, did = DataIdentifierAssociation, DataIdentifier
    here = select(link.child_scope, link.child_name).where(link.scope == scope, link.name == name)
    below = here.where(link.child_type != DIDType.FILE).cte("below", recursive=True)
    deeper = select(link.child_scope, link.child_name).join(
        below, and_(link.scope == below.c.child_scope, link.name == below.c.child_name)
    )
    below = below.union(deeper.where(link.child_type != DIDType.FILE))
    query = (
        select(did.name)
        .join(below, and_(did.scope == below.c.child_scope, did.name == below.c.child_name))
        .where(or_(did.is_open.is_(False), did.is_open.is_(None)))
    )
    return session.execute(query.limit(1)).first() is not None

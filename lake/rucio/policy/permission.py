"""Which changes are refused, even to root.

Rucio enforces neither immutability nor retention: a closed dataset can be reopened or lose
files, and an expired or unlocked one is deleted with its DOI. Each function below decides one
action Rucio asks about; actions that are not listed fall back to Rucio's generic policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rucio.common.types import InternalAccount, InternalScope
    from rucio.core.permission import PermissionResult
    from sqlalchemy.orm import Session

SERVICE_ATTRIBUTE = "heliolake-service"
"""Account attribute (value ``true``) of service accounts other than root."""

FATAL_METADATA = frozenset({"lifetime", "expired_at", "eol_at", "guid"})
"""Metadata that make a data identifier vanish, or be taken for another."""

HARMLESS_RULE_OPTIONS = frozenset({"comment", "priority", "activity", "boost_rule"})
"""What may be changed on a locked rule; everything else can end its protection."""

Answer = str | None
"""Why something is refused; None leaves the decision to the generic policy."""


def has_permission(
    issuer: InternalAccount, action: str, kwargs: dict[str, Any], session: Session
) -> PermissionResult | None:
    """Rucio's entry point.

    Parameters
    ----------
    issuer
        The account that asks.
    action
        Name of the action.
    kwargs
        What it is about; depends on the action.
    session
        Session of Rucio's database.

    Returns
    -------
    PermissionResult or None
        A refusal or a permission; None falls back to the generic policy.
    """
    # Rucio imports this module while it loads the one that defines the class.
    from rucio.core.permission import PermissionResult

    try:
        if action in _SERVICE_ACTIONS and is_service(issuer, session):
            return PermissionResult(True)
        check = _CHECKS.get(action)
        reason = check(issuer, kwargs, session) if check else None
    except TypeError as error:
        # Rucio takes a TypeError for "no opinion" and would ask its permissive generic policy.
        return PermissionResult(False, f"The policy could not judge {action}: {error}")
    return PermissionResult(False, reason) if reason else None


def is_service(issuer: InternalAccount, session: Session) -> bool:
    """Whether an account is the service itself: root, or one with our attribute."""
    from rucio.core.account import has_account_attribute

    return issuer.external == "root" or bool(
        has_account_attribute(account=issuer, key=SERVICE_ATTRIBUTE, session=session)
    )


def _detach(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    if _is_closed(kwargs["scope"], kwargs["name"], session):
        return "It is closed: nothing is detached from a closed collection."
    return None


def _set_status(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    from rucio.db.sqla.models import DataIdentifier

    # Rucio does not tell us which status is asked for; of a closed collection no status ever changes.
    if _is_closed(kwargs["scope"], kwargs["name"], session):
        return "It is closed: a closed collection is never opened again."
    did = session.get(DataIdentifier, (kwargs["scope"], kwargs["name"]))
    if did is not None and did.expired_at is not None:
        return "It expires: take its lifetime away before closing it."
    return None


def _set_metadata(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    keys = {kwargs["key"]} if "key" in kwargs else set(kwargs["meta"])
    fatal = sorted(keys & FATAL_METADATA)
    if fatal and _is_protected(kwargs["scope"], kwargs["name"], session):
        return f"It is closed, or part of something closed: {', '.join(fatal)} stays as it is."
    return None


def _locked_rule(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    if _is_locked(kwargs["rule_id"], session):
        return "The rule is locked: it protects a release."
    return None


def _update_rule(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    forbidden = sorted(set(kwargs["options"]) - HARMLESS_RULE_OPTIONS)
    if forbidden and _is_locked(kwargs["rule_id"], session):
        return f"The rule is locked, it protects a release: {', '.join(forbidden)} cannot be changed."
    return None


def _update_opendata(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    from rucio.core.opendata import get_opendata_doi
    from rucio.db.sqla.constants import OpenDataDIDState
    from rucio.db.sqla.models import OpenDataDid

    wanted = kwargs.get("doi")
    entry = session.get(OpenDataDid, (kwargs["scope"], kwargs["name"]))
    if wanted is None or entry is None or entry.state == OpenDataDIDState.DRAFT:
        return None
    present = get_opendata_doi(scope=kwargs["scope"], name=kwargs["name"], session=session)
    if present is not None and present != wanted:
        return f"It has been public with the DOI {present}, which stays."
    return None


def _never(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    return "Replicas are deleted by the daemons, when no rule holds them, and in no other way."


def _service_only(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    return None if is_service(issuer, session) else "Only the service account may do this."


_CHECKS: dict[str, Callable[[InternalAccount, Mapping[str, Any], Session], Answer]] = {
    "detach_dids": _detach,
    "set_status": _set_status,
    "set_metadata": _set_metadata,
    "set_metadata_bulk": _set_metadata,
    "del_rule": _locked_rule,
    "move_rule": _locked_rule,
    "reduce_rule": _locked_rule,
    "approve_rule": _locked_rule,
    "update_rule": _update_rule,
    "update_opendata_did": _update_opendata,
    "delete_replicas": _never,
    "declare_suspicious_file_replicas": _service_only,
    "set_tombstone": _service_only,
}

_SERVICE_ACTIONS = frozenset(
    {"add_replicas", "update_replicas_states", "declare_bad_file_replicas", "add_bad_pfns"}
)
"""What a service account may do although the generic policy keeps it for root or for certain names."""


def _is_closed(scope: InternalScope, name: str, session: Session) -> bool:
    from rucio.db.sqla.constants import DIDType
    from rucio.db.sqla.models import DataIdentifier

    did = session.get(DataIdentifier, (scope, name))
    return did is not None and did.did_type != DIDType.FILE and not did.is_open


def _is_protected(scope: InternalScope, name: str, session: Session) -> bool:
    """Whether something is closed, lies in something closed, or holds something closed."""
    from rucio.db.sqla.constants import DIDType
    from rucio.db.sqla.models import DataIdentifier, DataIdentifierAssociation
    from sqlalchemy import and_, or_, select

    if _is_closed(scope, name, session):
        return True
    link, did = DataIdentifierAssociation, DataIdentifier
    is_parent = and_(did.scope == link.scope, did.name == link.name)
    is_child = and_(did.scope == link.child_scope, did.name == link.child_name)
    closed = and_(did.did_type != DIDType.FILE, or_(did.is_open.is_(False), did.is_open.is_(None)))
    parents = select(did.name).join(link, is_parent).where(link.child_scope == scope, link.child_name == name)
    children = select(did.name).join(link, is_child).where(link.scope == scope, link.name == name)
    return any(session.execute(query.where(closed).limit(1)).first() for query in (parents, children))


def _is_locked(rule_id: str, session: Session) -> bool:
    from rucio.db.sqla.models import ReplicationRule

    rule = session.get(ReplicationRule, rule_id)
    return rule is not None and bool(rule.locked)

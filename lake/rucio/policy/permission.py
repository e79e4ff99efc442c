"""Which changes are refused, even to root.

Rucio enforces neither immutability nor retention: a closed dataset can be reopened or lose
files, and an expired or unlocked one is deleted with its DOI. Each function below decides one
action Rucio asks about; actions that are not listed fall back to Rucio's generic policy.

Published is what is closed, and the files in it. Nothing of ours needs an exception: drafts are
open until they are published, `fsck --repair` and `restore` call replicas good and add locked
rules, and a withdrawn release stays in Rucio as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lake.rucio.policy import asked, published

if TYPE_CHECKING:
    from rucio.common.types import InternalAccount
    from rucio.core.permission import PermissionResult
    from sqlalchemy.orm import Session

SERVICE_ATTRIBUTE = "heliolake-service"
"""Account attribute (value ``true``) of service accounts other than root."""

FIXED_METADATA = frozenset(
    {
        *("lifetime", "expired_at", "eol_at", "purge_replicas", "transient"),  # it vanishes
        *(
            "guid",
            "events",
            "version",
            "datatype",
            "provenance",
            "closed_at",
        ),  # it is taken for something else
        *("hidden", "suppressed", "is_archive", "constituent"),  # it is found no more, or elsewhere
    }
)
"""Metadata that decide what something is and how long; labels for searching may change."""

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
        check = _CHECKS.get(action)
        reason = check(issuer, kwargs, session) if check else None
        if not reason and action in _SERVICE_ACTIONS and is_service(issuer, session):
            return PermissionResult(True)
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


def _add(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    given = _given(kwargs)
    for one in given:
        reason = _register(issuer, one, session)
        if reason:
            return reason
    return _former(given, session)


def _given(kwargs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is to be added, with all the request says of it, which Rucio passes on in part only."""
    asking = asked.body()
    if "dids" not in kwargs:
        return [{**asking, **kwargs}]
    files = {(one["scope"], one["name"]): one for one in asking.get("files") or ()}
    return [{**files.get((did["scope"].external, did["name"]), {}), **did} for did in kwargs["dids"]]


def _attach(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    attachments = kwargs.get("attachments") or [{**kwargs["attachment"], **kwargs}]
    for one in attachments:
        if published.is_file(one["scope"], one["name"], session):
            return "It is a file: files are put into datasets, not into each other."
        reason = _register(issuer, one, session)
        if reason:
            return reason
    return None


def _register(issuer: InternalAccount, one: Mapping[str, Any], session: Session) -> Answer:
    """Files attached with a storage element are made, with replicas; Rucio itself asks nobody about it."""
    rse = one.get("rse") or one.get("rse_id")
    if rse is None:
        return None
    files = [{**did, "scope": _internal(issuer, did["scope"])} for did in one.get("dids") or ()]
    if not (is_service(issuer, session) or _may_register(issuer, rse, files, session)):
        return f"Only the service account may register files on {rse}."
    return _former(files, session)


def _may_register(issuer: InternalAccount, rse: str, files: list[dict[str, Any]], session: Session) -> bool:
    """Whether the generic policy would let somebody do the same in two steps."""
    from rucio.core.permission import generic

    return bool(
        generic.perm_add_replicas(issuer, {"rse": rse}, session=session)
        and generic.perm_add_dids(issuer, {"dids": files}, session=session)
    )


def _former(dids: Iterable[Mapping[str, Any]], session: Session) -> Answer:
    former = published.deleted_otherwise(list(dids), session)
    return f"{former} was something else before it was deleted: a name stands for the same for ever." * bool(
        former
    )


def _sample(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    name = asked.in_path("output_name") or asked.body().get("output_name")
    return _former([{"scope": kwargs["scope"], "name": name}], session)


def _detach(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    if published.is_closed(kwargs["scope"], kwargs["name"], session):
        return "It is closed: nothing is detached from a closed collection."
    releases = published.closed_children(kwargs["scope"], kwargs["dids"], session)
    if releases:
        return f"{', '.join(releases)} is closed: a release stays in its observation."
    return None


def _set_status(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    # Rucio does not tell us which status is asked for; of a closed collection no status ever changes.
    if published.is_closed(kwargs["scope"], kwargs["name"], session):
        return "It is closed: a closed collection is never opened again."
    expiring = published.expiring(kwargs["scope"], kwargs["name"], session)
    return f"{expiring} expires: take its lifetime away before closing." if expiring else None


def _set_metadata(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    keys = {kwargs["key"]} if "key" in kwargs else set(kwargs["meta"])
    fixed = sorted(keys & FIXED_METADATA)
    if fixed and published.is_protected(kwargs["scope"], kwargs["name"], session):
        return f"It is closed, or part of something closed: {', '.join(fixed)} stays as it is."
    return None


def _locked_rule(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    if published.is_locked(kwargs["rule_id"], session):
        return "The rule is locked: it protects a release."
    return None


def _update_rule(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    forbidden = sorted(set(kwargs["options"]) - HARMLESS_RULE_OPTIONS)
    if forbidden and published.is_locked(kwargs["rule_id"], session):
        return f"The rule is locked, it protects a release: {', '.join(forbidden)} cannot be changed."
    return None


def _update_opendata(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    from rucio.core.opendata import get_opendata_doi, get_opendata_record_id
    from rucio.db.sqla.constants import OpenDataDIDState
    from rucio.db.sqla.models import OpenDataDid

    entry = session.get(OpenDataDid, (kwargs["scope"], kwargs["name"]))
    if entry is not None and entry.state != OpenDataDIDState.DRAFT:
        place = {"scope": kwargs["scope"], "name": kwargs["name"], "session": session}
        for key, get in (("doi", get_opendata_doi), ("record_id", get_opendata_record_id)):
            wanted, present = kwargs.get(key), get(**place) if kwargs.get(key) is not None else None
            if present is not None and str(present) != str(wanted):
                return f"It has been public with the {key} {present}, which stays."
    return _service_only(issuer, kwargs, session)


def _remove_opendata(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    from rucio.core.opendata import get_opendata_doi

    doi = get_opendata_doi(scope=kwargs["scope"], name=kwargs["name"], session=session)
    if doi is not None and published.is_closed(kwargs["scope"], kwargs["name"], session):
        return f"It is closed and has the DOI {doi}: it stays in the catalogue of open data."
    return _service_only(issuer, kwargs, session)


def _declare_bad(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    if not is_service(issuer, session):
        return _service_only(issuer, kwargs, session)
    asking = asked.body()
    replicas = asking.get("replicas") or asking.get("pfns") or asking.get("dids") or ()
    if not replicas or not all(
        isinstance(one, Mapping) and {"scope", "name"} <= one.keys() for one in replicas
    ):
        return "Bad replicas are declared by scope and name, so that it is seen what they belong to."
    found = [
        (_internal(issuer, one["scope"]), str(one["name"]), _element({**asking, **one}, issuer, session))
        for one in replicas
    ]
    only = published.without_another_copy(found, session)
    # A file without any good replica is taken out of its datasets by Rucio's necromancer, closed ones too.
    return f"There is no other good copy of {only}, which is published: restore it instead." if only else None


def _declare_pfns(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    from rucio.db.sqla.constants import BadFilesStatus

    if kwargs.get("state") not in (BadFilesStatus.BAD, "BAD"):
        return "Only a storage element as a whole is made unavailable for a while."
    return _declare_bad(issuer, kwargs, session)


def _replica_states(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    for one in asked.body().get("files") or ():
        mends = one.get("state") == "A" and not one.get("path")
        if not mends and published.is_protected(_internal(issuer, one["scope"]), one["name"], session):
            return f"{one['scope']}:{one['name']} is published: its replicas can only be called available."
    return None


def _tombstone(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    for one in asked.body().get("replicas") or ():
        if published.is_protected(_internal(issuer, one["scope"]), one["name"], session):
            return f"{one['scope']}:{one['name']} is published: its replicas are never deleted."
    return _service_only(issuer, kwargs, session)


def _account(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    """Nobody but the service makes an account the service's, or takes one of its accounts over."""
    from rucio.common.types import InternalAccount

    concerned = kwargs.get("account") or InternalAccount(asked.in_path("account"), vo=issuer.vo)
    if kwargs.get("key") == SERVICE_ATTRIBUTE or is_service(concerned, session):
        return _service_only(issuer, kwargs, session)
    return None


def _never(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    return "Replicas are deleted by the daemons, when no rule holds them, and in no other way."


def _service_only(issuer: InternalAccount, kwargs: Mapping[str, Any], session: Session) -> Answer:
    return None if is_service(issuer, session) else "Only the service account may do this."


def _internal(issuer: InternalAccount, scope: Any) -> Any:
    """A scope as Rucio's database knows it; some of what Rucio tells us has it as users write it."""
    from rucio.common.types import InternalScope

    return InternalScope(scope, vo=issuer.vo) if isinstance(scope, str) else scope


def _element(one: Mapping[str, Any], issuer: InternalAccount, session: Session) -> str:
    from rucio.core.rse import get_rse_id

    return str(one.get("rse_id") or get_rse_id(rse=one["rse"], vo=issuer.vo, session=session))


_CHECKS: dict[str, Callable[[InternalAccount, Mapping[str, Any], Session], Answer]] = {
    "add_did": _add,
    "add_dids": _add,
    "attach_dids": _attach,
    "attach_dids_to_dids": _attach,
    "create_did_sample": _sample,
    "detach_dids": _detach,
    "set_status": _set_status,
    "set_metadata": _set_metadata,
    "set_metadata_bulk": _set_metadata,
    "del_rule": _locked_rule,
    "move_rule": _locked_rule,
    "reduce_rule": _locked_rule,
    "approve_rule": _locked_rule,
    "update_rule": _update_rule,
    "add_opendata_did": _service_only,
    "update_opendata_did": _update_opendata,
    "delete_opendata_did": _remove_opendata,
    "delete_replicas": _never,
    "quarantine_file_replicas": _never,
    "update_replicas_states": _replica_states,
    "declare_bad_file_replicas": _declare_bad,
    "add_bad_pfns": _declare_pfns,
    "declare_suspicious_file_replicas": _service_only,
    "set_tombstone": _tombstone,
    # Rucio knows of no embargo: whom it signs for has the bytes, whatever the archive says.
    "get_signed_url": _service_only,
    "add_attribute": _account,
    "del_attribute": _account,
    "add_account_identity": _account,
    "del_account_identity": _account,
    "update_account": _account,
    "del_account": _account,
}

_SERVICE_ACTIONS = frozenset(
    {
        *("add_replicas", "update_replicas_states", "declare_bad_file_replicas", "add_bad_pfns"),
        *("add_opendata_did", "update_opendata_did", "delete_opendata_did", "set_tombstone"),
        "get_signed_url",
    }
)
"""What a service account may do although the generic policy keeps it for root or for certain names."""

"""Withdrawing a release: its record and the reason stay, its bytes are given out no more, and never again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import exists, func, select, tuple_
from sqlalchemy.orm import Session

from lake.catalogue.models import File, Product, Release, ReleaseFile, Withdrawal
from lake.catalogue.session import transaction
from lake.errors import BadInput, HeliolakeLakeError, Reason
from lake.governance import audit
from lake.governance.doi import outbox
from lake.governance.inheritance import descendants, take_lock
from lake.governance.policy import GIVEN_OUT, Action, Principal, may
from lake.lake import Lake
from lake.names import split_did, version_token
from lake.releases.pictured import drop_of_release
from lake.releases.search import resolve
from lake.rucio.client import batches
from lake.rucio.opendata import OpenDataState, mirror

_MANY = 5000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Withdrawn:
    """A release that was withdrawn.

    Parameters
    ----------
    release
        Its name.
    was
        Its status before.
    reason
        Why.
    derived
        Releases that were made of it, of those in turn, and so on; they stay as they are.
    """

    release: str
    was: str
    reason: str
    derived: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "release": self.release,
            "was": self.was,
            "reason": self.reason,
            "derived": list(self.derived),
        }


def withdraw(lake: Lake, product: str, *, reason: str, principal: Principal) -> Withdrawn:
    """Give a release out no more. There is no way back; better data are a new version.

    Parameters
    ----------
    lake
        The lake.
    product
        The release, ``PRODUCT@vNNNN``: its version has to be named.
    reason
        Why; everybody who looks for the release reads it.
    principal
        Who decides: a curator of the instrument.

    Raises
    ------
    BadInput
        When no version or reason is given, there is no such release, it is withdrawn already or not published
        yet, or the principal may not decide.
    """
    _require_words(product, reason)
    found, key = resolve(lake, product)
    name = f"{key.name}@{version_token(found.version)}"
    if not may(principal, Action.CURATE, found, datetime.now(UTC)):
        raise BadInput(
            f"{principal.shown} does not decide about {name}",
            found="no curator",
            advice=f"ask a curator of {found.scope}",
            code=Reason.NOT_ALLOWED,
        )
    with transaction(lake.sessions) as session:
        take_lock(session)
        session.get_one(Product, found.product_id, with_for_update=True)
        release = session.get_one(Release, found.id, with_for_update=True, populate_existing=True)
        was = release.status
        if was not in GIVEN_OUT:
            raise BadInput(
                f"{name} cannot be withdrawn",
                found=was,
                advice="only what is ACTIVE or SUPERSEDED can",
                code=Reason.NOT_ALLOWED,
            )
        release.status = "WITHDRAWN"
        who = principal.signature
        session.add(Withdrawal(release_id=release.id, reason=reason.strip(), withdrawn_by=who))
        derived = _derived(session, release.id)
        session.flush()
        outbox.withdrawn(session, [release.id], reason.strip())
        session.flush()  # what waits for others' rows does so before the audit trail is held
        detail = {"reason": reason.strip(), "was": was, "derived": len(derived)}
        audit.record(session, who, "withdraw", name, detail)
    drop_of_release(lake, found.id)
    try:
        mirror(lake.rucio, (found.scope, found.dataset), OpenDataState.SUSPENDED)
    except HeliolakeLakeError as error:  # `heliolake fsck` tells it
        _log.warning("%s is withdrawn; Rucio was not told: %s", name, error)
    return Withdrawn(name, was, reason.strip(), derived)


def derived_of(lake: Lake, release_id: int) -> tuple[str, ...]:
    """Releases that were made of one, of those in turn, and so on, and are given out."""
    with transaction(lake.sessions) as session:
        return _derived(session, release_id)


def _derived(session: Session, release_id: int) -> tuple[str, ...]:
    rows = session.execute(
        select(Product.name, Release.version)
        .join(Product, Product.id == Release.product_id)
        .where(Release.id.in_(descendants(session, [release_id])), Release.status.in_(GIVEN_OUT))
        .order_by(Product.name, Release.version)
    )
    return tuple(f"{one.name}@{version_token(one.version)}" for one in rows)


def withdrawn_files(lake: Lake, dids: Iterable[str]) -> dict[str, str]:
    """Of some files, those that only withdrawn releases hold; with the reason.

    They are not published again: what was withdrawn for its content would come back under another number.
    """
    with transaction(lake.sessions) as session:
        if session.scalar(select(Withdrawal.release_id).limit(1)) is None:
            return {}
    found: dict[str, str] = {}
    for batch in batches(sorted(dids), _MANY):
        found |= _withdrawn(lake, batch)
    return found


def _withdrawn(lake: Lake, dids: Collection[str]) -> dict[str, str]:
    held = (
        select(ReleaseFile.file_id)
        .join(Release, Release.id == ReleaseFile.release_id)
        .where(ReleaseFile.file_id == File.id, Release.status.in_(GIVEN_OUT))
    )
    query = (
        select(func.concat(File.scope, ":", File.name), func.max(Withdrawal.reason))
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .join(Withdrawal, Withdrawal.release_id == ReleaseFile.release_id)
        .where(tuple_(File.scope, File.name).in_([split_did(did) for did in dids]), ~exists(held))
        .group_by(File.scope, File.name)
    )
    with transaction(lake.sessions) as session:
        return {str(did): str(reason) for did, reason in session.execute(query)}


def _require_words(product: str, reason: str) -> None:
    if "@" not in product:
        raise BadInput(
            "a withdrawal is about one version",
            keyword="PRODUCT",
            found=product,
            advice="name it: PRODUCT@vNNNN; `heliolake show PRODUCT` lists the versions",
            code=Reason.BAD_NAME,
        )
    if not reason.strip() or not reason.isprintable():
        raise BadInput(
            "a withdrawal needs a reason",
            keyword="--reason",
            found="nothing" if not reason.strip() else "what cannot be printed",
            advice="say in a sentence what is wrong with it: users of the data will read it",
            code=Reason.BAD_KEYWORD,
        )

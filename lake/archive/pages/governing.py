"""Of one release, for its curators: its DOI and that of its product, and its withdrawal."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from lake.archive.asking import OfLake
from lake.archive.pages import deciding, wording
from lake.archive.pages.deciding import Sent, one
from lake.archive.pages.rendering import page, path
from lake.archive.pages.visiting import Curator, Form
from lake.archive.surroundings import surroundings_of
from lake.errors import BadInput, Fatal, Reason
from lake.governance.doi import curating
from lake.governance.doi.curating import Subject
from lake.governance.doi.facts import release_did
from lake.governance.doi.office import Office
from lake.governance.doi.reconcile import Synced, sync, undelivered
from lake.governance.doi.states import State
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.search import resolve, show
from lake.releases.withdrawal import derived_of, withdraw

router = APIRouter(prefix="/curate/releases", include_in_schema=False)

_log = logging.getLogger(__name__)
_NAMED: Final = 5
_STATES: Final = {"register": State.REGISTERED, "publish": State.FINDABLE}
_WHAT: Final = {
    "register": ("Register", "It resolves from then on, for ever: nobody can delete it or make it a draft."),
    "publish": (
        "Publish",
        "It resolves and is found from then on, for ever: nobody can delete it, only hide it with a reason.",
    ),
}


@router.get("/{product}")
def about(request: Request, lake: OfLake, principal: Curator, product: str) -> HTMLResponse:
    """What can be decided about a release."""
    return _page(request, lake, principal, product)


@router.post("/{product}/withdraw")
def withdrawal(request: Request, lake: OfLake, principal: Curator, product: str, sent: Form) -> Response:
    """Give a release out no more; asked once more before, for there is no way back."""
    name = _name(lake, product)
    try:
        if not deciding.is_sure(sent):
            return _sure_to_withdraw(request, lake, principal, name, sent)
        gone = withdraw(lake, name, reason=one(sent, "reason"), principal=principal)
    except BadInput as error:
        return _page(request, lake, principal, product, sent, error)
    made = f" What was made of it stays: {_names(gone.derived)}." if gone.derived else ""
    told = _registry_told(request, lake, undelivered(lake))
    return deciding.done(
        request, f"/curate/releases/{path(name)}", f"{gone.release} is withdrawn.{made}{told}"
    )


@router.post("/{product}/doi")
def doi(request: Request, lake: OfLake, principal: Curator, product: str, sent: Form) -> Response:
    """Draft, register, publish or hide a DOI; asked once more before it is there for ever."""
    name = _name(lake, product)
    what = one(sent, "what")
    try:
        subject = _subject(lake, name, concept=one(sent, "concept") == "yes")
        if what in _WHAT and not deciding.is_sure(sent):
            deciding.require(principal, subject.product.scope)
            title, meant = _WHAT[what]
            of = "the product in all its versions" if subject.release_id is None else name
            question = f"{title} the DOI of {of}?"
            back = f"/curate/releases/{path(name)}"
            return deciding.confirmed(request, sent, question, [meant], f"Yes, {title.lower()} it", back)
        said = _decided(request, lake, principal, subject, sent)
    except BadInput as error:
        return _page(request, lake, principal, product, sent, error)
    return deciding.done(request, f"/curate/releases/{path(name)}", said)


def _decided(request: Request, lake: Lake, principal: Principal, subject: Subject, sent: Sent) -> str:
    registering = surroundings_of(request).registering
    what = one(sent, "what")
    if registering is None:
        raise BadInput("this archive does not reach the registry of DOIs", code=Reason.NOT_ALLOWED)
    with registering() as office:
        if what == "mint":
            curating.mint(lake, office, subject, principal)
        elif what in _STATES:
            curating.raise_to(lake, office, subject, _STATES[what], principal)
        elif what == "hide":
            curating.hide(lake, office, subject, one(sent, "reason"), principal)
        else:
            raise deciding.unknown(what)
        told = _told(lake, office, curating.named_with(lake, office, subject))
        standing = curating.listing(lake, office, subject)
    return " ".join(f"{row['doi']} is {_state(row)}." for row in standing) + told


def _registry_told(request: Request, lake: Lake, dois: Collection[int]) -> str:
    """Tell the registry what a withdrawal means for DOIs; '' where it means nothing."""
    registering = surroundings_of(request).registering
    if not dois or registering is None:
        return ""
    with registering() as office:
        return _told(lake, office, dois)


def _told(lake: Lake, office: Office, dois: Collection[int]) -> str:
    """What is worth saying of how the registry took it: what it has not taken waits for `doi sync`."""
    try:
        done: Synced = sync(lake, office, only=dois)
    except Fatal as error:
        _log.warning("the registry of DOIs refuses this data centre: %s", error)
        return " The registry refuses this data centre: tell those who run it. What was decided waits."
    refused = "".join(f" Refused: {name}: {why}." for name, why in done.refused.items())
    return refused + (" The registry does not answer; it is told later." if done.silent else "")


def _sure_to_withdraw(
    request: Request, lake: Lake, principal: Principal, name: str, sent: Sent
) -> HTMLResponse:
    release, key = resolve(lake, name)
    deciding.require(principal, key.scope)
    derived = derived_of(lake, release.id)
    said = [
        "Its files are given out no more, to nobody, and never again. Better data are a new version.",
        f"Made of it, and left as they are: {_names(derived)}." if derived else "Nothing was made of it.",
        f"Everybody who looks for it reads the reason: {one(sent, 'reason')}",
    ]
    back = f"/curate/releases/{path(name)}"
    return deciding.confirmed(request, sent, f"Withdraw {name}?", said, "Yes, withdraw it", back)


def _page(
    request: Request,
    lake: Lake,
    principal: Principal,
    product: str,
    sent: Sent | None = None,
    mistake: BadInput | None = None,
) -> HTMLResponse:
    document = show(lake, product, principal, most=1)
    release = document["release"]
    name = _name(lake, product)
    return page(
        request,
        "governing.html",
        form=True,
        status=deciding.status(mistake),
        name=name,
        release=release,
        withdrawn=document["withdrawn"],
        dois=_dois(request, lake, name),
        registering=surroundings_of(request).registering is not None,
        hindrance=deciding.hindrance(principal, release["instrument"]),
        reason=one(sent or {}, "reason"),
        mistake="" if mistake is None else wording.told(mistake),
    )


def _dois(request: Request, lake: Lake, name: str) -> list[dict[str, Any]]:
    """The DOI of the release, and that of its product: with what may be done to each."""
    office = surroundings_of(request).office
    found = []
    for concept in (False, True) if office is not None else ():
        standing = curating.listing(lake, office, _subject(lake, name, concept=concept)) if office else []
        row = standing[0] if standing else None
        found.append({"concept": concept, "row": row, "state": _state(row) if row else "", "may": _may(row)})
    return found


def _may(row: dict[str, Any] | None) -> tuple[str, ...]:
    """What a curator may do to a DOI as it stands."""
    if row is None:
        return ("mint", "register", "publish")
    if row["status"] == "WITHDRAWN":
        return ()
    if row["tombstone"] is not None:
        return ("publish",)
    return {"draft": ("register", "publish"), "registered": ("publish", "hide")}.get(row["asked"], ("hide",))


def _state(row: dict[str, Any]) -> str:
    """How a DOI stands, in words."""
    if row["status"]:
        return f"{row['state']}, with a tombstone"
    waits = f", and is found from {row['findable_from'][:10]} on" if row["findable_from"] else ""
    late = ", and the registry is still to be told" if row["waiting"] else ""
    return f"{'not registered yet' if row['state'] == 'none' else row['state']}{waits}{late}"


def _subject(lake: Lake, name: str, *, concept: bool) -> Subject:
    if concept:
        return curating.of_product(lake, name.partition("@")[0])
    release, key = resolve(lake, name)
    return Subject(key, release.product_id, release.id)


def _name(lake: Lake, product: str) -> str:
    release, key = resolve(lake, product)
    return release_did(key, release.version)


def _names(releases: Collection[str]) -> str:
    more = f" and {len(releases) - _NAMED} more" if len(releases) > _NAMED else ""
    return ", ".join(list(releases)[:_NAMED]) + more

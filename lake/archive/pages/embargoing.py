"""Embargoes for curators: what is decided about something, and to set, extend and lift it with a reason."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from lake.archive.asking import OfLake
from lake.archive.pages import deciding, wording
from lake.archive.pages.deciding import Sent, one
from lake.archive.pages.rendering import page
from lake.archive.pages.visiting import Curator, Form
from lake.errors import BadInput
from lake.governance import embargo, standing
from lake.governance.embargo import Decision
from lake.governance.policy import Principal
from lake.governance.target import Target
from lake.lake import Lake

router = APIRouter(prefix="/curate/embargo", include_in_schema=False)

_SHOWN: Final = 100
_NAMED: Final = 3
_HERE: Final = "/curate/embargo"
_FIELDS: Final = ("until", "holders", "reason")


@router.get("")
def about(
    request: Request,
    lake: OfLake,
    principal: Curator,
    about: Annotated[str, Query(max_length=300)] = "",
    after: Annotated[str, Query(max_length=300)] = "",
) -> HTMLResponse:
    """What is decided about something, and what can be."""
    return _page(request, lake, principal, {"about": [about], "after": [after]})


@router.post("")
def decide(request: Request, lake: OfLake, principal: Curator, sent: Form) -> Response:
    """Set, extend or lift an embargo; before one ends, what that means is asked once more."""
    try:
        target = Target.of_text(one(sent, "about"))
        if one(sent, "what") == "lift" and not deciding.is_sure(sent):
            return _sure(request, lake, principal, target, sent)
        decision = _carried_out(lake, principal, target, sent)
    except BadInput as error:
        return _page(request, lake, principal, sent, error)
    return deciding.done(request, _place(sent), _said(decision))


def _carried_out(lake: Lake, principal: Principal, target: Target, sent: Sent) -> Decision:
    what, reason, until = one(sent, "what"), one(sent, "reason"), one(sent, "until")
    if what == "set":
        holders = one(sent, "holders").replace(",", " ").split()
        end = deciding.moment(until)
        return embargo.put(lake, target, end, reason=reason, principal=principal, holders=holders)
    if what == "extend":
        return embargo.extend(lake, target, deciding.moment(until), reason=reason, principal=principal)
    if what == "lift":
        at = deciding.moment(until) if until else None
        return embargo.lift(lake, target, reason=reason, principal=principal, at=at)
    raise deciding.unknown(what)


def _sure(request: Request, lake: Lake, principal: Principal, target: Target, sent: Sent) -> HTMLResponse:
    """Ask whether an embargo is to end; how much comes free is told before."""
    deciding.require(principal, target.scope)
    at = deciding.moment(one(sent, "until")) if one(sent, "until") else None
    told = standing.show(lake, target, principal)
    held = [row["release"] for row in told["releases"] if row["under_embargo"]]
    under = told["under_embargo"]
    rest = under - len(held[:_NAMED])
    when = f"from {at:%Y-%m-%d %H:%M} UTC on" if at else "at once"
    named = ", ".join(held[:_NAMED]) + (f" and {rest} more" if rest else "") if held else f"{under} releases"
    said = [
        f"Under embargo now: {named}." if under else "No release of it is under embargo now.",
        f"Everybody can have these files {when}, and all that was made of them alone.",
        "What somebody has downloaded then, no later embargo takes back.",
        f"Reason: {one(sent, 'reason')}",
    ]
    question = f"End the embargo of {target}?"
    return deciding.confirmed(request, sent, question, said, "Yes, end it", _place(sent))


def _page(
    request: Request, lake: Lake, principal: Principal, sent: Sent, mistake: BadInput | None = None
) -> HTMLResponse:
    told: dict[str, Any] | None = None
    scope = ""
    if one(sent, "about"):
        try:
            target = Target.of_text(one(sent, "about"))
            scope = target.scope
            told = standing.show(lake, target, principal, limit=_SHOWN, after=one(sent, "after"))
        except BadInput as error:
            mistake = mistake or error
    last = told["history"][-1] if told and told["history"] else None
    kept = last if last and last["until"] else {"until": "", "holders": []}
    values = {"until": (kept["until"] or "")[:19], "holders": ", ".join(kept["holders"]), "reason": ""}
    return page(
        request,
        "embargo.html",
        form=True,
        status=deciding.status(mistake),
        about=one(sent, "about"),
        told=None if told is None else told | {"history": told["history"][-_SHOWN:]},
        after=one(sent, "after"),
        held=bool(told) and any(row["until"] for row in (told or {})["decided"]),
        hindrance=deciding.hindrance(principal, scope),
        what=one(sent, "what"),
        values=values | {name: one(sent, name) for name in _FIELDS if mistake and name in sent},
        mistake="" if mistake is None else wording.told(mistake),
    )


def _said(decision: Decision) -> str:
    """What came of a decision."""
    until = (
        f"under embargo until {decision.until:%Y-%m-%d %H:%M} UTC" if decision.until else "under no embargo"
    )
    number = len(decision.changed)
    changed = f"{number} release{'' if number == 1 else 's'} changed with it"
    later = "" if decision.observations else " Nothing has this value yet; what comes will be under it."
    return f"{decision.target} is {until}; {changed}.{later}"


def _place(sent: Sent) -> str:
    return f"{_HERE}?{urlencode({'about': one(sent, 'about')})}"

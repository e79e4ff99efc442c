"""Runs held up, let go, given up and tried again; cases of the quarantine closed, or tried once more."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from lake.archive.asking import OfLake
from lake.archive.pages import deciding
from lake.archive.pages.deciding import Sent, one
from lake.archive.pages.rendering import path
from lake.archive.pages.visiting import Curator, Form
from lake.errors import BadInput, Reason
from lake.governance.known import require_operator
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.ledger import control, runs
from lake.releases import quarantine

router = APIRouter(prefix="/curate", include_in_schema=False)

CASES: Final = 2000
"""Cases of the quarantine that a page knows of."""


@router.post("/runs/{run}")
def steer(request: Request, lake: OfLake, principal: Curator, run: str, sent: Form) -> Response:
    """Hold a run up, let it go on, give it up, or try again what went wrong."""
    require_operator(principal, "steering runs")
    what, here = one(sent, "what"), f"/curate/runs/{path(run)}"
    if what == "cancel" and not deciding.is_sure(sent):
        runs.find_run(lake, run)
        said = ["Units at work are given up too. What it published stays; a new run can begin the rest anew."]
        return deciding.confirmed(request, sent, f"Give up run {run}?", said, "Yes, give it up", here)
    return deciding.done(request, here, _steered(lake, principal, run, what))


def steps_of(lake: Lake, run: Mapping[str, Any]) -> dict[str, str]:
    """What can be done about a run from a page: the word of the form, and what its button says."""
    status = run["status"]
    carried_out = bool(control.at_it(lake, run["run"]))
    wrong = run["units"].get("failed", 0) + run["units"].get("quarantined", 0)
    found = {}
    if status == "running":
        found["pause"] = "Pause"
    if status == "paused" and carried_out:
        found["resume"] = "Go on"
    if wrong and carried_out and status in ("running", "paused"):
        found["retry"] = "Try again what went wrong"
    if status in control.OPEN:
        found["cancel"] = "Give it up …"
    return found


def _steered(lake: Lake, principal: Principal, run: str, what: str) -> str:
    if what == "pause":
        control.pause(lake, run, principal)
        return "The run is paused: no further unit is begun."
    if what == "cancel":
        control.cancel(lake, run, principal)
        return "The run is given up. What it published stays."
    if what not in ("resume", "retry"):
        raise deciding.unknown(what)
    if not control.at_it(lake, run):
        raise BadInput(
            "nobody carries this run out now, so nothing would come of it here. On a machine of the data "
            f"centre: heliolake runs {what} {run}",
            code=Reason.NOT_ALLOWED,
        )
    if what == "resume":
        control.resume(lake, run, principal)
        return "The run goes on."
    again, later = control.try_again(lake, run, principal)
    left = f" {later} are of products that are through; they wait for its end." if later else ""
    return f"{again} units are planned again.{left}"


@router.post("/quarantine")
def settle(request: Request, lake: OfLake, principal: Curator, sent: Form) -> Response:
    """Close the cases of a group with a reason, or let its units be done again."""
    require_operator(principal, "deciding about the quarantine")
    group = _group(lake, sent)
    what = one(sent, "what")
    if what == "close":
        numbers = [case["case"] for case in group]
        number = quarantine.close(lake, numbers, reason=one(sent, "reason"), principal=principal)
        return deciding.done(request, "/curate/quarantine", f"Closed: {number}.")
    if what == "again":
        return deciding.done(request, "/curate/quarantine", _again(lake, principal, group))
    raise deciding.unknown(what)


def _again(lake: Lake, principal: Principal, group: Sequence[Mapping[str, Any]]) -> str:
    units: defaultdict[str, set[str]] = defaultdict(set)
    for case in group:
        if case["run"] and case["unit"]:
            units[case["run"]].add(case["unit"])
    number = sum(control.try_again_later(lake, run, of, principal) for run, of in units.items())
    if not number:
        return "They are to be tried again already, when their recipe is run next."
    when = "by the run that is carried out, else when"
    return f"To be tried again: {number}, {when} {group[0]['recipe'] or 'the recipe'} is run next."


def kind_of(group: Sequence[Mapping[str, Any]]) -> str:
    """What names a group of cases in a form: the same for whoever lists them."""
    told = [group[0][key] for key in quarantine.KIND]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _group(lake: Lake, sent: Sent) -> list[Mapping[str, Any]]:
    """The open cases of a group that somebody saw: those that came since are not decided with them."""
    for group in quarantine.grouped(quarantine.listing(lake, limit=CASES)):
        if kind_of(group) == one(sent, "kind"):
            seen = [case for case in group if case["last_seen"] <= one(sent, "seen")]
            if seen:
                return seen
    raise BadInput("these cases are not open any more", advice="load the list again", code=Reason.NOT_FOUND)

"""For curators and operators: embargoes, what was put aside, runs, and the audit trail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from lake.archive.asking import OfLake
from lake.archive.pages.rendering import page
from lake.archive.pages.steering import CASES as _CASES
from lake.archive.pages.steering import kind_of, steps_of
from lake.archive.pages.visiting import Curator
from lake.errors import BadInput, Reason
from lake.governance import audit, standing
from lake.governance.policy import Principal, Scope
from lake.ledger import runs
from lake.releases import quarantine

router = APIRouter(prefix="/curate", include_in_schema=False)

_EVER: Final = 365 * 5000
_SOON: Final = 10
_EMBARGOES: Final = 200
"""Embargoes on one page."""
_RUNS: Final = 50
_GROUPS: Final = 50
_NAMED: Final = 20
"""Files of one group of cases that are named."""
_ENTRIES: Final = 100


@router.get("")
def overview(request: Request, lake: OfLake, principal: Curator) -> HTMLResponse:
    """What there is to look after."""
    cases = quarantine.listing(lake, limit=_CASES)
    return page(
        request,
        "curate.html",
        soon=standing.due(lake, timedelta(days=30), principal, limit=_SOON),
        cases=len(cases),
        most=_CASES,
        groups=quarantine.grouped(cases)[:5],
        runs=runs.runs(lake, limit=5),
    )


@router.get("/embargoes")
def embargoes(
    request: Request,
    lake: OfLake,
    principal: Curator,
    days: Annotated[int, Query(ge=0, le=200_000)] = 0,
    after: Annotated[str, Query(max_length=300)] = "",
) -> HTMLResponse:
    """What is under embargo, the next to end first; holders are named to its curators."""
    found = standing.due(lake, timedelta(days=days or _EVER), principal, limit=_EMBARGOES, after=after)
    return page(
        request,
        "embargoes.html",
        embargoes=found["due"],
        number=found["number"],
        following=found["more"],
        after=after,
        days=days,
        about="",
    )


@router.get("/quarantine")
def put_aside(
    request: Request,
    lake: OfLake,
    principal: Curator,
    everything: Annotated[str, Query(max_length=8)] = "",
    code: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Files that were put aside, those with the same reason together, with what to do."""
    cases = quarantine.listing(lake, resolved=bool(everything), limit=_CASES)
    chosen = [case for case in cases if case["code"] == code or not code]
    groups = _offered(chosen)
    return page(
        request,
        "quarantine.html",
        form=True,
        groups=groups[:_GROUPS],
        left_out=len(groups) - len(groups[:_GROUPS]),
        codes=dict(Counter(case["code"] for case in cases).most_common()),
        chosen=code,
        deciding=_steers(principal),
        number=len(chosen),
        most=_CASES,
        named=_NAMED,
        everything=bool(everything),
    )


@router.get("/runs")
def all_runs(request: Request, lake: OfLake, principal: Curator) -> HTMLResponse:
    """The latest runs, and how far they are."""
    return page(request, "runs.html", runs=runs.runs(lake, limit=_RUNS), most=_RUNS)


@router.get("/runs/{run}")
def one_run(request: Request, lake: OfLake, principal: Curator, run: str) -> HTMLResponse:
    """A run: its recipe with all parameters, its units, and what it put aside."""
    found = runs.find_run(lake, run)
    recipe = found["document"].get("recipe")
    cases = quarantine.listing(lake, run_id=run, resolved=True, limit=_CASES)
    return page(
        request,
        "run.html",
        form=True,
        run=found,
        ways=steps_of(lake, found) if _steers(principal) else {},
        steps=recipe.get("steps", []) if isinstance(recipe, dict) else [],
        groups=_offered(cases)[:_GROUPS],
        left_out=max(0, len(quarantine.grouped(cases)) - _GROUPS),
        deciding=False,
        named=_NAMED,
    )


def _steers(principal: Principal) -> bool:
    """Whether forms of those who run the data centre are of use to somebody; the lake decides once more."""
    return principal.operator and Scope.WRITE in principal.scopes


def _offered(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cases with the same reason, how a form names them, until when they were met, and the way out."""
    return [
        {
            "cases": group,
            "kind": kind_of(group),
            "seen": max(str(case["last_seen"]) for case in group),
            "way": f"heliolake {quarantine.way_out(group)}",
        }
        for group in quarantine.grouped(cases)
    ]


@router.get("/audit")
def trail(
    request: Request,
    lake: OfLake,
    principal: Curator,
    who: Annotated[str, Query(max_length=100)] = "",
    what: Annotated[str, Query(max_length=100)] = "",
    subject: Annotated[str, Query(max_length=300)] = "",
) -> HTMLResponse:
    """The audit trail, the newest first; operators alone see it, as with the command."""
    if not principal.operator:
        raise BadInput(
            "The audit trail is for those who run the data centre", advice="Ask them", code=Reason.NOT_ALLOWED
        )
    found = audit.entries(lake, who=who, what=what, subject=subject, limit=_ENTRIES)
    entries: list[dict[str, Any]] = [
        {
            "number": one.number,
            "time": one.time,
            "who": one.who,
            "what": one.what,
            "subject": one.subject,
            "detail": {name: value for name, value in one.detail.items() if value not in ("", [], None)}
            if isinstance(one.detail, dict)
            else one.detail,
        }
        for one in found
    ]
    return page(
        request,
        "audit.html",
        entries=entries,
        who=who,
        what=what,
        subject=subject,
        most=_ENTRIES,
    )

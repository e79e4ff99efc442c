"""Where DOIs lead: what the data are, by whom, how to cite and have them; or why there are none now."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.pages import facts
from lake.archive.pages.citing import citation_for, landed
from lake.archive.pages.rendering import page
from lake.releases import documents

router = APIRouter(include_in_schema=False)


@router.get("/doi/{doi:path}")
def landing(request: Request, lake: OfLake, principal: Asker, doi: str) -> HTMLResponse:
    """The page of a DOI; of one that is hidden, why."""
    found = landed(lake, doi)
    product = documents.product(lake, found.subject.product.name, principal)
    releases = [
        one
        for one in product["releases"]
        if found.subject.release_id is None or f"{one['product']}@v{one['version']:04d}" == found.release
    ]
    shown = next((one for one in releases if one["status"] == "ACTIVE"), releases[0])
    gone = found.tombstone is not None or all(one["status"] == "WITHDRAWN" for one in releases)
    meta = documents.observation(lake, product["instrument"], product["observation"], principal)
    return page(
        request,
        "landing.html",
        status=410 if gone else 200,
        landed=found,
        gone=gone,
        why=found.tombstone or (shown.get("withdrawn") or {}).get("reason", ""),
        since=found.hidden or (shown.get("withdrawn") or {}).get("at"),
        release=shown,
        releases=releases,
        details=facts.details(shown, meta["observation"].get("meta", {})),
        citation=citation_for(request, lake, found.subject),
    )

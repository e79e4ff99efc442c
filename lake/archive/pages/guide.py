"""Help: how to find, look, cite and download, by hand and by program."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.pages.rendering import page
from lake.releases.finding import Wanted
from lake.releases.search import listing

router = APIRouter(include_in_schema=False)


@router.get("/help")
def guide(request: Request, lake: OfLake, principal: Asker) -> HTMLResponse:
    """The first steps, with a release that is there as the example."""
    found = listing(lake, Wanted(status="ACTIVE", available=True), principal=principal, limit=1)["releases"]
    example = found[0] if found else None
    return page(
        request,
        "help.html",
        address=str(request.base_url).rstrip("/"),
        product=example["product"] if example else "INSTRUMENT:OBSERVATION.l1",
        instrument=example["instrument"] if example else "INSTRUMENT",
        day=(example["date_beg"] or "2021-01-01")[:10] if example else "2021-01-01",
    )

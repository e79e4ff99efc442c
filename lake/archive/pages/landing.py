"""Where DOIs lead people: what the data are, by whom, how to cite and have them; or why they are gone."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from lake.archive.asking import Asker, OfLake
from lake.archive.citable import MEDIA, schema_of, signposts_of
from lake.archive.landing import of_doi
from lake.archive.negotiation import HTML, preferred
from lake.archive.pages import facts
from lake.archive.pages.citing import citation_for
from lake.archive.pages.rendering import page
from lake.archive.surroundings import surroundings_of
from lake.governance.doi.curating import Subject
from lake.releases import documents
from lake.releases.search import resolve


class _ForPeople(APIRoute):
    """A route for those who would rather have a page; programs are led on to metadata."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is Match.NONE or scope["type"] != "http":
            return match, child
        accept = Headers(scope=scope).get("accept", "")
        return (match, child) if preferred(accept, [*MEDIA.values(), HTML]) == HTML else (Match.NONE, {})


router = APIRouter(include_in_schema=False, route_class=_ForPeople)


@router.get("/doi/{doi:path}")
def landing(request: Request, lake: OfLake, principal: Asker, doi: str) -> HTMLResponse:
    """The page of a DOI; of one that is hidden, or whose data were withdrawn, why."""
    found = of_doi(lake, surroundings_of(request).office, doi)
    product = documents.product(lake, found.facts.product.name, principal)
    version = found.facts.version
    releases = [one for one in product["releases"] if version in (None, one["version"])]
    shown = next((one for one in releases if one["status"] == "ACTIVE"), releases[0])
    observation = documents.observation(lake, product["instrument"], product["observation"], principal)
    row, key = resolve(lake, f"{shown['product']}@v{shown['version']}")
    gone = found.tombstone is not None
    return page(
        request,
        "landing.html",
        status=410 if gone else 200,
        headers={
            "Link": signposts_of(request, lake, principal, found),
            "Vary": "Accept, Authorization, Cookie",
        },
        landing=found,
        schema=schema_of(request, lake, principal, found),
        release=shown,
        releases=releases,
        details=facts.details(shown, observation["observation"]["meta"]),
        citation=citation_for(
            request, lake, Subject(key, row.product_id, None if version is None else row.id)
        ),
    )

"""Releases: found, and looked at."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from lake.archive.asked import MOST, Paged
from lake.archive.asking import Asker, OfLake
from lake.archive.links import file_with_links, links_of
from lake.releases.releases import named
from lake.releases.search import listed_files, listing, show

router = APIRouter(tags=["releases"])


class Release(BaseModel):
    """A product at a version."""

    model_config = ConfigDict(extra="allow")

    product: str
    instrument: str
    level: str
    version: int
    status: str
    simulated: bool
    date_beg: str | None
    date_end: str | None
    files: int
    bytes: int
    under_embargo: bool
    available: bool
    shows: dict[str, Any]
    links: dict[str, str]


class Listing(BaseModel):
    """Releases in the order of time, and where those that follow are."""

    releases: list[Release]
    next: str | None


class File(BaseModel):
    """A file of a release; its sums are for those who may have it."""

    model_config = ConfigDict(extra="allow")

    name: str
    size: int
    caveats: list[str]
    links: dict[str, str]


class Files(BaseModel):
    """Files in the order of their names, and where those that follow are."""

    files: list[File]
    next: str | None


class Document(BaseModel):
    """All that is known of a release; of its files the first thousand."""

    model_config = ConfigDict(extra="allow")

    release: Release
    files: list[File]
    versions: list[dict[str, Any]]
    provenance: dict[str, Any]
    caveats: list[dict[str, Any]]
    meta: dict[str, Any]


@router.get("/releases", summary="Find releases", response_model=Listing)
def find(
    request: Request,
    lake: OfLake,
    principal: Asker,
    asked: Annotated[Paged, Query()],
) -> JSONResponse:
    """Releases with data in [since, until), in the order of time, a page at a time."""
    page = listing(lake, asked.wanted(), principal=principal, limit=asked.limit, after=asked.after)
    more = request.url.include_query_params(after=page["more"]) if page["more"] else None
    found = [one | {"links": links_of(request, one)} for one in page["releases"]]
    # As it is: to hold a page of a thousand against its description takes longer than to find it.
    return JSONResponse({"releases": found, "next": None if more is None else f"{more.path}?{more.query}"})


@router.get("/releases/{product}", summary="Look at a release", response_model=Document)
def look(request: Request, lake: OfLake, principal: Asker, product: str) -> dict[str, Any]:
    """One release: `scope:observation.l1` means the active one, `…@v0001` or `….v0001` a certain one."""
    document = show(lake, product, principal, most=MOST, places=False)
    release = document["release"]
    links = links_of(request, release)
    files = [file_with_links(links, one) for one in document["files"]]
    return document | {"release": release | {"links": links}, "files": files}


@router.get("/releases/{product}/files", summary="Files of a release", response_model=Files)
def files(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    after: Annotated[
        str, Query(description="The name of the last one before.", pattern=r"^[ -~]{0,250}$")
    ] = "",
) -> dict[str, Any]:
    """Files in the order of their names, a page at a time: a release may have a hundred thousand."""
    release, key, found = listed_files(lake, product, principal, limit=limit + 1, after=after)
    links = links_of(request, named(release, key))
    page = found[:limit]
    more = request.url.include_query_params(after=page[-1]["name"]) if len(found) > limit else None
    return {
        "files": [file_with_links(links, one) for one in page],
        "next": None if more is None else f"{more.path}?{more.query}",
    }

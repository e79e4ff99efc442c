"""Releases: found, and looked at."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict

from lake.archive.asking import Asker, OfLake
from lake.names import version_token
from lake.releases.finding import Wanted
from lake.releases.releases import describe
from lake.releases.search import listed_files, listing, show

router = APIRouter(tags=["releases"])

_MOST: Final = 1000
"""Things on one page."""

Status = Literal["ACTIVE", "SUPERSEDED", "WITHDRAWN"]


def _iso(value: object) -> object:
    """Take no number for a time, as a time since 1970."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("write it as 2011-09-10 or 2011-09-10T12:00:00Z")
    return value


Time = Annotated[
    datetime | None, BeforeValidator(_iso), Query(description="ISO 8601; UTC where no zone is given.")
]
Place = Annotated[
    str, Query(description="As `next` of the page before has it.", pattern=r"^[A-Za-z0-9_-]{0,800}$")
]


class Release(BaseModel):
    """A product at a version."""

    model_config = ConfigDict(extra="allow")

    product: str
    instrument: str
    level: str
    version: int
    status: str
    date_beg: str | None
    date_end: str | None
    files: int
    bytes: int
    under_embargo: bool
    available: bool
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
    instrument: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,25}$")] = None,
    level: Annotated[str | None, Query(pattern=r"^[0-9A-Za-z.]{1,12}$")] = None,
    since: Time = None,
    until: Time = None,
    status: Status | None = "ACTIVE",
    observation: Annotated[
        str | None, Query(description="Its name; * and ? stand for anything.", pattern=r"^[!-~]{1,250}$")
    ] = None,
    words: Annotated[
        str | None,
        Query(description="Words of its name or values; * behind one stands for any ending.", max_length=200),
    ] = None,
    available: Annotated[bool, Query(description="Only what you may have now.")] = False,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    after: Place = "",
) -> dict[str, Any]:
    """Releases with data in [since, until), in the order of time, a page at a time."""
    seen = None if words is None else "".join(one if one.isprintable() else " " for one in words)
    wanted = Wanted(
        instrument, level, _utc(since), _utc(until), status, observation, seen, available=available
    )
    page = listing(lake, wanted, principal=principal, limit=limit, after=after)
    more = request.url.include_query_params(after=page["more"]) if page["more"] else None
    return {
        "releases": [one | {"links": _links(request, one)} for one in page["releases"]],
        "next": None if more is None else f"{more.path}?{more.query}",
    }


@router.get("/releases/{product}", summary="Look at a release", response_model=Document)
def look(request: Request, lake: OfLake, principal: Asker, product: str) -> dict[str, Any]:
    """One release: `scope:observation.l1` means the active one, `…@v0001` or `….v0001` a certain one."""
    document = show(lake, product, principal, most=_MOST)
    release = document["release"]
    links = _links(request, release)
    files = [_file(links, one) for one in document["files"]]
    return document | {"release": release | {"links": links}, "files": files}


@router.get("/releases/{product}/files", summary="Files of a release", response_model=Files)
def files(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    after: Annotated[
        str, Query(description="The name of the last one before.", pattern=r"^[ -~]{0,250}$")
    ] = "",
) -> dict[str, Any]:
    """Files in the order of their names, a page at a time: a release may have a hundred thousand."""
    release, key, found = listed_files(lake, product, principal, limit=limit + 1, after=after)
    links = _links(request, describe(release, key))
    page = found[:limit]
    more = request.url.include_query_params(after=page[-1]["name"]) if len(found) > limit else None
    return {
        "files": [_file(links, one) for one in page],
        "next": None if more is None else f"{more.path}?{more.query}",
    }


def name_of(release: dict[str, Any]) -> str:
    """The release itself, whatever becomes of its product."""
    return f"{release['product']}@{version_token(release['version'])}"


def _file(release: dict[str, str], file: dict[str, Any]) -> dict[str, Any]:
    """A file without the place where it lies: that is the data centre's own matter."""
    kept = {name: value for name, value in file.items() if name != "path"}
    base = f"{release['self']}/files/{quote(file['name'])}"
    return kept | {"links": {"content": base, "header": f"{base}/header"}}


def _links(request: Request, release: dict[str, Any]) -> dict[str, str]:
    root = request.scope.get("root_path", "").rstrip("/")
    base = f"{root}/api/v1/releases"
    return {
        "self": f"{base}/{quote(name_of(release), safe=':@')}",
        "active": f"{base}/{quote(release['product'], safe=':')}",
        "files": f"{base}/{quote(name_of(release), safe=':@')}/files",
    }


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

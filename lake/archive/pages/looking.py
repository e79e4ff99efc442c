"""Looking at a release: what it is, its files, headers, versions, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.content import opened
from lake.archive.copies import copy_of
from lake.archive.links import name_of, root_of
from lake.archive.pages import facts, graph
from lake.archive.pages.citing import citation_of
from lake.archive.pages.exploring import beside
from lake.archive.pages.finding import rank
from lake.archive.pages.rendering import curates, page
from lake.errors import BadInput, Reason
from lake.fits.stored import stored_header
from lake.governance.doi.facts import release_did
from lake.lake import Lake
from lake.releases.changes import changes
from lake.releases.holding import before as file_before
from lake.releases.holding import holder
from lake.releases.search import file_of, listed_files, resolve, show

router = APIRouter(include_in_schema=False)

_FILES: Final = 100
"""Files on one page."""
_CARDS: Final = 5000
_PICTURES: Final = 12


@router.get("/releases/{product}")
def release(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    after: Annotated[str, Query(max_length=250)] = "",
) -> HTMLResponse:
    """A release; of a withdrawn one what is left."""
    document = show(lake, product, principal, most=_FILES + 1, places=False)
    about = document["release"]
    name = name_of(about)
    if about["status"] == "WITHDRAWN":
        return tombstone(request, lake, document)
    found = document["files"]
    if after:
        _, _, found = listed_files(lake, name, principal, limit=_FILES + 1, after=after)
    files = found[:_FILES]
    return page(
        request,
        "release.html",
        name=name,
        release=about,
        document=document,
        files=files,
        pictures=files[:_PICTURES] if about["available"] else [],
        before=_before(lake, name, files[0]) if about["available"] and files else None,
        after=after,
        following=files[-1]["name"] if len(found) > _FILES else "",
        details=facts.details(about, document["meta"]),
        values=facts.values(document["meta"]),
        helioviewer=facts.helioviewer(about),
        drawing=graph.drawing(lake, name),
        changed=_changed(lake, document["versions"], about),
        citation=citation_of(request, lake, about),
        address=str(request.base_url).rstrip("/"),
        in_care=curates(principal) and principal.curator_of(about["instrument"]),
    )


def tombstone(request: Request, lake: Lake, document: dict[str, Any]) -> HTMLResponse:
    """What is left of a release that was withdrawn: its record, and why."""
    about = document["release"]
    active = [one for one in document["versions"] if one["status"] == "ACTIVE"]
    return page(
        request,
        "tombstone.html",
        status=410,
        name=name_of(about),
        release=about,
        document=document,
        active=active[0] if active else None,
        details=facts.details(about, document["meta"]),
        citation=citation_of(request, lake, about),
    )


@router.get("/files/{did}")
def file(request: Request, lake: OfLake, principal: Asker, did: str) -> RedirectResponse:
    """A file by its own name: where it stands in the list of the release that gives it out."""
    held = holder(lake, did, principal)
    before = file_before(lake, held)
    after = f"?{urlencode({'after': before})}" if before else ""
    return RedirectResponse(f"{root_of(request)}/releases/{quote(held.name, safe=':@')}{after}#files", 303)


@router.get("/releases/{product}/header/{file}")
def header(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    file: str,
    hdu: Annotated[str, Query(max_length=4)] = "",
    find: Annotated[str, Query(max_length=80)] = "",
) -> HTMLResponse:
    """The cards of a file's header, those that hold a word alone where one is given."""
    found, key, given = opened(lake, principal, product)
    entry = file_of(lake, given, found.id, file)
    number = int(hdu) if hdu.isascii() and hdu.isdigit() else entry.image_hdu
    try:
        cards = stored_header(copy_of(lake, given, entry), number).cards
    except BadInput as error:
        raise BadInput(
            f"The header of HDU {number} cannot be read", file=entry.name, code=Reason.NOT_FOUND
        ) from error
    word = find.casefold().strip()
    rows = [(one.keyword, facts.shown_value(one.value), one.comment) for one in cards]
    matching = [row for row in rows if not word or any(word in str(part).casefold() for part in row)]
    return page(
        request,
        "header.html",
        name=release_did(key, found.version),
        file=entry.name,
        hdu=number,
        find=find,
        total=len(rows),
        cards=matching[:_CARDS],
        left_out=max(0, len(matching) - _CARDS),
        number=len(matching),
    )


def _before(lake: Lake, name: str, file: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a file was made of, to be laid over it: the same image, of the next lower level that has it."""
    found, _ = resolve(lake, name)
    lower = [
        one
        for one in beside(lake, found, file["stem"], file["shape"])
        if one["same"] and one["alike"] and rank(one["level"]) < rank(found.level)
    ]
    return max(lower, key=lambda one: rank(one["level"]), default=None)


def _changed(lake: Lake, versions: list[dict[str, Any]], about: dict[str, Any]) -> list[dict[str, Any]]:
    """All versions, the newest first, and what each changed; of very many the latest."""
    told = []
    for one in sorted(versions, key=lambda one: -int(one["version"]))[:20]:
        name = name_of(about | one)
        told.append(one | {"name": name, "changes": changes(lake, name)})
    return told

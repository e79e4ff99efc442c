"""All files of a release, or of many: their sums as `sha256sum` reads them, and scripts that fetch them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.chosen import Choice, Chosen, Named, Order, chosen, only
from lake.archive.content import opened
from lake.archive.links import API
from lake.archive.problems import Gone
from lake.archive.scripts import MEDIA, By, Wanted, safe, script
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.search import files_of
from lake.rucio.client import batches

router = APIRouter(tags=["downloads"])

_AT_ONCE: Final = 1000
_PLAIN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Plain text.", "content": {"text/plain": {}}}
}
_SCRIPT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The script.", "content": {media: {} for media in sorted(set(MEDIA.values()))}}
}


class Scripted(Chosen):
    """The same, and what is to fetch them."""

    by: By = "curl"


class ScriptedOrder(Order):
    """Releases and files by their names, and what is to fetch them."""

    by: By = "curl"


@router.get("/releases/{product}/sums", summary="Sums of all files", responses=_PLAIN)
def sums(lake: OfLake, principal: Asker, product: str) -> StreamingResponse:
    """As `sha256sum --check` reads them."""
    opened(lake, principal, product)
    named, _ = only(lake, product)
    return _text((f"{file.sha256}  {safe(file.name)}\n" for file in _files(lake, principal, named)), "plain")


@router.get("/releases/{product}/script", summary="A script that fetches all files", responses=_SCRIPT)
def script_of_one(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    by: Annotated[By, Query(description="What fetches.")] = "curl",
) -> StreamingResponse:
    """It goes on where it broke off, and ends with an error where a sum is wrong."""
    opened(lake, principal, product)
    named, _ = only(lake, product)
    base = _base(request)
    files = (_wanted(base, named, file, file.name) for file in _files(lake, principal, named))
    return _text(script(named.name, files, by), by)


@router.get("/script", summary="A script that fetches many releases", responses=_SCRIPT)
def script_of_many(
    request: Request, lake: OfLake, principal: Asker, asked: Annotated[Scripted, Query()]
) -> StreamingResponse:
    """The files of releases that are named, or of all that match; what you may not have is a comment.

    Of more than ten thousand ask for a part, with `limit`: the script ends with where the next one is.
    """
    return _of_many(request, lake, principal, chosen(lake, asked, principal), asked.by)


@router.post("/script", summary="A script that fetches files by their names", responses=_SCRIPT)
def script_of_order(
    request: Request, lake: OfLake, principal: Asker, asked: ScriptedOrder
) -> StreamingResponse:
    """Of up to ten thousand releases all files, or those that are named; it can be run again and again."""
    return _of_many(request, lake, principal, Choice(asked.named()), asked.by)


def _of_many(
    request: Request, lake: Lake, principal: Principal, releases: Choice, by: By
) -> StreamingResponse:
    base = _base(request)

    def files() -> Iterator[Wanted]:
        for one in releases:
            missing = set(one.files)
            try:
                found = one if one.folder else only(lake, one.name)[0]
                for file in _files(lake, principal, found, one.files):
                    missing.discard(file.name)
                    yield _wanted(base, found, file, f"{found.folder}/{file.name}")
                for name in sorted(missing):
                    yield Wanted(f"{one.name}/{name}", "", "", "the release holds no such file")
            except (BadInput, Gone) as error:
                why = error if isinstance(error, BadInput) else error.why
                yield Wanted(one.name, "", "", why.reason)
        if releases.more:
            yield Wanted("", str(request.url.include_query_params(after=releases.more)), "")

    return _text(script("releases", files(), by), by)


def _wanted(base: str, named: Named, file: FileEntry, path: str) -> Wanted:
    return Wanted(path, f"{base}/{quote(named.name, safe=':@')}/files/{quote(file.name)}", file.sha256)


def _base(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{API}/releases"


def _files(
    lake: Lake, principal: Principal, named: Named, names: Collection[str] = ()
) -> Iterator[FileEntry]:
    """The files of a release, or those that are named, few of them in memory."""
    release, _, given = opened(lake, principal, named.name)
    for some in batches(sorted(names), _AT_ONCE) if names else [()]:
        after = ""
        while page := files_of(lake, given, release.id, limit=_AT_ONCE, after=after, names=some):
            yield from page
            after = page[-1].name


def _text(lines: Iterator[str], by: str) -> StreamingResponse:
    media = MEDIA.get(by, "text/plain")
    return StreamingResponse(
        lines, media_type=f"{media}; charset=utf-8", headers={"Cache-Control": "private, no-cache"}
    )

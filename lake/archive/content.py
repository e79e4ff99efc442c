"""Files of releases: their bytes, whole or in part, and their headers."""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from astropy.io import fits
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.copies import copy_of
from lake.archive.giving import Part, Streamed, sent
from lake.archive.problems import Gone, problem
from lake.archive.signposts import Sign
from lake.catalogue.models import Release
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.fits.stored import stored_header
from lake.governance.policy import Principal
from lake.grant import Grant
from lake.lake import Lake
from lake.names import ProductKey, version_token
from lake.releases.access import Asked, require, require_again
from lake.releases.search import file_of, resolve

router = APIRouter(tags=["files"])

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_FITS: Final = "application/fits"
BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The bytes.", "content": {_FITS: {}}},
    206: {"description": "Those that were asked for.", "content": {_FITS: {}}},
    304: {"description": "They are what `If-None-Match` names."},
    416: {"description": "There are none where they were asked for."},
}


@router.get("/releases/{product}/files/{name}", summary="Download a file", responses=BYTES)
def give(request: Request, lake: OfLake, principal: Asker, product: str, name: str) -> Response:
    """The bytes of a file; `Range` asks for a part of them, `Repr-Digest` tells the sha256 of all.

    A part is given of what is right as a whole: the first that is asked for waits until the file is read.
    """
    release, key, given = opened(lake, principal, product)
    file = file_of(lake, given, release.id, name)
    answer = _not_modified(request, file)
    if answer is not None:
        return answer
    asked = _asked(request, file)
    if asked is None:
        return problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"{file.name} has {file.size} bytes, and none where they were asked for.",
            code="no-such-range",
            headers={"Content-Range": f"bytes */{file.size}"},
        )
    part = asked.size != file.size
    if part and request.method == "GET":
        ref = request.app.state.verified.copy_of(lake, given, file)
    else:
        ref = copy_of(lake, given, file)
    headers = _headers(file) | {"Content-Length": str(asked.size), "Link": _collection(request, release, key)}
    status = HTTPStatus.OK
    if part:
        headers["Content-Range"] = f"bytes {asked.start}-{asked.start + asked.size - 1}/{file.size}"
        status = HTTPStatus.PARTIAL_CONTENT
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=_FITS)
    blocks = sent(ref, file, asked, lambda: require_again(lake, principal, release.id, key.name))
    return Streamed(blocks, status, headers, _FITS)


@router.head("/releases/{product}/files/{name}", summary="What a download would be", responses=BYTES)
def tell(request: Request, lake: OfLake, principal: Asker, product: str, name: str) -> Response:
    """The head of the answer that `GET` gives."""
    return give(request, lake, principal, product, name)


@router.get(
    "/releases/{product}/files/{name}/header",
    summary="Header of a file",
    response_model=None,
    responses={200: {"content": {"application/json": {}, "text/plain": {}}}},
)
def header(
    lake: OfLake,
    principal: Asker,
    product: str,
    name: str,
    hdu: Annotated[int | None, Query(ge=0, le=1000, description="Number of the HDU.")] = None,
    form: Annotated[
        Literal["json", "text"], Query(description="Cards as a list, or as they stand.")
    ] = "json",
) -> dict[str, Any] | PlainTextResponse:
    """The cards of an HDU; of the one with the image where none is named."""
    given, file = _granted(lake, principal, product, name)
    number = file.image_hdu if hdu is None else hdu
    ref = copy_of(lake, given, file)
    try:
        found = stored_header(ref, number)
    except BadInput as error:  # names the place where the file lies
        raise BadInput(
            "the header cannot be read", file=file.name, keyword="hdu", found=number, code=Reason.NOT_FOUND
        ) from error
    if form == "text":
        return PlainTextResponse(found.tostring(sep="\n", endcard=True, padding=False) + "\n")
    return {"file": file.name, "hdu": number, "cards": [_card(one) for one in found.cards]}


def opened(lake: Lake, principal: Principal, product: str) -> tuple[Release, ProductKey, Grant]:
    """A release, and what opens it to somebody.

    Raises
    ------
    Gone
        When it was withdrawn.
    BadInput
        When there is none, or it may not be had.
    """
    release, key = resolve(lake, product)
    try:
        return release, key, require(lake, principal, [Asked.of(release, key.name)])
    except BadInput as error:
        if release.status == "WITHDRAWN" and error.code is Reason.NOT_ALLOWED:
            raise Gone(error) from error
        raise


def _granted(lake: Lake, principal: Principal, product: str, name: str) -> tuple[Grant, FileEntry]:
    release, _, given = opened(lake, principal, product)
    return given, file_of(lake, given, release.id, name)


def _card(card: fits.Card) -> list[str | int | float | bool | None]:
    value = card.value
    plain = value if isinstance(value, (str, int, float, bool)) else None
    if isinstance(plain, float) and not -float("inf") < plain < float("inf"):
        plain = None  # which JSON does not know
    return [card.keyword, plain, card.comment]


def _etag(file: FileEntry) -> str:
    return f'"{file.sha256}"'


def _collection(request: Request, release: Release, key: ProductKey) -> str:
    """A signpost to what the file is of."""
    name = quote(f"{key.name}@{version_token(release.version)}", safe=":@")
    page = f"{str(request.base_url).rstrip('/')}/releases/{name}"
    return Sign(page, "collection", "text/html").told


def _headers(file: FileEntry) -> dict[str, str]:
    name = file.original or file.name
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", name)
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return {
        "Accept-Ranges": "bytes",
        "ETag": _etag(file),
        "Repr-Digest": f"sha-256=:{digest}:",
        # Whether somebody may have it is asked each time: embargoes end, releases are withdrawn.
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    }


def _not_modified(request: Request, file: FileEntry) -> Response | None:
    """That somebody has the bytes already, where they say so."""
    known = request.headers.get("if-none-match", "")
    tags = {one.strip().removeprefix("W/") for one in known.split(",")}
    if _etag(file) not in tags and known.strip() != "*":
        return None
    kept = {name: one for name, one in _headers(file).items() if name in ("ETag", "Cache-Control", "Vary")}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)


def _asked(request: Request, file: FileEntry) -> Part | None:
    """Which bytes are asked for: all, where no one range is, or of another version; `None` where none are."""
    whole = Part(0, file.size)
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or request.headers.get("if-range", _etag(file)) != _etag(file):
        return whole
    first, last = match.groups()
    if not first:
        size = min(int(last or 0), file.size)
        return Part(file.size - size, size) if size else (None if last else whole)
    start = int(first)
    end = min(int(last), file.size - 1) if last else file.size - 1
    if last and int(last) < start:
        return whole  # no range at all
    return Part(start, end - start + 1) if start < file.size else None

"""Files of releases: their bytes, whole or in part, and their headers."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from astropy.io import fits
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.problems import Gone, problem
from lake.catalogue.models import Release
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.fits.stored import stored_header
from lake.governance.policy import Principal
from lake.grant import Grant
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.access import Asked, require
from lake.releases.search import file_of, resolve
from lake.storage.store import WINDOW, Store, key_of

_log = logging.getLogger(__name__)
router = APIRouter(tags=["files"])

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_FITS: Final = "application/fits"
_SMALL: Final = 4 * WINDOW
"""Bytes that are looked at before any of them is given."""
BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The bytes.", "content": {_FITS: {}}},
    206: {"description": "Those that were asked for.", "content": {_FITS: {}}},
    304: {"description": "They are what `If-None-Match` names."},
    416: {"description": "There are none where they were asked for."},
}


@dataclass(frozen=True)
class Part:
    """Which bytes of a file are asked for: from `start`, `size` of them."""

    start: int
    size: int


@router.get("/releases/{product}/files/{name}", summary="Download a file", responses=BYTES)
def give(request: Request, lake: OfLake, principal: Asker, product: str, name: str) -> Response:
    """The bytes of a file; `Range` asks for a part of them, `Repr-Digest` tells their sha256."""
    _, file = _granted(lake, principal, product, name)
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
    key = key_of(file.scope, file.name)
    store = lake.store_of(key)
    _require_whole(store, key, file)
    headers = _headers(file) | {"Content-Length": str(asked.size)}
    status = HTTPStatus.OK
    if asked.size != file.size:
        headers["Content-Range"] = f"bytes {asked.start}-{asked.start + asked.size - 1}/{file.size}"
        status = HTTPStatus.PARTIAL_CONTENT
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=_FITS)
    return StreamingResponse(_bytes(store, key, file, asked), status, headers, media_type=_FITS)


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
    try:
        found = stored_header(lake.ref(given, file.scope, file.name), number)
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


def whole(lake: Lake, _grant: Grant, file: FileEntry) -> Iterator[bytes]:
    """All bytes of a file, for those to whom it was granted; a small one that is damaged gives none at all.

    Raises
    ------
    BadInput
        At once, when the file is lost, or is small and has other bytes.
    OSError
        Before its last bytes, when a large one proves to have others.
    """
    key = key_of(file.scope, file.name)
    store = lake.store_of(key)
    _require_whole(store, key, file)
    blocks = _bytes(store, key, file, Part(0, file.size))
    if file.size > _SMALL:
        return blocks
    try:
        return iter(list(blocks))
    except OSError as error:
        _log.error("%s", error)
        raise _lost(file) from error


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


def _require_whole(store: Store, key: str, file: FileEntry) -> None:
    """Promise no bytes that are not there.

    Raises
    ------
    BadInput
        When the file is lost, or has another size.
    """
    there = store.stat(key)
    if there is None or there.size != file.size:
        _log.error("%s is lost or damaged: `heliolake fsck` names it", file.did)
        raise _lost(file)


def _lost(file: FileEntry) -> BadInput:
    return BadInput(
        "the bytes of this file cannot be given now",
        file=file.name,
        advice="tell the data centre: it restores them",
        code=Reason.MISSING_FILE,
    )


def _bytes(store: Store, key: str, file: FileEntry, asked: Part) -> Iterator[bytes]:
    """The bytes; the last of a whole file only once all are known to be the right ones."""
    sums = hashlib.sha256() if asked.size == file.size else None
    at, end = asked.start, asked.start + asked.size
    while at < end:
        block = store.read(key, at, min(WINDOW, end - at))
        at += len(block)
        if sums is not None:
            sums.update(block)
        if not block or (at >= end and sums is not None and sums.hexdigest() != file.sha256):
            # The client was told how many there are: it sees that some are missing.
            raise OSError(f"{file.did} is damaged: `heliolake fsck --deep` names it")
        yield block

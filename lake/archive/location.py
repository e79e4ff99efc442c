"""Where the bytes of a file are had: from here, or for a short time straight from an S3 storage.

An address in S3 is signed here, by who keeps the bytes, and only after the policy's grant, of an object that
is there with all its bytes: whoever knows the address has the file until it ends, whatever is decided
meanwhile. So it is good for no longer than a download takes to begin. What is under embargo is entered into
the audit trail once more, with how long.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from lake.archive.asking import Asker, OfLake
from lake.archive.content import opened
from lake.archive.copies import copy_of
from lake.archive.links import file_with_links, links_of
from lake.archive.surroundings import surroundings_of
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry, iso
from lake.governance import audit
from lake.governance.policy import Principal, under_embargo
from lake.lake import Lake
from lake.names import ProductKey, version_token
from lake.releases.releases import named
from lake.releases.search import file_of
from lake.storage.opening import open_store
from lake.storage.store import Ref

router = APIRouter(tags=["files"])

SECONDS: Final = 60
"""How long an address in S3 is good for: so long may an embargo be late that is set after it was signed."""


class Location(BaseModel):
    """Where the bytes are had, until when, and what they have to be."""

    url: str
    expires: str | None
    size: int
    sha256: str


@router.get(
    "/releases/{product}/files/{name}/location",
    summary="Where to download a file",
    response_model=Location,
    responses={307: {"description": "There."}},
)
def locate(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    name: str,
    follow: Annotated[bool, Query(description="Lead there, instead of telling.")] = False,
) -> Any:
    """Straight from an S3 storage for a minute, where the archive may sign addresses; else from here."""
    release, key, given = opened(lake, principal, product)
    file = file_of(lake, given, release.id, name)
    signed = _signed(request, lake, copy_of(lake, given, file), file)
    if signed is None:
        links = links_of(request, named(release, key))
        url, expires = file_with_links(links, {"name": file.name})["links"]["content"], None
    else:
        url, expires = signed, iso(datetime.now(UTC) + timedelta(seconds=SECONDS))
        _note(lake, principal, release, key, file)
    if follow:
        answer: Response = RedirectResponse(url, 307)
    else:
        document = Location(url=url, expires=expires, size=file.size, sha256=file.sha256)
        answer = Response(document.model_dump_json(), media_type="application/json")
    answer.headers.update({"Cache-Control": "private, no-store", "Vary": "Authorization"})
    return answer


def _signed(request: Request, lake: Lake, ref: Ref, file: FileEntry) -> str | None:
    """Where visitors reach the storage in which a copy lies; None where they do not."""
    rse = next(one.rse for one in lake.config.elements if one.store == ref.store)
    endpoint = surroundings_of(request).objects.get(rse)
    return open_store(ref.store).signed(ref.key, SECONDS, file.name, endpoint) if endpoint else None


def _note(lake: Lake, principal: Principal, release: Release, key: ProductKey, file: FileEntry) -> None:
    if under_embargo(release, datetime.now(UTC)):
        name = f"{key.name}@{version_token(release.version)}"
        with transaction(lake.sessions) as session:
            detail = {"file": file.did, "seconds": SECONDS}
            audit.record(session, principal.signature, "access.signed", name, detail)

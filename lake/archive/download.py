"""Downloads of many files as one, streamed: of a release, of some of its files, or of all that matches.

The policy is asked about each file as its turn comes, for a download may take longer than an embargo, or a
decision. What somebody may not have, or what is lost, is told in the manifest with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from lake.archive.asking import Asker, OfLake
from lake.archive.chosen import Chosen, Named, chosen, only
from lake.archive.content import opened, whole
from lake.archive.manifest import Manifest
from lake.archive.packing import PACKERS, Packer
from lake.archive.problems import Gone
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.access import require_again
from lake.releases.search import file_of, files_of, listed_files

router = APIRouter(tags=["downloads"])

_AT_ONCE: Final = 500
_PACKED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The files, then `MANIFEST.json` and `SHA256SUMS`.",
        "content": {"application/zip": {}, "application/x-tar": {}},
    }
}
Form = Annotated[Literal["zip", "tar"], Query(description="What the files are put into.")]
FileName = Annotated[str, Field(pattern=r"^[!-~]{1,250}$")]


class Packed(Chosen):
    """The same, and what they are put into."""

    form: Literal["zip", "tar"] = "zip"


@router.get("/download", summary="Download all files of many releases", responses=_PACKED)
def download(lake: OfLake, principal: Asker, asked: Annotated[Packed, Query()]) -> StreamingResponse:
    """Of releases that are named, or of all that match; what you may not have is told in the manifest."""
    packing = _Packing(lake, principal, PACKERS[asked.form]())
    return _answer(packing, chosen(lake, asked, principal), "selection", asked.form)


@router.get("/releases/{product}/download", summary="Download all files of a release", responses=_PACKED)
def download_one(
    lake: OfLake,
    principal: Asker,
    product: str,
    form: Form = "zip",
    file: Annotated[
        tuple[FileName, ...], Query(description="Only these of its files.", max_length=_AT_ONCE)
    ] = (),
) -> StreamingResponse:
    """All files of a release, or those that are named."""
    release, _, given = opened(lake, principal, product)
    for name in file:
        file_of(lake, given, release.id, name)
    named, key = only(lake, product)
    packing = _Packing(lake, principal, PACKERS[form](), frozenset(file))
    return _answer(packing, [named], re.sub(r"[^A-Za-z0-9._-]", "_", key.observation), form)


def _answer(packing: _Packing, releases: Iterable[Named], name: str, form: str) -> StreamingResponse:
    headers = {
        "Cache-Control": "private, no-store",
        "Vary": "Authorization",
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
    }
    return StreamingResponse(packing.stream(releases), headers=headers, media_type=packing.packer.media_type)


class _Packing:
    """A download on its way.

    Parameters
    ----------
    lake, principal
        Who asks whom.
    packer
        What it is put into.
    names
        Only files of these names; all where there are none.
    """

    def __init__(
        self, lake: Lake, principal: Principal, packer: Packer, names: Collection[str] = frozenset()
    ) -> None:
        self.packer = packer
        self._lake, self._principal, self._names = lake, principal, names
        self._manifest = Manifest()

    def stream(self, releases: Iterable[Named]) -> Iterator[bytes]:
        """Its bytes."""
        try:
            for release in releases:
                yield from self._release(release)
            yield from self._manifest.members(self.packer, "")
            yield from self.packer.end()
        finally:
            self._manifest.close()

    def _release(self, named: Named) -> Iterator[bytes]:
        try:
            release, key, given = opened(self._lake, self._principal, named.name)
        except (BadInput, Gone) as error:
            self._refuse_all(named, error if isinstance(error, BadInput) else error.why)
            return
        after = ""
        made = release.published or datetime.now(UTC)
        while page := files_of(self._lake, given, release.id, limit=_AT_ONCE, after=after):
            for file in page:
                if not self._names or file.name in self._names:
                    yield from self._file(named, release.id, key.name, file, made)
            after = page[-1].name

    def _file(
        self, named: Named, release_id: int, product: str, file: FileEntry, made: datetime
    ) -> Iterator[bytes]:
        try:
            given = require_again(self._lake, self._principal, release_id, product)
            blocks = whole(self._lake, given, file)
        except BadInput as error:
            self._manifest.refused(file.name, named.name, error.reason, error.advice)
            return
        path = f"{named.folder}/{file.name}"
        yield from self.packer.member(path, file.size, made, blocks)
        self._manifest.given(path, named.name, file)

    def _refuse_all(self, named: Named, error: BadInput) -> None:
        """Tell each file of a release that may not be had; its names are everybody's, its sums are not."""
        if error.code is Reason.NOT_FOUND:  # it was there when it was found
            self._manifest.refused("", named.name, error.reason, error.advice)
            return
        after = ""
        while True:
            _, _, page = listed_files(self._lake, named.name, self._principal, limit=_AT_ONCE, after=after)
            for file in page:
                self._manifest.refused(file["name"], named.name, error.reason, error.advice)
            if len(page) < _AT_ONCE:
                return
            after = page[-1]["name"]

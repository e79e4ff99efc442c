"""Downloads of many files as one, streamed: of a release, of some of its files, or of all that matches.

The policy is asked about each file as its turn comes, and again while a large one is on its way, for a
download may take longer than an embargo, or a decision. All bytes of a file are looked at before any of
them is given: what is damaged, lost, or not for whoever asks is told in the manifest with the reason, and
the rest comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request

from lake.archive.asking import Asker, OfLake
from lake.archive.chosen import Choice, Chosen, FileName, Named, Order, chosen, named, only
from lake.archive.content import opened
from lake.archive.giving import Part, Streamed, checked, sent
from lake.archive.manifest import Manifest
from lake.archive.packing import PACKERS, Packer
from lake.archive.problems import Gone
from lake.entries import FileEntry
from lake.errors import BadInput, Reason, Retriable
from lake.governance.policy import Principal
from lake.grant import Grant
from lake.lake import Lake
from lake.releases.access import require_again
from lake.releases.search import file_of, files_of, listed_files
from lake.rucio.client import batches

router = APIRouter(tags=["downloads"])

_AT_ONCE: Final = 500
_UNKNOWN: Final = (Reason.NOT_FOUND, Reason.BAD_NAME, Reason.AMBIGUOUS)
_AWAY: Final = ("the storage that may have it does not answer", "ask for this file again later")
_PACKED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The files, then `MANIFEST.json` and `SHA256SUMS`.",
        "content": {"application/zip": {}, "application/x-tar": {}},
    }
}
Form = Annotated[Literal["zip", "tar"], Query(description="What the files are put into.")]


class Packed(Chosen):
    """The same, and what they are put into."""

    form: Literal["zip", "tar"] = "zip"


class PackedOrder(Order):
    """Releases and files by their names, and what they are put into."""

    form: Literal["zip", "tar"] = "zip"


@router.get("/download", summary="Download all files of many releases", responses=_PACKED)
def download(request: Request, lake: OfLake, principal: Asker, asked: Annotated[Packed, Query()]) -> Streamed:
    """Of releases that are named, or of all that match; what you may not have is told in the manifest.

    Of more than ten thousand ask for a part, with `limit`: the manifest's `next` is the address of the next.
    """
    packing = _Packing(lake, principal, PACKERS[asked.form]())
    return _answer(request, packing, chosen(lake, asked, principal), "selection", asked.form)


@router.post("/download", summary="Download many files by their names", responses=_PACKED)
def download_order(request: Request, lake: OfLake, principal: Asker, asked: PackedOrder) -> Streamed:
    """Of up to ten thousand releases all files, or those that are named; what there is not, or what you may
    not have, is told in the manifest."""
    packing = _Packing(lake, principal, PACKERS[asked.form]())
    return _answer(request, packing, Choice(asked.named()), "selection", asked.form)


@router.get("/releases/{product}/download", summary="Download all files of a release", responses=_PACKED)
def download_one(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    form: Form = "zip",
    file: Annotated[
        tuple[FileName, ...], Query(description="Only these of its files.", max_length=_AT_ONCE)
    ] = (),
) -> Streamed:
    """All files of a release, or those that are named."""
    release, _, given = opened(lake, principal, product)
    for name in file:
        file_of(lake, given, release.id, name)
    found, key = only(lake, product)
    wanted = replace(found, files=frozenset(file))
    name = re.sub(r"[^A-Za-z0-9._-]", "_", key.observation)
    return _answer(request, _Packing(lake, principal, PACKERS[form]()), Choice([wanted]), name, form)


def _answer(request: Request, packing: _Packing, releases: Choice, name: str, form: str) -> Streamed:
    def following(after: str) -> str:
        url = request.url.include_query_params(after=after)
        return f"{url.path}?{url.query}"

    headers = {
        "Cache-Control": "private, no-store",
        "Vary": "Authorization, Cookie",
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
    }
    blocks = packing.stream(releases, following)
    return Streamed(blocks, HTTPStatus.OK, headers, packing.packer.media_type)


class _Packing:
    """A download on its way.

    Parameters
    ----------
    lake, principal
        Who asks whom.
    packer
        What it is put into.
    """

    def __init__(self, lake: Lake, principal: Principal, packer: Packer) -> None:
        self.packer = packer
        self._lake, self._principal = lake, principal
        self._manifest = Manifest()
        self._seen: set[str] = set()

    def stream(self, releases: Choice, following: Callable[[str], str]) -> Generator[bytes, None, None]:
        """Its bytes.

        Parameters
        ----------
        releases
            Which.
        following
            Address of the next part, from where it goes on.
        """
        try:
            for release in releases:
                yield from self._release(release)
            following_part = following(releases.more) if releases.more else ""
            yield from self._manifest.members(self.packer, following_part)
            yield from self.packer.end()
        finally:
            self._manifest.close()

    def _release(self, wanted: Named) -> Iterator[bytes]:
        try:
            release, key, given = opened(self._lake, self._principal, wanted.name)
        except (BadInput, Gone) as error:
            self._refuse_all(wanted, error if isinstance(error, BadInput) else error.why)
            return
        found = replace(named(key, release.version), files=wanted.files)
        if found.name in self._seen:
            self._manifest.refused("", wanted.name, "it was named before", "name each release once")
            return
        self._seen.add(found.name)
        made = release.published or datetime.now(UTC)
        missing = set(found.files)
        for some in batches(sorted(found.files), _AT_ONCE) if found.files else [()]:
            after = ""
            while page := files_of(self._lake, given, release.id, limit=_AT_ONCE, after=after, names=some):
                for file in page:
                    missing.discard(file.name)
                    yield from self._file(found, release.id, key.name, file, made)
                after = page[-1].name
        for name in sorted(missing):
            self._manifest.refused(name, found.name, "the release holds no such file", "look at its files")

    def _file(
        self, found: Named, release_id: int, product: str, file: FileEntry, made: datetime
    ) -> Iterator[bytes]:
        def still() -> Grant:
            return require_again(self._lake, self._principal, release_id, product)

        try:
            ref, kept = yield from checked(self._lake, still(), file)
        except BadInput as error:
            self._manifest.refused(file.name, found.name, error.reason, error.advice)
            return
        except Retriable:
            self._manifest.refused(file.name, found.name, *_AWAY)
            return
        path = f"{found.folder}/{file.name}"
        blocks = (one for one in kept) if kept else sent(ref, file, Part(0, file.size), still)
        with closing(blocks):
            yield from self.packer.member(path, file.size, made, blocks)
        self._manifest.given(path, found.name, file)

    def _refuse_all(self, wanted: Named, error: BadInput) -> None:
        """Tell each file of a release that may not be had; its names are everybody's, its sums are not."""
        if error.code in _UNKNOWN:  # of a name that means nothing here, or more than one thing
            self._manifest.refused("", wanted.name, error.reason, error.advice)
            return
        after = ""
        while True:
            _, _, page = listed_files(self._lake, wanted.name, self._principal, limit=_AT_ONCE, after=after)
            for file in page:
                if not wanted.files or file["name"] in wanted.files:
                    self._manifest.refused(file["name"], wanted.name, error.reason, error.advice)
            if len(page) < _AT_ONCE:
                return
            after = page[-1]["name"]

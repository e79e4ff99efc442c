"""All files of a release at once: their sums as `sha256sum` reads them, and scripts that fetch them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from lake.archive.asking import Asker, OfLake
from lake.archive.content import opened
from lake.entries import FileEntry
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.names import version_token
from lake.releases.search import files_of

router = APIRouter(tags=["files"])

_AT_ONCE: Final = 1000
_PLAIN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Plain text.", "content": {"text/plain": {}}}
}
#: How each fetches a file and goes on where it broke off. A token is a setting in a private file, and no word
#: of a command, which everybody on the machine could see.
_SHELL: Final = {
    "curl": ('header = \\"Authorization: Bearer %s\\"', "curl -fsS --retry 3 -C - -K"),
    "wget": ("header = Authorization: Bearer %s", "wget -q -c --config"),
}
_OUTPUT: Final = {"curl": "-o", "wget": "-O"}
_HEAD: Final = """#!/bin/sh
# Fetches {release} into the folder where it runs, goes on where it broke off, and compares the sums.
# What is not public: HELIOLAKE_TOKEN=hlk_... sh {by}.sh
set -eu
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
if [ -n "${{HELIOLAKE_TOKEN:-}}" ]; then printf "{setting}\\n" "$HELIOLAKE_TOKEN" > "$settings"; fi
fetch() {{
  {command} "$settings" {output} "$1" "$2"
  printf '%s  %s\\n' "$3" "$1" | sha256sum -c -
}}
"""


@router.get("/releases/{product}/sums", summary="Sums of all files", responses=_PLAIN)
def sums(lake: OfLake, principal: Asker, product: str) -> StreamingResponse:
    """As `sha256sum --check` reads them."""
    _, files = _files(lake, principal, product)
    return _text(f"{file.sha256}  {_safe(file.name)}\n" for file in files)


@router.get("/releases/{product}/script", summary="A script that fetches all files", responses=_PLAIN)
def script(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    by: Annotated[Literal["curl", "wget"], Query(description="What fetches.")] = "curl",
) -> StreamingResponse:
    """For a shell; it goes on where it broke off, and ends with an error where a sum is wrong."""
    release, files = _files(lake, principal, product)
    base = f"{str(request.base_url).rstrip('/')}/api/v1/releases/{quote(release, safe=':@')}/files"
    return _text(_lines(release, base, files, by))


def _lines(release: str, base: str, files: Iterator[FileEntry], by: str) -> Iterator[str]:
    setting, command = _SHELL[by]
    yield _HEAD.format(release=release, by=by, setting=setting, command=command, output=_OUTPUT[by])
    for file in files:
        url = shlex.quote(f"{base}/{quote(file.name)}")
        yield f"fetch {shlex.quote(_safe(file.name))} {url} {file.sha256}\n"


def _files(lake: Lake, principal: Principal, product: str) -> tuple[str, Iterator[FileEntry]]:
    """The release's own name, and its files, few of them in memory."""
    release, key, given = opened(lake, principal, product)

    def pages() -> Iterator[FileEntry]:
        after = ""
        while page := files_of(lake, given, release.id, limit=_AT_ONCE, after=after):
            yield from page
            after = page[-1].name

    return f"{key.name}@{version_token(release.version)}", pages()


def _safe(name: str) -> str:
    """A name of the lake begins with a letter or a digit and holds no path; kept so whatever comes."""
    return name.replace("/", "_").replace("\\", "_").replace("\n", "_").lstrip("-.")


def _text(lines: Iterator[str]) -> StreamingResponse:
    return StreamingResponse(
        lines, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "private, no-cache"}
    )

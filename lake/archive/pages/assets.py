"""The few files that pages need: one style, one script, one picture."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@router.get("/static/{version}/{name}")
def asset(version: str, name: str) -> Response:
    """A file of the pages; its address changes with its content."""
    folder = resources.files("lake.archive.pages").joinpath("static")
    known = {one.name: one for one in folder.iterdir()}
    ending = name[name.rfind(".") :]
    if name not in known or ending not in _KINDS:
        raise HTTPException(404, "There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(known[name].read_bytes(), headers=headers, media_type=_KINDS[ending])

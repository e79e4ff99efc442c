"""What went wrong, for people: the same words that programs get, as a page."""

from __future__ import annotations

import json

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from lake.archive.links import API, root_of
from lake.archive.pages.rendering import page
from lake.archive.pages.wording import for_browsers, sentence

_KEPT = ("retry-after", "www-authenticate", "allow")


def shown(request: Request, problem: JSONResponse) -> Response:
    """A problem as whoever asked wants it: the API's are documents, all others pages."""
    path = request.url.path.removeprefix(root_of(request))
    if path.startswith(f"{API}/") or path == API:
        return problem
    said = json.loads(bytes(problem.body))
    headers = {name: value for name, value in problem.headers.items() if name in _KEPT}
    return page(
        request,
        "problem.html",
        status=problem.status_code,
        headers=headers | {"Cache-Control": "no-store"},
        title=said["title"],
        detail=sentence(said.get("detail", "")),
        advice=sentence(for_browsers(said.get("advice", ""))),
        found=said.get("found", ""),
        code=said.get("code", ""),
    )

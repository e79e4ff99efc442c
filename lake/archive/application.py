"""The archive as an application for a server of web pages."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lake.archive import (
    citable,
    content,
    documents,
    download,
    location,
    overview,
    pages,
    previews,
    problems,
    releases,
    selection,
    values,
)
from lake.archive.asking import OfLake
from lake.archive.bricks import Bricks
from lake.archive.linked_operations import add_links
from lake.archive.looks import Looks
from lake.archive.pages import errors
from lake.archive.sessions import Seal
from lake.archive.surroundings import Surroundings
from lake.archive.tiles import TileCache
from lake.archive.traffic import Measures, Traffic
from lake.archive.verified import Verified
from lake.catalogue.session import transaction
from lake.lake import Lake

_ABOUT: Final = """
Find releases, look at them, download their files. Who shows no token asks as the public: metadata are for
everybody, files under embargo for those who hold it. What goes wrong is a problem document (RFC 9457): what
it is, and what to do.
"""
_LARGEST: Final = 8 << 20
"""Bytes of a question: names of a hundred thousand files."""
_TOO_LARGE: Final = f"The question has more than {_LARGEST} bytes. Ask in parts."
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": what, "content": {problems.PROBLEM: {}}}
    for status, what in {
        400: "Something that was asked for cannot be.",
        401: "The token is not good.",
        403: "Not to be had by you, or not yet.",
        404: "There is no such thing.",
        409: "More than one thing is meant.",
        410: "Withdrawn.",
        413: "More than is read of a question.",
        422: "Something has not its form.",
        429: "Too many requests, downloads, or tokens that were not good.",
        503: "A service is lost; try again.",
    }.items()
}
#: Outside of what is for programs people are told on a page.
_OF_PAGES: Final[dict[int | str, dict[str, Any]]] = {
    status: one | {"content": {**one["content"], "text/html": {}}} for status, one in PROBLEMS.items()
}
_service = APIRouter(tags=["service"])


def archive(lake: Lake, surroundings: Surroundings | None = None) -> FastAPI:
    """The application that serves a lake.

    Parameters
    ----------
    lake
        Open, and used by many threads at once.
    surroundings
        What else it is given; a secret of its own, where nothing is.
    """
    app = _Archive(
        title="Heliolake archive",
        version=version("heliolake"),
        description=_ABOUT,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages load code from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.lake = lake
    app.state.surroundings = surroundings or Surroundings()
    app.state.seal = Seal(app.state.surroundings.secret)
    app.state.looks = Looks()
    app.state.tiles = TileCache()
    app.state.bricks = Bricks()
    app.state.verified = Verified()
    problems.register(app, errors.shown)
    for router in (
        _service,
        overview.router,
        releases.router,
        documents.router,
        content.router,
        location.router,
        selection.router,
        download.router,
        citable.router,
        previews.router,
        values.router,
    ):
        app.include_router(router, prefix="/api/v1", responses=PROBLEMS)
    for router in pages.ROUTERS:  # before those for programs: of a DOI both know the address
        app.include_router(router)
    app.include_router(citable.landing_router, responses=_OF_PAGES)
    app.state.measures = Measures()
    given = app.state.surroundings
    app.add_middleware(Traffic, limits=given.limits, measures=app.state.measures, counts=given.counts)
    app.add_middleware(_Guarded)
    return app


class _Archive(FastAPI):
    """An application whose description says that nobody has to show a token."""

    def openapi(self) -> dict[str, Any]:
        """The description of its interface."""
        if self.openapi_schema is None:
            paths = super().openapi()["paths"]
            add_links(paths)
            for path in paths.values():
                for operation in path.values():
                    if "security" in operation:
                        operation["security"] = [{}, *operation["security"]]
        return super().openapi()


class _Guarded:
    """Has every answer carry the headers that keep browsers from taking it for something else, and reads no
    more of a question than anybody has reason to ask."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > _LARGEST:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
            return message

        await self._app(scope, bounded, guarded)


@_service.get("/health", summary="Whether the archive runs")
def health() -> dict[str, str]:
    """Asks nothing else."""
    return {"status": "ok"}


@_service.get("/ready", summary="Whether the archive can answer")
def ready(lake: OfLake) -> dict[str, str]:
    """Asks the catalogue."""
    with transaction(lake.sessions) as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}

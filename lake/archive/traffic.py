"""What goes through the archive: measured for Prometheus, and kept within limits for each asker.

No label comes from an address: routes are told by their patterns, which are few, and the rest together.
"""

from __future__ import annotations

import hashlib
import re
import time
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lake.archive.limits import Counts, Limiter, Limits
from lake.archive.links import API
from lake.archive.problems import problem
from lake.governance.failures import of_source

_FREE: Final = frozenset(("/api/v1/health", "/api/v1/ready"))
_DOWNLOAD: Final = re.compile(r"/api/v1/(?:download|releases/[^/]+/(?:download|files/[^/]+))")
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "OPTIONS"))
_AGAIN: Final = 10
"""Seconds after which somebody with too many downloads may try again."""


class Measures:
    """Numbers of one archive.

    Attributes
    ----------
    registry
        What Prometheus is shown.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("route", "method", "status")
        name, where = "heliolake_archive", self.registry
        self.requests = Counter(f"{name}_requests", "Requests that were answered", labels, registry=where)
        self.seconds = Histogram(
            f"{name}_seconds", "Seconds until an answer began", ("route",), registry=where
        )
        self.sent = Counter(f"{name}_sent_bytes", "Bytes of answers", ("route",), registry=where)
        self.refused = Counter(
            f"{name}_refused", "Requests beyond what one asker may have", ("why",), registry=where
        )
        self.downloads = Gauge(f"{name}_downloads", "Downloads under way", registry=where)


class Traffic:
    """Measures every answer, and refuses what is too much for one asker.

    Parameters
    ----------
    app
        What answers.
    limits
        What each asker may have.
    measures
        What is told of it.
    counts
        Where askers are counted, where several processes do so together.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, measures: Measures, counts: Counts | None = None
    ) -> None:
        self._app, self._measures = app, measures
        self._limiter = Limiter(limits, counts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        status = 0

        async def measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._measures.seconds.labels(_route(scope)).observe(time.monotonic() - begun)
            elif message["type"] == "http.response.body":
                self._measures.sent.labels(_route(scope)).inc(len(message.get("body", b"")))
            await send(message)

        try:
            await self._within_limits(scope, receive, measured)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._measures.requests.labels(_route(scope), method, status or "broken").inc()

    async def _within_limits(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in _FREE:
            await self._app(scope, receive, send)
            return
        holder, address = _askers(scope)
        wait = self._limiter.wait(sorted({holder, address}), time.monotonic())
        if wait:
            await self._refuse("rate", wait, scope, receive, send)
            return
        if scope["method"] not in ("GET", "POST") or not _DOWNLOAD.fullmatch(path):
            await self._app(scope, receive, send)
            return
        if not self._limiter.begin(holder, address):
            await self._refuse("downloads", _AGAIN, scope, receive, send)
            return
        try:
            with self._measures.downloads.track_inprogress():
                await self._app(scope, receive, send)
        finally:
            self._limiter.end(holder, address)

    async def _refuse(self, why: str, wait: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._measures.refused.labels(why).inc()
        what = "requests in a short time" if why == "rate" else "downloads at once"
        answer = problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"These are too many {what}.",
            code="too-many",
            advice=f"Go on in {wait} seconds.",
            headers={"Retry-After": str(wait)},
        )
        await answer(scope, receive, send)


def _askers(scope: Scope) -> tuple[str, str]:
    """Who asks, as far as can be told unseen, and from where; what they show is kept as a hash alone."""
    client = scope.get("client")
    address = next(iter(of_source(client[0] if client else "")), "from:nowhere")
    headers = Headers(scope=scope)
    shown = headers.get("authorization", "")
    return (f"by:{hashlib.sha256(shown.encode()).hexdigest()}" if shown else address), address


def _route(scope: Scope) -> str:
    """The pattern of what answered; a router does not know below what it was included."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return "other"
    below = scope["path"].startswith(f"{scope.get('root_path', '')}{API}/")
    return f"{API}{path}" if below and not path.startswith(API) else path

"""What went wrong, as a problem document (RFC 9457): what it is, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lake.errors import BadInput, Fatal, Reason, Retriable, Unreachable
from lake.governance.failures import TooMany

_log = logging.getLogger(__name__)

PROBLEM: Final = "application/problem+json"
_TRY_AGAIN: Final = 30
"""Seconds after which somebody may try what failed for a reason that passes."""
_STATUS: Final = {
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.BAD_NAME: HTTPStatus.NOT_FOUND,
    Reason.MISSING_FILE: HTTPStatus.NOT_FOUND,
    Reason.AMBIGUOUS: HTTPStatus.CONFLICT,
    Reason.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Reason.TOO_LONG: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Of what somebody asked for wrongly; everything else is a bad request."""


class NotSignedIn(Exception):
    """The credentials that were shown are none."""

    def __init__(self, why: BadInput) -> None:
        super().__init__(why.reason)
        self.why = why


class Gone(Exception):
    """What was there once, and was withdrawn."""

    def __init__(self, why: BadInput) -> None:
        super().__init__(why.reason)
        self.why = why


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    code: str = "",
    advice: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem document; `code` is short and stable, for scripts."""
    said = {"detail": detail, "code": code, "advice": advice, **more}
    body = {
        "title": status.phrase,
        "status": status.value,
        **{name: one for name, one in said.items() if one},
    }
    told = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status, media_type=PROBLEM, headers=told)


def register(app: FastAPI, shown: Callable[[Request, JSONResponse], Response]) -> None:
    """Have every error of an application told as a problem document.

    Parameters
    ----------
    app
        The application.
    shown
        Makes a page of a problem where a page was asked for.
    """
    handlers: dict[type[Exception], Callable[[Request, Any], JSONResponse]] = {
        BadInput: _bad_input,
        NotSignedIn: _not_signed_in,
        Gone: _gone,
        Retriable: _passing,
        Unreachable: _passing,
        Fatal: _ours,
        RequestValidationError: _not_valid,
        HTTPException: _http,
        Exception: _ours,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, _showing(handler, shown))


def _showing(
    handler: Callable[[Request, Any], JSONResponse], shown: Callable[[Request, JSONResponse], Response]
) -> Callable[[Request, Any], Response]:
    return lambda request, error: shown(request, handler(request, error))


def _told(error: BadInput, status: HTTPStatus) -> JSONResponse:
    return problem(
        status, error.reason, code=error.code, advice=error.advice, keyword=error.keyword, found=error.found
    )


def status_of(error: BadInput) -> HTTPStatus:
    """Of an answer that tells what somebody asked for wrongly."""
    return _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)


def _bad_input(_request: Request, error: Any) -> JSONResponse:
    return _told(error, status_of(error))


def _not_signed_in(_request: Request, error: Any) -> JSONResponse:
    if isinstance(error.why, TooMany):
        answer = _told(error.why, HTTPStatus.TOO_MANY_REQUESTS)
        left = (error.why.again - datetime.now(UTC)).total_seconds()
        answer.headers["Retry-After"] = str(max(1, int(left) + 1))
        return answer
    answer = _told(error.why, HTTPStatus.UNAUTHORIZED)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="heliolake"'
    return answer


def _gone(_request: Request, error: Any) -> JSONResponse:
    return _told(error.why, HTTPStatus.GONE)


def _passing(_request: Request, error: Any) -> JSONResponse:
    """What was lost is for the log: addresses of services are nobody's business."""
    _log.warning("a service is lost: %s", error)
    detail = "A service of the archive does not answer."
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, code="unavailable", advice="Try again later.")
    answer.headers["Retry-After"] = str(_TRY_AGAIN)
    return answer


def _ours(_request: Request, error: Any) -> JSONResponse:
    _log.error("a question could not be answered", exc_info=error)
    detail = "The archive could not answer this."
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, detail, code="failed", advice="Tell the data centre when it was."
    )


def _not_valid(_request: Request, error: Any) -> JSONResponse:
    wrong = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": str(one["msg"])}
        for one in error.errors()
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "; ".join(f"{one['where']}: {one['what']}" for one in wrong),
        code="not-valid",
        advice="/api/v1/openapi.json says what is allowed.",
        errors=wrong,
    )


def _http(_request: Request, error: Any) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    answer = problem(status, str(error.detail), code=status.phrase.lower().replace(" ", "-"))
    answer.headers.update(error.headers or {})
    return answer

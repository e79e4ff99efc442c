"""Signing in by token or by an OpenID provider, and out again."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from lake.archive import sessions
from lake.archive.asking import Asker, OfLake
from lake.archive.links import root_of
from lake.archive.pages.rendering import page
from lake.archive.pages.visiting import Form, local
from lake.archive.surroundings import surroundings_of
from lake.errors import BadInput, Fatal, Reason
from lake.governance import accounts, tokens
from lake.governance.failures import TooMany
from lake.governance.openid import flows
from lake.governance.openid.logins import login
from lake.governance.openid.provider import Provider
from lake.governance.policy import Principal

router = APIRouter(include_in_schema=False)

_BEGUN: Final = "heliolake-signin"
_PATIENCE: Final = 600
"""Seconds that somebody has at their provider."""
_SEE_OTHER: Final = 303


@router.get("/signin")
def form(request: Request, principal: Asker, to: Annotated[str, Query(max_length=1000)] = "") -> HTMLResponse:
    """The ways to sign in."""
    return _form(request, local(to))


@router.post("/signin")
def by_token(request: Request, lake: OfLake, sent: Form) -> Response:
    """Sign in with a token; it is kept sealed in the browser until the session ends."""
    to = local(sent.get("to", [""])[0])
    shown = sent.get("token", [""])[0].strip()
    try:
        accounts.authenticate(lake, shown, sessions.source_of(request))
    except BadInput as error:
        status = 429 if isinstance(error, TooMany) else 401
        return _form(request, to, status=status, wrong=f"{error.reason[0].upper()}{error.reason[1:]}.")
    answer = RedirectResponse(to or f"{root_of(request)}/", _SEE_OTHER)
    sessions.begin(request, answer, shown)
    return answer


@router.post("/signout")
def out(request: Request, lake: OfLake, principal: Asker, _sent: Form) -> RedirectResponse:
    """End the session; a token that was made for it is worth nothing from now on."""
    kept = sessions.token_of(request)
    if kept.get("own") and principal.name:
        with suppress(BadInput):  # it is gone already
            tokens.revoke(lake, kept["token"], principal=Principal(principal.name))
    answer = RedirectResponse(f"{root_of(request)}/", _SEE_OTHER)
    sessions.end(request, answer)
    return answer


@router.get("/signin/openid")
def openid(request: Request, to: Annotated[str, Query(max_length=1000)] = "") -> RedirectResponse:
    """Send somebody to their provider; what comes back has to fit what this browser keeps."""
    begun = flows.begin(_provider(request), _back(request))
    closed = sessions.seal_of(request).close(
        _BEGUN,
        {
            "state": begun.state,
            "nonce": begun.nonce,
            "verifier": begun.verifier,
            "redirect": begun.redirect,
            "to": local(to),
        },
    )
    answer = RedirectResponse(begun.url, _SEE_OTHER)
    sessions.keep(request, answer, _BEGUN, closed, _PATIENCE, lax=True)
    return answer


@router.get("/signin/openid/back")
def openid_back(request: Request, lake: OfLake) -> HTMLResponse:
    """Somebody comes back from their provider.

    The page that answers leads on by itself: a browser sends a strict cookie only where one of our own pages
    leads, not where another site does.
    """
    provider = _provider(request)
    kept = sessions.seal_of(request).open(_BEGUN, request.cookies.get(_BEGUN, ""), _PATIENCE)
    if not kept:
        raise BadInput(
            "This sign-in was not begun in this browser, or too long ago",
            advice="Sign in again",
            code=Reason.NOT_ALLOWED,
        )
    begun = flows.Begun("", kept["redirect"], kept["state"], kept["nonce"], kept["verifier"])
    identity = flows.finish(provider, begun, str(request.url))
    made = login(lake, provider.settings, identity)
    answer = page(
        request, "signed_in.html", account=made.entry.account, to=kept["to"] or f"{root_of(request)}/"
    )
    sessions.begin(request, answer, made.text, own=True)
    answer.delete_cookie(_BEGUN, path=root_of(request) or "/")
    return answer


def _form(request: Request, to: str, *, status: int = 200, wrong: str = "") -> HTMLResponse:
    provider = surroundings_of(request).provider
    return page(
        request,
        "signin.html",
        status=status,
        form=True,
        to=to,
        wrong=wrong,
        issuer=provider.settings.issuer if provider else "",
        hours=sessions.HOURS,
    )


def _provider(request: Request) -> Provider:
    found = surroundings_of(request).provider
    if found is None:
        raise BadInput(
            "This archive knows no OpenID provider", advice="Sign in with a token", code=Reason.NOT_FOUND
        )
    return found


def _back(request: Request) -> str:
    """Where the provider sends people back to, as it has it on its list."""
    base = str(request.base_url).rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise Fatal("The archive does not know its own address.")
    return f"{base}/signin/openid/back"

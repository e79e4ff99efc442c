"""Who a browser is signed in as: a sealed cookie, which it can neither read nor change."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from fastapi import Request, Response

from lake.errors import BadInput
from lake.governance import accounts
from lake.governance.policy import Principal
from lake.lake import Lake

SESSION: Final = "heliolake-session"
FORM: Final = "heliolake-form"
_TOLD: Final = "heliolake-told"
HOURS: Final = 12
"""After so many a session has ended, whatever the token behind it is good for."""
_SAFE: Final = ("GET", "HEAD")
_SAME: Final = "same-origin"
_FRESH: Final = 120
"""Seconds for which what came of a form is worth telling."""
_LONGEST: Final = 1500
"""Letters of it: a cookie has no room for more."""


class Seal:
    """What a browser keeps for the archive, closed so that nobody else reads, changes or makes it.

    Parameters
    ----------
    secret
        Of the home; sessions outlive a restart where it stays the same.
    """

    def __init__(self, secret: str) -> None:
        # Slow on purpose: whoever has a cookie must not find a password that people chose.
        self._key = hashlib.scrypt(secret.encode(), salt=b"heliolake archive", n=2**14, r=8, p=1, dklen=32)
        self._fernet = Fernet(urlsafe_b64encode(self._key))

    def close(self, purpose: str, content: Mapping[str, str]) -> str:
        """Something to be kept, for one purpose alone."""
        return self._fernet.encrypt(json.dumps([purpose, dict(content)]).encode()).decode()

    def open(self, purpose: str, closed: str, seconds: int) -> dict[str, str]:
        """What was closed for this purpose and is not older than that; empty where it is not so."""
        try:
            kept, content = json.loads(self._fernet.decrypt(closed.encode(), ttl=seconds))
        except (InvalidToken, ValueError):
            return {}
        return dict(content) if kept == purpose else {}

    def mark(self, cookie: str) -> str:
        """What a form holds that was made for the browser with this cookie."""
        return hmac.new(self._key, f"form:{cookie}".encode(), hashlib.sha256).hexdigest()


def seal_of(request: Request) -> Seal:
    """The seal of the application that serves."""
    seal: Seal = request.app.state.seal
    return seal


def token_of(request: Request) -> dict[str, str]:
    """The token behind a session, and whether it was made for it; empty without a session."""
    closed = request.cookies.get(SESSION, "")
    return seal_of(request).open(SESSION, closed, HOURS * 3600) if closed else {}


def signed_in(request: Request, lake: Lake) -> Principal | None:
    """Whom the session of a browser stands for; None without one, or once it has ended.

    Other sites may have a browser send forms here, and it would send its cookies along: of what changes
    anything a session counts only when the page that asks is one of ours.
    """
    if request.method not in _SAFE and request.headers.get("sec-fetch-site", _SAME) != _SAME:
        return None
    kept = token_of(request)
    if not kept:
        return None
    try:
        return accounts.authenticate(lake, kept["token"], source_of(request))
    except BadInput:  # revoked, expired, suspended: the page says so
        return None


def source_of(request: Request) -> str:
    """The address somebody asks from."""
    return request.client.host if request.client else ""


def begin(request: Request, answer: Response, token: str, *, own: bool = False) -> None:
    """Keep a session in a browser.

    Parameters
    ----------
    request, answer
        What was asked, and what is answered.
    token
        Of the account.
    own
        Whether the token was made for this session, and goes with it.
    """
    closed = seal_of(request).close(SESSION, {"token": token, "own": "yes" if own else ""})
    keep(request, answer, SESSION, closed, HOURS * 3600)


def end(request: Request, answer: Response) -> None:
    """Have a browser forget its session."""
    answer.delete_cookie(SESSION, path=_path(request))


def tell(request: Request, answer: Response, said: str) -> None:
    """Have the next page of this browser say what came of a form."""
    keep(request, answer, _TOLD, seal_of(request).close(_TOLD, {"said": said[:_LONGEST]}), _FRESH)


def told(request: Request, answer: Response | None = None) -> str:
    """What the page before has to say; forgotten with an answer that says it."""
    closed = request.cookies.get(_TOLD, "")
    if closed and answer is not None:
        answer.delete_cookie(_TOLD, path=_path(request))
    return seal_of(request).open(_TOLD, closed, _FRESH).get("said", "") if closed else ""


def keep(
    request: Request, answer: Response, name: str, value: str, seconds: int | None, *, lax: bool = False
) -> None:
    """Set a cookie that no script reads, and that no other site makes a browser send.

    Parameters
    ----------
    request, answer, name, value
        Where, and what.
    seconds
        For how long; until the browser is closed where None.
    lax
        Sent along too where another site leads here, as an OpenID provider does.
    """
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax" if lax else "strict",
    )


def form_cookie(request: Request) -> str:
    """What tells this browser's forms from those of others; a new one where it has none yet."""
    kept: str = (
        getattr(request.state, "form", "") or request.cookies.get(FORM, "") or secrets.token_urlsafe(24)
    )
    request.state.form = kept
    return kept


def comes_from_our_form(request: Request, mark: str) -> bool:
    """Whether a form was made by a page of the archive for the browser that sends it."""
    cookie = request.cookies.get(FORM, "")
    known = bool(cookie) and hmac.compare_digest(seal_of(request).mark(cookie).encode(), mark.encode())
    origin = request.headers.get("origin", "")
    here = f"{request.url.scheme}://{request.url.netloc}"
    return known and origin in ("", here)


def _path(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") or "/"

"""Who looks at a page, and what they send in its forms."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from lake.archive import sessions
from lake.archive.asking import Asker
from lake.archive.pages.rendering import curates
from lake.errors import BadInput, Reason
from lake.governance.policy import Principal

_LARGEST: Final = 1 << 20  # bytes of a form: names of a thousand files


def curator_of(principal: Asker) -> Principal:
    """Somebody who may see what is for curators.

    Raises
    ------
    BadInput
        When they may not.
    """
    if not curates(principal):
        raise BadInput(
            "This page is for curators and operators",
            advice="Sign in with an account that curates an instrument",
            code=Reason.NOT_ALLOWED,
        )
    return principal


async def form_of(request: Request) -> dict[str, list[str]]:
    """What was sent in a form that a page of the archive made for this browser.

    Raises
    ------
    HTTPException
        When it came from elsewhere, or is too large.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise HTTPException(413, "The form is larger than any of this archive.")
    sent: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        sent.setdefault(name, []).append(value)
    if not sessions.comes_from_our_form(request, sent.get("mark", [""])[0]):
        raise HTTPException(
            403,
            "This form was not made for your browser, or is too old. Load the page again, and send it anew.",
        )
    return sent


def local(address: str) -> str:
    """An address within the archive; its beginning where another was named, so that nobody is led away."""
    parts = urlsplit(address)
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if inside and address.isprintable() and "\\" not in address else ""


Curator = Annotated[Principal, Depends(curator_of)]
Form = Annotated[dict[str, list[str]], Depends(form_of)]

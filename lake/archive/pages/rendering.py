"""Templates and what they are given: every text is escaped, and what cannot be seen is spelled out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lake.archive import sessions
from lake.archive.links import root_of
from lake.governance.policy import PUBLIC, Principal, Scope
from lake.text import printable

HEADERS: Final = {
    # Nothing but files of the archive itself: no code or style within a page, whatever a header says.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Our own forms say where they come from; others learn nothing.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Cookie",
}
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000


def page(
    request: Request,
    template: str,
    /,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A page of the archive.

    Parameters
    ----------
    request
        What was asked.
    template
        Its name.
    status, headers
        Of the answer.
    context
        What the template shows.
    """
    asker: Principal | None = getattr(request.state, "principal", None)  # of an error perhaps not known
    principal = asker or PUBLIC
    ended = asker is PUBLIC and sessions.SESSION in request.cookies
    in_session = bool(principal.name) and bool(sessions.token_of(request))
    given = {
        "root": root_of(request),
        "here": request.url.path,
        "principal": principal,
        "curating": curates(principal),
        "in_session": in_session,
        "ended": ended,
        "news": sessions.told(request),
    }
    if in_session or context.get("form"):
        given["mark"] = sessions.seal_of(request).mark(sessions.form_cookie(request))
    text = _environment().get_template(template).render(given | context)
    answer = HTMLResponse(text, status, {**HEADERS, **(headers or {})})
    if "mark" in given and sessions.FORM not in request.cookies:
        sessions.keep(request, answer, sessions.FORM, sessions.form_cookie(request), None)
    if ended:
        sessions.end(request, answer)
    sessions.told(request, answer)
    return answer


def curates(principal: Principal) -> bool:
    """Whether somebody sees what is for curators: those of an instrument, and operators."""
    return Scope.READ in principal.scopes and (principal.operator or bool(principal.curates))


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("lake.archive.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Whatever stands in a template as a value is made plain before it is escaped.
        finalize=_plain,
    )
    found.filters.update(
        moment=_moment,
        day=_day,
        size=size,
        number=_number,
        path=path,
        plural=_plural,
        seen=_seen,
    )
    found.globals.update(asset=_asset, statuses=("ACTIVE", "SUPERSEDED", "WITHDRAWN"))
    return found


def _plain(value: Any) -> Any:
    """A text without what turns its letters around, or is not seen at all."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(printable(line) for line in value.split("\n"))
    return value


def _seen(value: Any) -> str:
    """A value of a header or an observation, for people."""
    if isinstance(value, list):
        return ", ".join(map(_seen, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.7g}"
    return "" if value is None else str(value)


def _moment(when: str | datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> Markup:
    """A time as people read it, and as programs do."""
    if not when:
        return Markup("–")
    moment = when if isinstance(when, datetime) else datetime.fromisoformat(when)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime(form)
    )


def _day(when: str | datetime | None) -> Markup:
    return _moment(when, "%Y-%m-%d")


def size(bytes_: int) -> str:
    """A number of bytes as people say it."""
    amount, unit = float(bytes_), 0
    while amount >= _THOUSAND and unit < len(_UNITS) - 1:
        amount, unit = amount / _THOUSAND, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}" if unit else f"{bytes_} bytes"


def _number(value: int) -> Markup:
    return Markup("{:,}").format(int(value)).replace(",", "\N{NARROW NO-BREAK SPACE}")


def _plural(number: int, noun: str) -> Markup:
    """`1 file`, `2 files`; the number parted in thousands."""
    return Markup("{} {}").format(_number(number), noun if number == 1 else f"{noun}s")


def path(text: str) -> str:
    """A name as a part of an address."""
    return quote(text, safe=":@")


def _asset(name: str) -> str:
    """The address of one of our files, which changes with their content: browsers keep it for ever."""
    return f"/static/{_edition()}/{name}"


@cache
def _edition() -> str:
    """Of all files together, for scripts load each other from beside them."""
    content = hashlib.sha256()
    folder = resources.files("lake.archive.pages").joinpath("static")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()[:12]

"""Who asks, and of which lake: what every route of the archive is given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lake.archive import sessions
from lake.archive.problems import NotSignedIn
from lake.errors import BadInput
from lake.governance import accounts
from lake.governance.policy import PUBLIC, Principal
from lake.lake import Lake

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token as `heliolake account token make` gives; without one the public asks.",
)


def lake_of(request: Request) -> Lake:
    """The lake that the application serves."""
    lake: Lake = request.app.state.lake
    return lake


def principal_of(
    request: Request,
    lake: Annotated[Lake, Depends(lake_of)],
    shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Principal:
    """Whom the policy is to judge: of a token that is not good nobody, not the public.

    A browser sends its session along without being asked to: once it has ended the public asks.

    Raises
    ------
    NotSignedIn
        When a token was shown that is not good.
    """
    request.state.principal = found = _found(request, lake, shown)
    return found


def _found(request: Request, lake: Lake, shown: HTTPAuthorizationCredentials | None) -> Principal:
    if shown is None and "authorization" not in request.headers:
        return sessions.signed_in(request, lake) or PUBLIC
    try:
        return accounts.authenticate(lake, shown.credentials if shown else "", sessions.source_of(request))
    except BadInput as error:
        raise NotSignedIn(error) from error


OfLake = Annotated[Lake, Depends(lake_of)]
Asker = Annotated[Principal, Depends(principal_of)]

"""From the token in which a provider says who somebody is to that person; nothing unsigned is believed."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from typing import Any, Final

from lake.errors import BadInput, Fatal, Reason
from lake.governance.names import check_account
from lake.governance.openid.provider import Provider
from lake.text import printable

_log = logging.getLogger(__name__)

#: What a provider may sign with. Never `none`, and nothing with a secret that is shared.
ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
_LEEWAY: Final = 30  # seconds that clocks may differ
_LONGEST: Final = 255


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as their provider says it.

    Attributes
    ----------
    issuer, subject
        The provider, and what it calls the person for ever. Together they are the person; nothing else is.
    name
        What a new account is to be called after.
    groups
        Groups of the lake that the claims name.
    """

    issuer: str
    subject: str
    name: str = ""
    groups: frozenset[str] = frozenset()


def identity_of(provider: Provider, id_token: str, nonce: str | None, access_token: str = "") -> Identity:
    """Who a token is about, once its signature, issuer, audience, times and nonce are right.

    Groups and name that the token does not tell are asked for where the provider tells them instead (OpenID
    Connect Core 1.0, 5.3 and 5.4: many put into the token no more than the subject).

    Parameters
    ----------
    provider
        Who must have made it.
    id_token
        The token.
    nonce
        What was sent along with the question; None where none could be.
    access_token
        What came with the token, and lets more be asked; nothing is asked without it.

    Raises
    ------
    BadInput
        When anything about it is not right.
    """
    claims = _claims(provider, id_token)
    settings = provider.settings
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if len(audience) > 1 or "azp" in claims:
        _ask(claims.get("azp") == settings.client_id, "it was made for another client", claims.get("azp"))
    if nonce is not None:
        answered = str(claims.get("nonce", ""))
        _ask(hmac.compare_digest(answered.encode(), nonce.encode()), "it answers another login", "nonce")
    subject = claims["sub"]
    _ask(isinstance(subject, str) and 0 < len(subject) <= _LONGEST, "it names nobody", "sub")
    if access_token and (_claimed(provider, claims) is None or settings.name_claim not in claims):
        claims = _besides(provider, access_token, subject) | claims
    name = claims.get(settings.name_claim)
    return Identity(
        settings.issuer, subject, name if isinstance(name, str) else "", _groups(provider, claims)
    )


def _claims(provider: Provider, id_token: str) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jws import extract_compact

    settings = provider.settings
    try:
        header = extract_compact(id_token.encode()).headers()
        _ask(header.get("alg") in ALGORITHMS, "it is not signed as it must be", header.get("alg"))
        token = jwt.decode(id_token, provider.keys(header.get("kid")), algorithms=ALGORITHMS)
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        rules.validate(token.claims)
    except (JoseError, ValueError, TypeError, UnicodeError) as error:
        raise _refused("it is not valid", str(error)) from None
    return token.claims


def _besides(provider: Provider, access_token: str, subject: str) -> dict[str, Any]:
    """What the provider tells of the same person elsewhere."""
    try:
        told = provider.told_of(access_token)
    except Fatal as error:  # some answer with what is no JSON: who somebody is, is known all the same
        _log.warning("groups and name of a login are those of its token alone: %s", error)
        return {}
    if told:
        _ask(told.get("sub") == subject, "it tells of another person", told.get("sub"))
    return told


def _claimed(provider: Provider, claims: dict[str, Any]) -> Any:
    """What stands where groups do; `None` where nothing does."""
    claimed: Any = claims.get(provider.settings.groups_claim)
    if claimed is None:
        claimed = claims
        for part in provider.settings.groups_claim.split("."):
            claimed = claimed.get(part) if isinstance(claimed, dict) else None
    return claimed


def _groups(provider: Provider, claims: dict[str, Any]) -> frozenset[str]:
    """Groups that are named and can be groups here; what else a provider calls a group is not ours."""
    settings, claimed = provider.settings, _claimed(provider, claims)
    named = [one for one in claimed if isinstance(one, str)] if isinstance(claimed, list) else []
    if settings.groups is not None:
        return frozenset(settings.groups[one] for one in named if one in settings.groups)
    return frozenset(filter(_can_be_a_name, named))


def _can_be_a_name(text: str) -> bool:
    try:
        check_account(text)
    except BadInput:
        return False
    return True


def _ask(right: bool, otherwise: str, found: object) -> None:
    if not right:
        raise _refused(otherwise, found)


def _refused(why: str, found: object) -> BadInput:
    return BadInput(
        f"the OpenID provider's answer is refused: {why}",
        found=printable(str(found))[:200],
        advice="log in again; if that does not help, tell an operator of this data centre.",
        code=Reason.NOT_ALLOWED,
    )

"""The two ways to log in: through a browser here (code with PKCE), or through one elsewhere (device)."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from lake.errors import BadInput, Reason
from lake.governance.openid.identity import Identity, identity_of
from lake.governance.openid.provider import PATIENCE, Provider, unreachable
from lake.text import printable

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL: Final = 5.0  # seconds between questions where the provider does not say
_SLOWER: Final = 5.0  # seconds more when it asks for it


@dataclass(frozen=True)
class Begun:
    """A login in a browser that has begun; it belongs to one person's session and is used once.

    Attributes
    ----------
    url
        Where the person goes.
    redirect
        Where the provider sends them back to.
    state, nonce, verifier
        What ties the answer to this login.
    """

    url: str
    redirect: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class DeviceBegun:
    """A login that goes on in a browser elsewhere.

    Attributes
    ----------
    url
        Where the person goes, on any machine.
    user_code
        What they type there.
    complete_url
        An address with the code in it; '' where there is none.
    device_code
        What the answer is asked for with.
    interval
        Seconds between questions.
    expires
        For how many seconds the person has time.
    """

    url: str
    user_code: str
    complete_url: str
    device_code: str = field(repr=False)
    interval: float
    expires: float


def begin(provider: Provider, redirect: str) -> Begun:
    """Begin a login in a browser.

    Parameters
    ----------
    provider
        Whom to ask.
    redirect
        Where the browser comes back to.
    """
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    url, state = _session(provider, redirect).create_authorization_url(
        provider.address("authorization_endpoint"),
        state=secrets.token_urlsafe(32),
        nonce=nonce,
        code_verifier=verifier,
    )
    return Begun(url, redirect, state, nonce, verifier)


def finish(provider: Provider, begun: Begun, answer: str) -> Identity:
    """Who came back.

    Parameters
    ----------
    provider
        Who was asked.
    begun
        The login that was begun for them.
    answer
        The address at which the browser came back.

    Raises
    ------
    BadInput
        When the answer is to another login, by another provider, used before, or that nobody logged in.
    Retriable
        When the provider does not answer.
    """
    given = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    if not hmac.compare_digest(given.get("state", "").encode(), begun.state.encode()):
        raise _refused("it is the answer to another login", "state")
    stated = provider.metadata.get("authorization_response_iss_parameter_supported") is True
    if given.get("iss", provider.settings.issuer if not stated else "") != provider.settings.issuer:
        raise _refused("it is the answer of another provider", given.get("iss", "none is named"))
    if "error" in given:
        raise _refused("nobody was logged in", given.get("error_description") or given["error"])
    if "code" not in given:
        raise _refused("nobody was logged in", "no code")
    tokens = _exchange(
        provider,
        _session(provider, begun.redirect),
        grant_type="authorization_code",
        code=given["code"],
        redirect_uri=begun.redirect,
        code_verifier=begun.verifier,
    )
    return _identity(provider, tokens, begun.nonce)


def begin_device(provider: Provider) -> DeviceBegun:
    """Begin a login in a browser elsewhere.

    Raises
    ------
    BadInput
        When the provider does not do that for us.
    """
    import requests

    settings, secret = provider.settings, provider.settings.secret()
    asked = {"client_id": settings.client_id, "scope": " ".join(settings.scopes)}
    try:
        answer = requests.post(
            provider.address("device_authorization_endpoint"),
            data=asked,
            auth=(settings.client_id, secret) if secret else None,
            timeout=PATIENCE,
            allow_redirects=False,
        )
        told = answer.json()
        return DeviceBegun(
            url=str(told["verification_uri"]),
            user_code=str(told["user_code"]),
            complete_url=str(told.get("verification_uri_complete", "")),
            device_code=str(told["device_code"]),
            interval=max(1.0, float(told.get("interval", _INTERVAL))),
            expires=float(told["expires_in"]),
        )
    except requests.JSONDecodeError:
        raise _refused("it knows no login from elsewhere", answer.status_code) from None
    except requests.RequestException as error:
        raise unreachable(settings.issuer, error) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        said = told.get("error", "an incomplete answer") if isinstance(told, dict) else "no object"
        raise _refused("it knows no login from elsewhere for this client", said) from None


def finish_device(
    provider: Provider, begun: DeviceBegun, sleep: Callable[[float], object] = time.sleep
) -> Identity:
    """Wait until the person has logged in, and say who it is.

    Parameters
    ----------
    provider
        Who was asked.
    begun
        The login.
    sleep
        Waits for some seconds.

    Raises
    ------
    BadInput
        When they did not, or too late, or were refused.
    """
    session = _session(provider)
    interval, ends = begun.interval, time.monotonic() + begun.expires
    while time.monotonic() < ends:
        sleep(interval)
        pending: list[str] = []
        tokens = _exchange(provider, session, pending, grant_type=_DEVICE, device_code=begun.device_code)
        if not pending:
            return _identity(provider, tokens, None)
        interval += _SLOWER if pending == ["slow_down"] else 0.0
    raise _refused("nobody logged in in time", f"{begun.expires:.0f} s")


def _identity(provider: Provider, tokens: dict[str, Any], nonce: str | None) -> Identity:
    id_token, access_token = (str(tokens.get(name, "")) for name in ("id_token", "access_token"))
    return identity_of(provider, id_token, nonce, access_token)


def _session(provider: Provider, redirect: str | None = None) -> OAuth2Session:
    from authlib.integrations.requests_client import OAuth2Session

    settings, secret = provider.settings, provider.settings.secret()
    return OAuth2Session(
        settings.client_id,
        secret or None,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=" ".join(settings.scopes),
        redirect_uri=redirect,
        code_challenge_method="S256",
    )


def _exchange(
    provider: Provider, session: OAuth2Session, pending: list[str] | None = None, **question: str
) -> dict[str, Any]:
    """Ask for tokens; where one may have to wait, `pending` says that it is so, and what was said."""
    import requests
    from authlib.integrations.base_client import OAuthError

    try:
        found: dict[str, Any] = session.fetch_token(
            provider.address("token_endpoint"), timeout=PATIENCE, allow_redirects=False, **question
        )
    except OAuthError as error:
        if pending is not None and error.error in ("authorization_pending", "slow_down"):
            pending.append(error.error)
            return {}
        raise _refused("it gives no token", error.description or error.error) from None
    except requests.JSONDecodeError:
        raise _refused("it gives no token", "no JSON") from None
    except requests.RequestException as error:
        raise unreachable(provider.settings.issuer, error) from None
    return found


def _refused(why: str, found: object) -> BadInput:
    return BadInput(
        f"the OpenID provider's answer is refused: {why}",
        found=printable(str(found))[:200],
        advice="log in again.",
        code=Reason.NOT_ALLOWED,
    )

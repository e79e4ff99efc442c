"""What an OpenID provider publishes about itself: its addresses and its keys, kept for a while."""

from __future__ import annotations

import time
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3

from lake.errors import Fatal, Retriable
from lake.governance.addresses import guarded_address
from lake.governance.openid.settings import ProviderSettings

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

PATIENCE: Final = 10.0  # seconds for each answer
_LARGEST: Final = 1 << 20
_KEPT: Final = 3600.0  # seconds; a key that was taken back is believed no longer
_ASKED_AGAIN: Final = 60.0  # seconds between looks for a key that is not there


class Provider:
    """A provider, asked once and remembered.

    Parameters
    ----------
    settings
        Which.
    """

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._keys: KeySet | None = None
        self._read = 0.0

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What it says of itself.

        Raises
        ------
        Fatal
            When it is not the one that was named, or cannot be trusted with a login.
        """
        issuer = self.settings.issuer
        found = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise Fatal(
                f"The OpenID provider at {issuer} calls itself {str(found.get('issuer'))[:200]!r}. "
                "Name it exactly as it does."
            )
        methods = found.get("code_challenge_methods_supported")
        if methods is not None and "S256" not in methods:
            raise Fatal(f"The OpenID provider {issuer} does not know PKCE with S256; logins need it.")
        return found

    def address(self, name: str) -> str:
        """One of its addresses.

        Raises
        ------
        Fatal
            When it has none such, or one that others can listen at.
        """
        try:
            return guarded_address(str(self.metadata[name]))
        except KeyError:
            raise Fatal(f"The OpenID provider {self.settings.issuer} has no {name}.") from None
        except ValueError as error:
            raise Fatal(f"The OpenID provider {self.settings.issuer}, {name}: {error}.") from None

    def keys(self, needed: str | None) -> KeySet:
        """Its public keys; asked for again when one is needed that is not among them.

        Parameters
        ----------
        needed
            The name of the key that a signature names.
        """
        with self._lock:
            age = time.monotonic() - self._read
            known = self._keys is not None and needed in {key.kid for key in self._keys.keys}
            if self._keys is None or age > _KEPT or (not known and age > _ASKED_AGAIN):
                self._keys = self._fetched_keys()
                self._read = time.monotonic()
            return self._keys

    def _fetched_keys(self) -> KeySet:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        try:
            document = self._get(self.address("jwks_uri"))
            # Secret keys have no place among published ones: whoever knows them could sign.
            public = [key for key in document["keys"] if key.get("kty") in ("RSA", "EC", "OKP")]
            return KeySet.import_key_set({"keys": public})
        except (KeyError, TypeError, ValueError, AttributeError, JoseError) as error:
            raise Fatal(f"The keys of the OpenID provider {self.settings.issuer} are none.") from error

    def told_of(self, access_token: str) -> dict[str, Any]:
        """What it tells besides of whoever an access token stands for; nothing where it has no place for it.

        Raises
        ------
        Fatal
            When it does not answer as it should.
        Retriable
            When it does not answer.
        """
        if "userinfo_endpoint" not in self.metadata:
            return {}
        return self._get(self.address("userinfo_endpoint"), Authorization=f"Bearer {access_token}")

    def _get(self, url: str, **headers: str) -> dict[str, Any]:
        try:
            with requests.get(
                url, timeout=PATIENCE, allow_redirects=False, stream=True, headers=headers
            ) as answer:
                if answer.status_code != requests.codes.ok:
                    raise Fatal(f"{url} answers {answer.status_code}; is it an OpenID provider?")
                text = answer.raw.read(_LARGEST + 1, decode_content=True)
            if len(text) > _LARGEST:
                raise Fatal(f"{url} answers with more than a megabyte; is it an OpenID provider?")
            found = requests.compat.json.loads(text)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise unreachable(self.settings.issuer, error) from None
        except ValueError as error:
            raise Fatal(f"{url} does not answer with JSON; is it an OpenID provider?") from error
        if not isinstance(found, dict):
            raise Fatal(f"{url} does not answer as an OpenID provider does.")
        return found


def unreachable(issuer: str, error: Exception) -> Retriable:
    """One sentence for a provider that does not answer."""
    return Retriable(
        f"The OpenID provider {issuer} does not answer ({type(error).__name__}); without it heliolake logs "
        "nobody in. Try again later."
    )

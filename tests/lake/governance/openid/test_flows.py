"""Logins with a real OpenID provider: what is right comes through, and nothing else."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from lake.errors import BadInput, Fatal, Retriable
from lake.governance.openid import flows
from lake.governance.openid.identity import Identity, identity_of
from lake.governance.openid.provider import Provider
from tests.lake.governance.openid.conftest import PEOPLE, settings_of
from tests.openid.browser import log_in
from tests.openid.provider import OpenIdProvider

REDIRECT = "http://127.0.0.1:1/callback"


def begun(provider: Provider, person: str = "ada") -> tuple[flows.Begun, str]:
    """A login in which the person has done their part, and where the browser came back."""
    started = flows.begin(provider, REDIRECT)
    return started, log_in(started.url, person, until=REDIRECT)


def id_token(provider: Provider) -> tuple[str, str]:
    """A token as the provider makes them, with its nonce."""
    told, nonce = exchanged(provider)
    return told["id_token"], nonce


def exchanged(provider: Provider, person: str = "ada") -> tuple[dict[str, str], str]:
    """All tokens of a login, and its nonce."""
    started, answer = begun(provider, person)
    (code,) = parse_qs(urlsplit(answer).query)["code"]
    asked = {
        "grant_type": "authorization_code",
        "client_id": provider.settings.client_id,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": started.verifier,
    }
    told: dict[str, str] = requests.post(provider.address("token_endpoint"), data=asked, timeout=10).json()
    return told, started.nonce


def test_who_logs_in_in_a_browser_is_known_with_their_groups(provider: Provider) -> None:
    started, answer = begun(provider)
    found = flows.finish(provider, started, answer)
    assert found == Identity(provider.settings.issuer, "ada", "ada", frozenset({"kis", "p7"}))


def test_the_question_is_bound_to_its_answer(provider: Provider) -> None:
    one, other = flows.begin(provider, REDIRECT), flows.begin(provider, REDIRECT)
    asked = parse_qs(urlsplit(one.url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert one.verifier not in one.url
    assert {one.state, one.nonce, one.verifier}.isdisjoint({other.state, other.nonce, other.verifier})
    assert not any(secret in repr(one).replace(one.url, "") for secret in (one.verifier,))


def test_a_client_with_a_secret_logs_in_too(openid: OpenIdProvider, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text("kept in a file of mode 0600\n")
    provider = Provider(settings_of(openid, client_id="archive", client_secret_file=file))
    assert flows.finish(provider, *begun(provider)).subject == "ada"
    file.write_text("another\n")
    with pytest.raises(BadInput, match="gives no token"):
        flows.finish(provider, *begun(provider))


def test_a_wrong_verifier_is_refused(provider: Provider) -> None:
    started, answer = begun(provider)
    with pytest.raises(BadInput, match="gives no token"):
        flows.finish(provider, replace(started, verifier="x" * 64), answer)


def test_a_login_without_pkce_is_refused(provider: Provider) -> None:
    started = flows.begin(provider, REDIRECT)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(started.url).query).items()}
    without = {name: value for name, value in asked.items() if not name.startswith("code_challenge")}
    url = f"{provider.address('authorization_endpoint')}?{urlencode(without)}"
    answer = log_in(url, "ada", until=REDIRECT)
    with pytest.raises(BadInput, match="nobody was logged in"):
        flows.finish(provider, started, answer)


def test_a_code_is_good_once(provider: Provider) -> None:
    started, answer = begun(provider)
    flows.finish(provider, started, answer)
    with pytest.raises(BadInput, match="gives no token"):
        flows.finish(provider, started, answer)


def test_the_answer_to_another_login_is_refused(provider: Provider) -> None:
    (started, answer), (other, _) = begun(provider), begun(provider, "hal")
    with pytest.raises(BadInput, match="another login"):
        flows.finish(provider, other, answer)
    # A code that was slipped in with the right state is found out by verifier and by nonce.
    slipped = answer.replace(started.state, other.state)
    with pytest.raises(BadInput, match="gives no token"):
        flows.finish(provider, other, slipped)
    (started, answer) = begun(provider)
    with pytest.raises(BadInput, match=r"another login.*nonce"):
        flows.finish(provider, replace(started, nonce="another"), answer)


def test_the_answer_of_another_provider_is_refused(provider: Provider) -> None:
    started, answer = begun(provider)
    given = parse_qs(urlsplit(answer).query)
    for wrong in ("https://evil.example.org", ""):
        asked = {name: values[0] for name, values in given.items() if name != "iss"} | {"iss": wrong}
        with pytest.raises(BadInput, match="another provider"):
            flows.finish(provider, started, f"{REDIRECT}?{urlencode({k: v for k, v in asked.items() if v})}")


def test_an_answer_without_a_code_logs_nobody_in(provider: Provider) -> None:
    started = flows.begin(provider, REDIRECT)
    iss = urlencode({"state": started.state, "iss": provider.settings.issuer})
    for rest in ("", "&error=access_denied&error_description=no%1b[31m"):
        with pytest.raises(BadInput, match="nobody was logged in") as error:
            flows.finish(provider, started, f"{REDIRECT}?{iss}{rest}")
        assert "\x1b" not in str(error.value)


def test_a_token_for_another_client_is_refused(openid: OpenIdProvider, provider: Provider) -> None:
    token, nonce = id_token(Provider(settings_of(openid, client_id="other")))
    with pytest.raises(BadInput, match=r"not valid.*aud"):
        identity_of(provider, token, nonce)


def test_an_expired_token_is_refused(tmp_path: Path, openid: OpenIdProvider) -> None:
    with OpenIdProvider(tmp_path, PEOPLE, behind=2 * 3600) as late:
        provider = Provider(settings_of(late))
        with pytest.raises(BadInput, match=r"not valid.*expired"):
            flows.finish(provider, *begun(provider))


def test_a_token_from_the_future_is_refused(tmp_path: Path, openid: OpenIdProvider) -> None:
    with OpenIdProvider(tmp_path, PEOPLE, behind=-2 * 3600) as early:
        provider = Provider(settings_of(early))
        with pytest.raises(BadInput, match="not valid"):
            flows.finish(provider, *begun(provider))


def test_a_token_of_another_provider_is_refused(
    tmp_path: Path, openid: OpenIdProvider, provider: Provider
) -> None:
    with OpenIdProvider(tmp_path, PEOPLE) as foreign:
        token, nonce = id_token(Provider(settings_of(foreign)))
    with pytest.raises(BadInput, match="not valid"):
        identity_of(provider, token, nonce)


def test_forged_tokens_are_refused(provider: Provider) -> None:
    token, nonce = id_token(provider)
    assert identity_of(provider, token, nonce).subject == "ada"
    header, payload, signature = token.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    changed = _part(claims | {"sub": "hal"})
    (public,) = provider.keys(None).keys
    kid = json.loads(urlsafe_b64decode(header + "=="))["kid"]
    shared = OctKey.import_key(str(public.as_dict(private=False)["n"]))
    forged = [
        f"{header}.{changed}.{signature}",
        f"{header}.{payload}.",
        f"{_part({'alg': 'none'})}.{payload}.",
        f"{_part({'alg': 'RS256', 'kid': kid})}.{changed}.{signature}",
        jwt.encode({"alg": "RS256", "kid": kid}, claims, RSAKey.generate_key(2048)),
        jwt.encode({"alg": "HS256", "kid": kid}, claims, shared, algorithms=["HS256"]),
        "",
        "a.b",
        "a.b.c",
        "ä.ö.ü",
        "." * 1000,
    ]
    for one in forged:
        with pytest.raises(BadInput, match="refused"):
            identity_of(provider, one, nonce)


def _part(document: object) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "change",
    [
        {"sub": ""},
        {"sub": 7},
        {"sub": "a" * 300},
        {"sub": None},
        {"azp": "other"},
        {"aud": ["heliolake", "other"]},
        {"nonce": None},
        {"exp": None},
        {"iat": None},
        {"iss": "https://evil.example.org"},
        {"iss": None},
        {"aud": None},
    ],
)
def test_claims_that_no_provider_may_make_are_refused(provider: Provider, change: dict[str, object]) -> None:
    """Signed with the very key that is believed, which a real provider does not give away."""
    token, nonce = id_token(provider)
    key = RSAKey.generate_key(2048, {"kid": "ours"})
    provider._keys = type(provider.keys(None))([key])
    claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    changed = {name: value for name, value in (claims | change).items() if value is not None}
    right = jwt.encode({"alg": "RS256", "kid": "ours"}, claims, key)
    assert identity_of(provider, right, nonce).subject == "ada"
    with pytest.raises(BadInput, match="refused"):
        identity_of(provider, jwt.encode({"alg": "RS256", "kid": "ours"}, changed, key), nonce)


def test_a_provider_changes_its_keys_and_logins_go_on(tmp_path: Path, openid: OpenIdProvider) -> None:
    with OpenIdProvider(tmp_path, PEOPLE) as own:
        provider = Provider(settings_of(own))
        assert flows.finish(provider, *begun(provider)).subject == "ada"
        old, nonce = id_token(provider)
        own.stop()
        own.start()  # with new keys
        with pytest.raises(BadInput, match="not valid"):  # it was asked for keys just now
            flows.finish(provider, *begun(provider))
        provider._read -= 61
        assert flows.finish(provider, *begun(provider)).subject == "ada"
        with pytest.raises(BadInput, match="not valid"):
            identity_of(provider, old, nonce)


def test_keys_are_asked_for_once(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    token, nonce = id_token(provider)
    identity_of(provider, token, nonce)
    asked: list[str] = []

    def get(url: str, **_: object) -> None:
        asked.append(url)

    monkeypatch.setattr(requests, "get", get)
    for _ in range(5):
        identity_of(provider, token, nonce)
        with pytest.raises(BadInput):
            identity_of(provider, _part({"alg": "RS256", "kid": "made up"}) + ".e30.YQ", nonce)
    assert asked == []


def test_groups_that_cannot_be_ours_do_not_count(openid: OpenIdProvider) -> None:
    plain = Provider(settings_of(openid))
    assert flows.finish(plain, *begun(plain, "Eve Ünlü")).groups == {"kis"}
    assert flows.finish(plain, *begun(plain, "hal")).groups == frozenset()  # one text is no list
    named = Provider(settings_of(openid, groups={"Not A Name": "guests"}))
    assert flows.finish(named, *begun(named, "Eve Ünlü")).groups == {"guests"}


def test_groups_and_name_that_tokens_do_not_tell_are_asked_for(
    tmp_path: Path, openid: OpenIdProvider
) -> None:
    with OpenIdProvider(tmp_path, PEOPLE, sparing=True) as sparing:
        provider = Provider(settings_of(sparing))
        tokens, nonce = exchanged(provider)
        silent = identity_of(provider, tokens["id_token"], nonce)
        assert (silent.name, silent.groups) == ("", frozenset())
        whole = Identity(sparing.issuer, "ada", "ada", frozenset({"kis", "p7"}))
        assert identity_of(provider, tokens["id_token"], nonce, tokens["access_token"]) == whole
        assert flows.finish(provider, *begun(provider)) == whole
        others, _ = exchanged(provider, "hal")
        with pytest.raises(BadInput, match="it tells of another person"):
            identity_of(provider, tokens["id_token"], nonce, others["access_token"])
        known = identity_of(provider, tokens["id_token"], nonce, "no token at all")
        assert (known.subject, known.groups) == ("ada", frozenset())


def test_a_login_from_another_machine(provider: Provider) -> None:
    started = flows.begin_device(provider)
    assert started.device_code not in repr(started)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:  # once it has been said that one has to wait
            log_in(started.complete_url, "ada")

    found = flows.finish_device(provider, started, wait)
    assert (found.subject, set(found.groups)) == ("ada", {"kis", "p7"})
    assert len(waits) == 2
    with pytest.raises(BadInput, match="gives no token"):  # a device code is good once
        flows.finish_device(provider, started, lambda _: None)


def test_who_does_not_log_in_in_time_is_not_waited_for(provider: Provider) -> None:
    started = replace(flows.begin_device(provider), expires=0.5)
    with pytest.raises(BadInput, match="in time"):
        flows.finish_device(provider, started, lambda _: time.sleep(0.1))


def test_a_client_that_may_not_log_in_from_elsewhere_is_told(openid: OpenIdProvider) -> None:
    with pytest.raises(BadInput, match="no login from elsewhere"):
        flows.begin_device(Provider(settings_of(openid, client_id="nobody")))


def test_a_provider_that_calls_itself_otherwise_is_refused(openid: OpenIdProvider) -> None:
    elsewhere = f"http://localhost:{openid.port}"
    with pytest.raises(Fatal, match="calls itself"):
        flows.begin(Provider(settings_of(openid, issuer=elsewhere)), REDIRECT)


@pytest.mark.parametrize("act", [lambda p: flows.begin(p, REDIRECT), flows.begin_device])
def test_a_provider_that_does_not_answer_is_said_to(
    openid: OpenIdProvider, act: Callable[[Provider], object]
) -> None:
    with pytest.raises(Retriable, match="does not answer"):
        act(Provider(settings_of(openid, issuer="http://127.0.0.1:9")))
    with pytest.raises(Fatal, match="is it an OpenID provider"):
        act(Provider(settings_of(openid, issuer=f"{openid.issuer}/jwks")))

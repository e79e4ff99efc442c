"""`heliolake account login`, with a real OpenID provider and a browser that fills in its forms."""

from __future__ import annotations

import json
import re
import secrets
import stat
import webbrowser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from cluster.home.home import Home
from heliolake.callback import listening
from lake.errors import BadInput
from lake.governance import accounts
from lake.lake import Lake
from tests.heliolake.conftest import Command
from tests.openid.browser import log_in
from tests.openid.provider import OpenIdProvider, require

PERSON = f"l{secrets.token_hex(5)}"


@pytest.fixture
def provided(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The home, and a provider that its commands log in with."""
    require()
    with OpenIdProvider(tmp_path, {PERSON: {"groups": ["kis"]}}) as openid:
        monkeypatch.setenv("HELIOLAKE_LOGIN_ISSUER", openid.issuer)
        monkeypatch.setenv("HELIOLAKE_LOGIN_CLIENT_ID", "heliolake")
        monkeypatch.setenv("HELIOLAKE_LOGIN_SCOPES", "[openid, profile, groups]")
        yield home
    (home.path / "login.json").unlink(missing_ok=True)


def test_a_login_in_the_browser_keeps_a_token_in_place_of_the_one_before(
    here: Command, provided: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heliolake.cli.login._PATIENCE", 60.0)
    kept = provided.path / "login.json"
    with ThreadPoolExecutor(1) as pool, Lake.open(provided.lake_config()) as lake:

        def browse(url: str) -> None:
            (back,) = parse_qs(urlsplit(url).query)["redirect_uri"]
            pool.submit(lambda: requests.get(log_in(url, PERSON, until=back), timeout=10))

        monkeypatch.setattr(webbrowser, "open", browse)
        said = here("account", "login")
        assert said.code == 0, said.err
        assert f"You are {PERSON}" in said.err
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        token = json.loads(kept.read_text())["token"]
        assert token not in said.out + said.err
        found = accounts.authenticate(lake, token)
        assert (found.name, set(found.groups)) == (PERSON, {"kis"})
        assert here("account", "login").code == 0
        with pytest.raises(BadInput, match="revoked"):
            accounts.authenticate(lake, token)
        assert accounts.authenticate(lake, json.loads(kept.read_text())["token"]).name == PERSON


def test_a_login_from_elsewhere_shows_a_code(
    here: Command, provided: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Screen:
        def print(self, text: str, **_: object) -> None:
            told.append(text)
            if found := re.search(r"or open (\S+)", text):
                log_in(found[1], PERSON)

    monkeypatch.setattr("heliolake.cli.login.err", Screen)
    assert here("account", "login", "--device", "--scope", "read", "--scope", "write").code == 0
    assert re.search(r"type \[bold\][A-Z]{4}-[A-Z]{4}", told[0])
    assert "good for read, write" in told[1]


def test_a_home_without_a_provider_says_how_to_name_one(here: Command) -> None:
    said = here("account", "login")
    assert said.code == 2
    assert "Name one in" in said.err


def test_only_the_answer_to_this_login_ends_the_waiting() -> None:
    with listening() as listener, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(listener.wait, "right", 20.0)
        base = listener.address.removesuffix("/callback")
        assert requests.get(f"{base}/favicon.ico", timeout=10).status_code == 404
        for query in ("?state=wrong&code=1", "", "?code=2"):
            assert requests.get(listener.address + query, timeout=10).status_code == 200
        requests.get(f"{listener.address}?state=right&code=3", timeout=10)
        assert waiting.result(timeout=20).endswith("?state=right&code=3")
        with pytest.raises(BadInput, match="in time"):
            listener.wait("other", 0.2)

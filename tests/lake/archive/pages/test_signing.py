"""Signing in: sessions hold no readable token, forms of other sites are refused, what ends is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lake.archive.application import archive
from lake.archive.sessions import FORM, SESSION, Seal
from lake.archive.surroundings import Surroundings
from lake.errors import BadInput
from lake.governance import accounts, tokens
from lake.governance.openid.provider import Provider
from lake.governance.policy import OWNER, Scope
from lake.lake import Lake
from tests.lake.archive.conftest import Served, mark_of, sign_in
from tests.lake.governance.openid.conftest import openid, settings_of  # noqa: F401 - a fixture
from tests.openid.browser import log_in
from tests.openid.provider import OpenIdProvider


@pytest.fixture
def browser(lake: Lake) -> Iterator[TestClient]:
    """A browser that keeps its cookies, of somebody nobody knows yet."""
    with TestClient(archive(lake), raise_server_exceptions=False, follow_redirects=False) as asking:
        yield asking


def bearer(token: dict[str, dict[str, str]], name: str) -> str:
    return token[name]["Authorization"].split()[1]


def test_a_holder_signs_in_gets_the_files_and_signs_out(
    browser: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release = served["embargoed"]
    file = f"{release.url}/files/{release.first}"
    assert browser.get(file).status_code == 403
    answer = sign_in(browser, bearer(token, "ar-holder"), f"/releases/{release.product}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/releases/{release.product}")
    assert browser.get(file).content == release.files[release.first]
    page = browser.get(answer.headers["location"])
    assert "ar-holder" in page.text
    assert "set-cookie" not in page.headers
    out = browser.post("/signout", data={"mark": mark_of(browser, "/")})
    assert out.status_code == 303
    assert browser.get(file).status_code == 403


def test_the_cookie_is_for_this_site_alone_and_does_not_tell_the_token(
    browser: TestClient, token: dict[str, dict[str, str]]
) -> None:
    shown = bearer(token, "ar-holder")
    cookie = sign_in(browser, shown).headers["set-cookie"]
    assert shown not in cookie
    assert shown.split("_")[1] not in cookie
    for word in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert word in cookie
    assert "Secure" not in cookie  # on this machine alone, without TLS
    with TestClient(browser.app, base_url="https://archive.example.org", follow_redirects=False) as far:
        assert "Secure" in sign_in(far, shown).headers["set-cookie"]


def test_what_is_no_token_is_refused_and_nothing_is_kept(browser: TestClient, nobody: dict[str, str]) -> None:
    for shown in ("", "hlk_x", nobody["Authorization"].split()[1]):
        answer = sign_in(browser, shown)
        assert answer.status_code == 401
        assert SESSION not in browser.cookies
        assert 'role="alert"' in answer.text


def test_a_form_of_another_site_is_refused(browser: TestClient, token: dict[str, dict[str, str]]) -> None:
    shown = bearer(token, "ar-holder")
    mark = mark_of(browser)
    elsewhere = {"Origin": "https://elsewhere.example.org"}
    for data, headers in (
        ({"token": shown}, {}),
        ({"token": shown, "mark": "0" * 64}, {}),
        ({"token": shown, "mark": mark}, elsewhere),
        ({"token": shown, "mark": mark}, {"Origin": "null"}),
    ):
        answer = browser.post("/signin", data=data, headers=headers)
        assert (answer.status_code, SESSION in browser.cookies) == (403, False)
    with TestClient(browser.app) as other:  # a mark is good in the browser it was made for
        other.get("/signin")
        assert other.post("/signin", data={"token": shown, "mark": mark}).status_code == 403
    sign_in(browser, shown)
    assert browser.post("/signout", data={"mark": "0" * 64}).status_code == 403
    assert "ar-holder" in browser.get("/").text


@pytest.mark.parametrize(
    "to", ["https://elsewhere.example.org", "//elsewhere.example.org", "/\\elsewhere", "x:y", "/a\n"]
)
def test_nobody_is_led_away_from_the_archive(
    browser: TestClient, token: dict[str, dict[str, str]], to: str
) -> None:
    assert sign_in(browser, bearer(token, "ar-holder"), to).headers["location"] == "/"


def test_a_session_ends_with_its_token_and_the_page_says_so(browser: TestClient, lake: Lake) -> None:
    accounts.add(lake, "ar-leaving", principal=OWNER)
    made = tokens.make(lake, "ar-leaving", [Scope.READ], principal=OWNER)
    sign_in(browser, made.text)
    assert "ar-leaving" in browser.get("/").text
    tokens.revoke(lake, made.entry.id, principal=OWNER)
    answer = browser.get("/")
    assert (answer.status_code, "Your session has ended" in answer.text) == (200, True)
    assert SESSION not in browser.cookies
    assert browser.get("/api/v1/releases").status_code == 200


def test_somebody_signs_in_with_their_institute(
    lake: Lake,
    openid: OpenIdProvider,  # noqa: F811
    served: dict[str, Served],
) -> None:
    app = archive(lake, Surroundings(provider=Provider(settings_of(openid))))
    with TestClient(app, base_url="http://127.0.0.1:8686", follow_redirects=False) as browser:
        assert openid.issuer in browser.get("/signin").text
        begun = browser.get("/signin/openid?to=/search")
        assert begun.status_code == 303
        assert "code_challenge_method=S256" in begun.headers["location"]
        assert "SameSite=lax" in begun.headers["set-cookie"]
        back = log_in(begun.headers["location"], "ada", until="http://127.0.0.1:8686/")
        with TestClient(app, base_url="http://127.0.0.1:8686") as another:  # where it was not begun
            assert another.get(back).status_code == 403
        answer = browser.get(back)
        assert (answer.status_code, 'url=/search"' in answer.text) == (200, True)
        assert "ada" in browser.get("/search").text
        assert browser.get(back).status_code == 403  # an answer is good once
        token = app.state.seal.open(SESSION, browser.cookies[SESSION], 60)["token"]
        browser.post("/signout", data={"mark": mark_of(browser, "/")})
        with pytest.raises(BadInput, match="revoked"):
            accounts.authenticate(lake, token)


def test_where_no_provider_is_named_nobody_is_sent_to_one(browser: TestClient) -> None:
    assert "institute" not in browser.get("/signin").text
    assert browser.get("/signin/openid").status_code == 404


def test_a_cookie_that_we_did_not_close_is_none(
    browser: TestClient, token: dict[str, dict[str, str]]
) -> None:
    shown = bearer(token, "ar-holder")
    closed = Seal("ours").close(SESSION, {"token": shown})
    assert Seal("ours").open(SESSION, closed, 60) == {"token": shown}
    assert not Seal("ours").open(FORM, closed, 60)
    assert not Seal("ours").open(SESSION, closed, -1)
    assert not Seal("another").open(SESSION, closed, 60)
    for cookie in (closed, closed[:-4], "x", shown):
        browser.cookies.clear()
        browser.cookies.set(SESSION, cookie)
        assert "ar-holder" not in browser.get("/").text


def test_pages_for_curators_are_for_them_and_the_trail_for_operators(browser: TestClient, lake: Lake) -> None:
    places = ("", "/embargoes", "/quarantine", "/runs", "/audit")

    def seen_by(**rights: Any) -> list[int]:
        browser.cookies.clear()
        if rights:
            name = f"ar-{'operator' if rights.get('operator') else 'curator'}"
            accounts.add(lake, name, principal=OWNER, **rights)
            sign_in(browser, tokens.make(lake, name, [Scope.READ], principal=OWNER).text)
        return [browser.get(f"/curate{place}").status_code for place in places]

    assert seen_by() == [403] * 5
    assert seen_by(curates=["archived"]) == [200, 200, 200, 200, 403]
    assert seen_by(operator=True) == [200] * 5

"""No route of the archive gives away what somebody may not have: not in a body, a header, or an error."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from lake.archive.pages import ROUTERS
from lake.governance import audit
from lake.lake import Lake
from lake.storage.store import key_of
from tests.lake.archive.conftest import STANDINGS, Served, mark_of, sign_in

_FILE = "/api/v1/releases/{product}/files/{name}"
#: Every route, asked about a release and a file of it. One that is not here fails the first test.
ROUTES = {
    "/api/v1/health": "/api/v1/health",
    "/api/v1/ready": "/api/v1/ready",
    "/api/v1/instruments": "/api/v1/instruments",
    "/api/v1/instruments/{instrument}/calendar": "/api/v1/instruments/archived/calendar?year=2021",
    "/api/v1/count": "/api/v1/count?status={status}&observation={observation}",
    "/api/v1/facets": "/api/v1/facets?status={status}&observation={observation}",
    "/api/v1/files/{did}": "/api/v1/files/archived:{name}",
    "/api/v1/releases": "/api/v1/releases?status={status}&observation={observation}",
    "/api/v1/observations/{instrument}/{name}": "/api/v1/observations/archived/{observation}",
    "/api/v1/products/{product}": "/api/v1/products/{of}",
    "/api/v1/releases/{product}": "/api/v1/releases/{product}",
    "/api/v1/releases/{product}/changes": "/api/v1/releases/{product}/changes?against=1",
    "/api/v1/releases/{product}/provenance": "/api/v1/releases/{product}/provenance",
    "/api/v1/releases/{product}/files/{name}/location": "/api/v1/releases/{product}/files/{name}/location",
    "/api/v1/releases/{product}/files/{name}/about": "/api/v1/releases/{product}/files/{name}/about",
    "/api/v1/releases/{product}/sums": "/api/v1/releases/{product}/sums",
    "/api/v1/releases/{product}/script": "/api/v1/releases/{product}/script?by=wget",
    "/api/v1/releases/{product}/download": "/api/v1/releases/{product}/download?form=tar&file={name}",
    "/api/v1/releases/{product}/metadata": "/api/v1/releases/{product}/metadata?form=croissant",
    "/doi/{doi}": "/doi/{doi}",
    "/api/v1/download": "/api/v1/download?form=tar&status={status}&observation={observation}",
    "/api/v1/script": "/api/v1/script?by=python&product={product}",
    "/api/v1/releases/{product}/files": "/api/v1/releases/{product}/files",
    "/api/v1/releases/{product}/files/{name}": "/api/v1/releases/{product}/files/{name}",
    _FILE + "/preview": _FILE + "/preview?size=small",
    _FILE + "/quality": _FILE + "/quality",
    _FILE + "/scene": _FILE + "/scene",
    _FILE + "/tiles/{zoom}/{column}/{row}": _FILE + "/tiles/0/0/0",
    _FILE + "/values": _FILE + "/values?at=0:9,:",
    "/api/v1/releases/{product}/movie": "/api/v1/releases/{product}/movie",
    "/api/v1/releases/{product}/files/{name}/header": "/api/v1/releases/{product}/files/{name}/header",
}
#: Every page, which is in no description of the API.
PAGES = {
    "/": "/",
    "/search": "/search?status={status}&observation={observation}",
    "/calendar": "/calendar?instrument=archived&year=2021",
    "/releases/{product}": "/releases/{product}",
    "/files/{did}": "/files/archived:{name}",
    "/releases/{product}/header/{file}": "/releases/{product}/header/{name}?find=observer",
    "/releases/{product}/look/{file}": "/releases/{product}/look/{name}",
    "/doi/{doi:path}": "/doi/{doi}",
    "/help": "/help",
    "/signin": "/signin?to=/releases/{product}",
    "/signout": "/signout",
    "/signin/openid": "/signin/openid",
    "/signin/openid/back": "/signin/openid/back?state={name}",
    "/curate": "/curate",
    "/curate/embargoes": "/curate/embargoes",
    "/curate/quarantine": "/curate/quarantine",
    "/curate/runs": "/curate/runs",
    "/curate/runs/{run}": "/curate/runs/{name}",
    "/curate/audit": "/curate/audit",
    "/curate/embargo": "/curate/embargo?about=archived:{observation}",
    "/curate/releases/{product}": "/curate/releases/{product}",
    "/curate/releases/{product}/withdraw": "/curate/releases/{product}/withdraw",
    "/curate/releases/{product}/doi": "/curate/releases/{product}/doi",
    "/static/{version}/{name}": "/static/1/page.css",
}
ASKED: tuple[dict[str, str], ...] = (
    {},
    {"Range": "bytes=0-99"},
    {"If-None-Match": "*"},
    {"If-Range": '"x"', "Range": "bytes=1-"},
    {"Accept": "text/html"},
    {"Origin": "https://elsewhere.example.org"},
)


#: What forms of pages send, as far as they change anything: all of them are asked as they are by their pages.
FORMS: dict[str, dict[str, str]] = {
    "/signin": {"token": "hlk_0"},
    "/signout": {},
    "/curate/embargo": {"about": "archived:{observation}", "what": "lift", "reason": "a test", "sure": "yes"},
    "/curate/releases/{product}/withdraw": {"reason": "a test", "sure": "yes"},
    "/curate/releases/{product}/doi": {"what": "publish", "sure": "yes"},
    "/curate/runs/{run}": {"what": "cancel", "sure": "yes"},
    "/curate/quarantine": {"what": "close", "reason": "a test", "kind": "x", "seen": "2999"},
}


def test_every_route_is_on_the_list(client: TestClient) -> None:
    assert set(client.get("/api/v1/openapi.json").json()["paths"]) == set(ROUTES)
    assert {
        route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
    } == set(PAGES)
    assert {
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    } == set(FORMS)


def secrets_of(lake: Lake, release: Served) -> set[str]:
    """What only those may see who may have the bytes."""
    found = set()
    for entry in release.entries:
        digest = base64.b64encode(bytes.fromhex(entry.sha256)).decode()
        place = lake.store.place(key_of(entry.scope, entry.name))
        found |= {entry.sha256, entry.adler32, digest, place, "SIMPLE  =", "whose; and"}
    return found


def told(answer: Any) -> str:
    """All that an answer says."""
    body: str = answer.content.decode("latin-1")
    return "\n".join([body, *(f"{name}: {value}" for name, value in answer.headers.items())])


def told_of(release: Served, standing: str) -> dict[str, str]:
    """What addresses and forms are filled in with."""
    return {
        "product": f"{release.product}@v0001",
        "of": release.product,
        "doi": release.doi,
        "name": release.first,
        "run": release.first,
        "observation": f"{standing}_obs",
        "status": "WITHDRAWN" if standing == "withdrawn" else "ACTIVE",
    }


@pytest.mark.parametrize("asker", ["", "ar-stranger"])
@pytest.mark.parametrize("standing", [one for one in STANDINGS if one != "public"])
@pytest.mark.parametrize("route", sorted(ROUTES | PAGES))
def test_a_route_gives_nothing_away(
    client: TestClient,
    lake: Lake,
    served: dict[str, Served],
    token: dict[str, dict[str, str]],
    route: str,
    standing: str,
    asker: str,
) -> None:
    release = served[standing]
    url = (ROUTES | PAGES)[route].format(**told_of(release, standing))
    hidden = secrets_of(lake, release)
    for more in ASKED if route in ROUTES else ({"Accept": "text/html"},):  # pages look at no others
        for method in ("GET", "HEAD", "OPTIONS"):
            said = told(client.request(method, url, headers=token.get(asker, {}) | more))
            assert not {one for one in hidden if one in said}


@pytest.mark.parametrize("asker", ["", "ar-stranger", "ar-holder"])
@pytest.mark.parametrize("standing", STANDINGS)
def test_who_decides_nothing_changes_nothing_and_learns_nothing(
    lake: Lake,
    client: TestClient,
    served: dict[str, Served],
    token: dict[str, dict[str, str]],
    standing: str,
    asker: str,
) -> None:
    release = served[standing]
    hidden = secrets_of(lake, release) if asker != "ar-holder" else set()
    names = told_of(release, standing)
    with TestClient(client.app, raise_server_exceptions=False, follow_redirects=False) as browser:
        if asker:
            sign_in(browser, token[asker]["Authorization"].split()[1])
        mark = mark_of(browser)
        before = audit.head(lake)
        for route, fields in FORMS.items():
            if route in ("/signin", "/signout"):
                continue
            sent = {name: value.format(**names) for name, value in fields.items()}
            for data in (sent, sent | {"mark": "0" * 64}, sent | {"mark": mark}):
                answer = browser.post(route.format(**names), data=data)
                assert answer.status_code == 403, (route, answer.text)
                assert not {one for one in hidden if one in told(answer)}
        assert audit.head(lake) == before


@pytest.mark.parametrize("asker", ["", "ar-stranger"])
@pytest.mark.parametrize("standing", [one for one in STANDINGS if one != "public"])
@pytest.mark.parametrize(("route", "more"), [("download", {"form": "tar"}), ("script", {"by": "wget"})])
def test_a_list_of_names_gives_nothing_away(
    client: TestClient,
    lake: Lake,
    served: dict[str, Served],
    token: dict[str, dict[str, str]],
    route: str,
    more: dict[str, str],
    standing: str,
    asker: str,
) -> None:
    release = served[standing]
    hidden = secrets_of(lake, release)
    for files in ([], list(release.files)):
        wanted = {"releases": [{"product": f"{release.product}@v0001", "files": files}], **more}
        said = told(client.post(f"/api/v1/{route}", json=wanted, headers=token.get(asker, {})))
        assert not {one for one in hidden if one in said}
        assert "not to be had" in said or '"refused": ' in said


def test_whoever_may_have_it_is_told(
    client: TestClient, lake: Lake, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    """Or the test above would look for what is never said."""
    release = served["embargoed"]
    headers = token["ar-holder"]
    document = told(client.get(release.url, headers=headers))
    file = told(client.get(f"{release.url}/files/{release.first}", headers=headers))
    hidden = secrets_of(lake, release)
    assert {one for one in hidden if one in document + file} > {release.entries[0].sha256, "SIMPLE  ="}

"""Pages of releases: what a visitor sees, and that hostile names and headers are only ever text."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from fastapi.testclient import TestClient

from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage.store import key_of
from tests.lake.archive.conftest import Served

#: A product in an address of the pages.
PRODUCT = re.compile(r'href="/releases/([^"/]+)"')
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"' {{ 7*7 }}"
TURNED = "abc\u202edcba"


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def looked_at(client: TestClient, url: str, **more: Any) -> Tags:
    """A page that is there, and breaks none of the rules of all pages."""
    answer = client.get(url, **more)
    assert answer.status_code in (200, 410), answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    page = Tags(answer.text)
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (
            tag,
            attributes,
        )
        assert tag not in ("style", "iframe", "object")
        data = attributes.get("type") == "application/ld+json"
        assert tag != "script" or data or (attributes["src"] or "").startswith("/static/")
        for name in ("src", "action"):
            assert (attributes.get(name) or "/").startswith("/"), attributes
    return page


@pytest.fixture(scope="module")
def hostile(lake: Lake) -> str:
    """A release whose header and values somebody wrote who means ill."""
    key = ProductKey("hostile", "hostile_obs", "0")
    image = fits.PrimaryHDU(np.zeros((4, 4), np.int16))
    image.header["OBSERVER"] = ("<script>alert(1)</script>", "<b onclick=x>")
    buffer = io.BytesIO()
    image.writeto(buffer, checksum=True)
    stored = lake.store.put(key_of("hostile", "hostile.fits"), buffer.getvalue())
    meta = {"target": HOSTILE, "campaign": "</title><script>", "<script>": TURNED}
    entry = FileEntry("hostile", "hostile.fits", "0", "hostile", *stored.checksums, caveats=(HOSTILE,))
    draft = reserve(lake, key, "k")
    publish(lake, draft, [entry], Provenance(observation_meta=meta))
    return key.name


def test_hostile_values_and_headers_are_shown_and_never_obeyed(client: TestClient, hostile: str) -> None:
    page = looked_at(client, f"/releases/{hostile}")
    assert HOSTILE in page.text
    assert "abc\\u202edcba" in page.text
    assert TURNED not in page.text
    for url in (
        f"/releases/{hostile}/header/hostile.fits",
        f"/search?words={HOSTILE}",
        "/search?words=script",
    ):
        assert len([tag for tag, _ in looked_at(client, url).tags if tag == "script"]) == 1
    header = looked_at(client, f"/releases/{hostile}/header/hostile.fits?find=%3Cscript")
    assert "<script>alert(1)</script>" in header.text


def test_a_page_shows_a_release_with_its_files_and_what_can_be_done(
    client: TestClient, served: dict[str, Served]
) -> None:
    release = served["public"]
    page = looked_at(client, f"/releases/{release.product}")
    links = {attributes.get("href") for _, attributes in page.tags}
    for name in release.files:
        assert f"{release.url}/files/{name}" in links
        assert f"/releases/{release.product}@v0001/header/{name}" in links
    for words in (
        "public spot",
        "Cite",
        "Versions and what changed",
        "the first version",
        "heliolake.connect()",
    ):
        assert words in page.text


def test_a_visitor_sees_of_an_embargo_its_end_and_a_holder_the_files(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release = served["embargoed"]
    page = looked_at(client, f"/releases/{release.product}")
    assert "2999-01-01 00:00:00" in page.text
    assert not any("/files/" in (attributes.get("href") or "") for _, attributes in page.tags)
    assert not [tag for tag, attributes in page.tags if attributes.get("class") == "preview"]
    held = looked_at(client, f"/releases/{release.product}", headers=token["ar-holder"])
    assert any("/files/" in (attributes.get("href") or "") for _, attributes in held.tags)
    refused = client.get(f"/releases/{release.product}/header/{release.first}")
    assert (refused.status_code, "2999-01-01" in refused.text) == (403, True)


def test_what_was_withdrawn_has_a_tombstone(client: TestClient, served: dict[str, Served]) -> None:
    url = f"/releases/{served['withdrawn'].product}@v0001"
    page = looked_at(client, url)
    assert client.get(url).status_code == 410
    assert "was withdrawn" in page.text
    assert not any("/files/" in (attributes.get("href") or "") for _, attributes in page.tags)


def test_a_doi_leads_browsers_to_its_page_and_programs_to_metadata(
    client: TestClient, served: dict[str, Served]
) -> None:
    release, browser = served["public"], {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    url = f"/doi/{release.doi}"
    page = looked_at(client, url, headers=browser)
    assert f"https://doi.org/{release.doi}" in page.text
    assert f"/releases/{release.product}@v0001" in {one.get("href") for _, one in page.tags}
    assert "describedby" in client.get(url, headers=browser).headers["link"]
    assert client.get(url).headers["content-type"] == "application/ld+json"
    gone = client.get(f"/doi/{served['withdrawn'].doi}", headers=browser)
    assert (gone.status_code, "not available any more" in gone.text) == (410, True)
    assert client.get(f"/doi/{served['draft'].doi}", headers=browser).status_code == 404


def test_headers_are_searched_in_keywords_values_and_comments(
    client: TestClient, served: dict[str, Served]
) -> None:
    release = served["public"]
    url = f"/releases/{release.product}/header/{release.first}"
    assert "NAXIS1" in looked_at(client, url).text
    for word in ("observer", "public 1", "WHOSE"):
        page = looked_at(client, f"{url}?find={word}")
        assert "1 of" in page.text
        assert "NAXIS1" not in page.text
    assert client.get(f"{url}?hdu=9").status_code == 404


def test_a_search_says_what_cannot_be_and_keeps_what_was_typed(
    client: TestClient, served: dict[str, Served]
) -> None:
    found = looked_at(client, "/search?instrument=archived&observation=public*&level=&words=")
    assert "1 release" in found.text
    wrong = client.get("/search?since=yesterday")
    assert wrong.status_code == 422
    assert "write it as 2011-09-10" in wrong.text
    assert 'value="yesterday"' in wrong.text
    empty = client.get("/search?since=2012-01-01&until=2011-01-01")
    assert "the time span is empty" in empty.text


def test_a_search_offers_how_to_go_on(client: TestClient, served: dict[str, Served], hostile: str) -> None:
    page = looked_at(client, "/search?observation=*_obs")
    links = [attributes.get("href") or "" for _, attributes in page.tags]
    narrower = next(one for one in links if "instrument=archived" in one and one.startswith("/search"))
    found = looked_at(client, narrower)
    assert "2 releases" in found.text
    assert not any("instrument=hostile" in (one.get("href") or "") for _, one in found.tags)
    year = looked_at(client, "/search?instrument=archived&since=2021-01-01&until=2022-01-01")
    assert "2 releases" in year.text
    wrong = client.get("/search?x=5")
    assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)


def test_the_calendar_leads_to_the_releases_of_a_day(client: TestClient, served: dict[str, Served]) -> None:
    page = looked_at(client, "/calendar?instrument=archived&year=2021")
    day = next(
        attributes["href"] for _, attributes in page.tags if "2021-01-01" in (attributes.get("href") or "")
    )
    assert day is not None
    assert "public_obs" in looked_at(client, day).text
    assert "on 0 days" in looked_at(client, "/calendar?instrument=archived&year=1999").text


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/nothing", 404),
        ("/releases/none_obs.l0", 404),
        ("/releases/%3Cscript%3E", 404),
        ("/doi/10.5072/x", 404),
    ],
)
def test_what_is_not_there_is_told_on_a_page(client: TestClient, url: str, status: int) -> None:
    answer = client.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "<script>" not in answer.text


def test_whatever_lists_a_simulated_release_says_so(
    client: TestClient, simulated: str, served: dict[str, Served]
) -> None:
    said, search = '<span class="badge warn">simulated</span>', "/search?instrument={}"
    for url in (
        search.format("modelled"),
        f"/releases/{simulated}",
        f"/releases/{simulated}/look/model.fits",
    ):
        assert client.get(url).text.count(said) == 1, url
    home = client.get("/").text
    listed = [client.get(f"/api/v1/products/{name}").json()["releases"] for name in PRODUCT.findall(home)]
    assert home.count(said) == sum(releases[0]["simulated"] for releases in listed)
    assert "simulated" not in looked_at(client, search.format("archived")).text
    for scope, expected in (("modelled", {True}), ("archived", {False})):
        found = client.get(f"/api/v1/releases?instrument={scope}").json()["releases"]
        assert {one["simulated"] for one in found} == expected
    for document in (f"releases/{simulated}", f"releases/{simulated}/files/model.fits/about"):
        assert client.get(f"/api/v1/{document}").json()["release"]["simulated"] is True
    (release,) = client.get(f"/api/v1/products/{simulated}").json()["releases"]
    assert release["simulated"] is True


@pytest.mark.parametrize("url", ["/", "/search", "/help", "/signin", "/calendar"])
def test_pages_are_there_for_everybody_and_leave_no_cookie_without_need(client: TestClient, url: str) -> None:
    looked_at(client, url)
    client.cookies.clear()
    assert ("set-cookie" in client.get(url).headers) == (url == "/signin")
    client.cookies.clear()

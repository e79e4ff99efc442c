"""Where DOIs lead: metadata in the forms that machines want, links between them, and tombstones."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from lake.archive.application import archive
from lake.archive.citable import MEDIA
from lake.archive.negotiation import preferred
from lake.governance.doi.metadata import validate
from lake.lake import Lake
from tests.lake.archive.conftest import Served

LINK = re.compile(r'<([^>]*)>; rel="([^"]*)"(?:; type="([^"]*)")?')


def landed(client: TestClient, release: Served, accept: str = "*/*", **headers: str) -> Any:
    return client.get(f"/doi/{release.doi}", headers={"Accept": accept, **headers})


def test_a_doi_leads_to_the_form_that_is_asked_for(client: TestClient, served: dict[str, Served]) -> None:
    for media in MEDIA.values():
        answer = landed(client, served["public"], media)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media.partition(";")[0])
    assert landed(client, served["public"], "image/png").status_code == 406
    assert landed(client, served["public"]).headers["content-type"] == "application/ld+json"
    both = "application/x-bibtex;q=0.5, application/vnd.datacite.datacite+json"
    assert landed(client, served["public"], both).headers["content-type"] == MEDIA["datacite"]


def test_search_engines_read_what_it_is_by_whom_and_where(
    client: TestClient, served: dict[str, Served]
) -> None:
    release = served["public"]
    said = landed(client, release, MEDIA["schema"]).json()
    assert (said["@type"], said["@id"]) == ("Dataset", f"https://doi.org/{release.doi}")
    assert said["name"] == "Toy spectra: public_obs, level 0"
    assert said["creator"][0]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert said["license"] == "https://example.org/by/4.0/"
    assert said["temporalCoverage"] == "2021-01-01T01:00:00+00:00/2021-01-01T02:01:00+00:00"
    assert client.get(said["distribution"][0]["contentUrl"]).status_code == 200


def test_croissant_has_the_sums_of_files_for_those_who_may_have_them(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release = served["embargoed"]
    url = f"{release.url}/metadata?form=croissant"
    said = client.get(url).json()
    assert (said["distribution"], "Embargoed until 2999" in said["conditionsOfAccess"]) == ([], True)
    said = client.get(url, headers=token["ar-holder"]).json()
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    for one, entry in zip(said["distribution"], release.entries, strict=True):
        assert one["sha256"] == entry.sha256
        got = client.get(one["contentUrl"], headers=token["ar-holder"])
        assert got.content == release.files[entry.name]


def test_croissants_own_checker_finds_nothing(
    client: TestClient, served: dict[str, Served], caplog: pytest.LogCaptureFixture
) -> None:
    mlcroissant = pytest.importorskip(
        "mlcroissant", reason="mlcroissant is not installed: it brings pandas and much else for one look"
    )
    for standing in ("public", "embargoed"):
        said = client.get(f"{served[standing].url}/metadata?form=croissant").json()
        assert mlcroissant.Dataset(jsonld=said).metadata.url.startswith("http")
    assert not caplog.records


def test_signposts_are_read_by_who_reads_signposts(client: TestClient, served: dict[str, Served]) -> None:
    reader = pytest.importorskip("signposting.linkheader", reason="signposting is not installed")
    found = reader.find_signposting_http_link([landed(client, served["public"]).headers["link"]])
    assert str(found.citeAs.target) == f"https://doi.org/{served['public'].doi}"
    assert (len(found.describedBy), len(found.items), len(found.linksets)) == (7, 2, 1)


def test_datacite_gets_what_its_registry_is_told(client: TestClient, served: dict[str, Served]) -> None:
    said = landed(client, served["public"], MEDIA["datacite"]).json()
    validate(said)
    assert said["doi"] == served["public"].doi


def test_what_was_withdrawn_is_told_as_gone_with_the_reason(
    client: TestClient, served: dict[str, Served]
) -> None:
    answer = landed(client, served["withdrawn"], MEDIA["schema"])
    assert answer.status_code == 410
    said = answer.json()
    assert (said["creativeWorkStatus"], said["distribution"]) == ("Withdrawn", [])
    assert said["description"].startswith("WITHDRAWN: ")
    assert 'rel="item"' not in answer.headers["link"]


def test_links_lead_from_the_page_to_all_that_belongs_to_it(
    client: TestClient, served: dict[str, Served]
) -> None:
    release = served["public"]
    answer = landed(client, release)
    links = {(relation, media): url for url, relation, media in LINK.findall(answer.headers["link"])}
    assert not [media for _, media in links if ";" in media]  # RFC 8288: a type has no parameters
    assert '; profile="http://mlcommons.org/croissant/1.0"' in answer.headers["link"]
    assert links["cite-as", ""] == f"https://doi.org/{release.doi}"
    for (relation, media), url in links.items():
        if relation in ("describedby", "linkset", "item"):
            assert client.get(url).headers["content-type"].startswith(media.partition(";")[0])
    linkset = client.get(links["linkset", MEDIA["linkset"]]).json()["linkset"][0]
    assert len(linkset["item"]) == len(release.files)


@pytest.mark.parametrize("doi", ["10.99871/draft", "10.99871/nothing", "10.5072/%00", "x"])
def test_a_doi_that_is_none_here_leads_nowhere(
    client: TestClient, served: dict[str, Served], doi: str
) -> None:
    assert client.get(f"/doi/{doi}").status_code == 404


def test_without_word_of_who_made_it_what_is_known_is_told(lake: Lake, served: dict[str, Served]) -> None:
    with TestClient(archive(lake)) as client:
        said = json.loads(landed(client, served["public"]).content)
        assert "creator" not in said
        assert landed(client, served["public"], MEDIA["bibtex"]).status_code == 404


@given(st.text(max_size=60))
def test_any_wish_for_a_form_is_answered(accept: str) -> None:
    offered = list(MEDIA.values())
    assert preferred(accept, offered) in [None, *offered]


def test_a_browser_is_led_to_the_page(client: TestClient, served: dict[str, Served]) -> None:
    for standing, status in (("public", 200), ("withdrawn", 410)):
        answer = landed(client, served[standing], "text/html,application/xhtml+xml,*/*;q=0.8")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")

"""Releases are found and looked at over HTTP; metadata are for everybody, what confirms a guess is not."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.lake.archive.conftest import SCOPE, STANDINGS, Served

API = "/api/v1"


def find(client: TestClient, **asked: Any) -> list[str]:
    """Names of the releases that match, page after page."""
    found: list[str] = []
    answer = client.get(f"{API}/releases", params={"instrument": SCOPE, **asked})
    while True:
        assert answer.status_code == 200, answer.text
        found += [one["observation"] for one in answer.json()["releases"]]
        if not (following := answer.json()["next"]):
            return found
        answer = client.get(following)


def test_releases_are_found_page_by_page(client: TestClient, served: dict[str, Served]) -> None:
    assert find(client) == ["public_obs", "embargoed_obs"]
    assert find(client, limit=1) == find(client)
    assert find(client, status="WITHDRAWN") == ["withdrawn_obs"]
    assert find(client, available=True) == ["public_obs"]
    assert find(client, observation="emb*") == find(client, words="embargoed") == ["embargoed_obs"]
    assert find(client, since="2021-01-02", until="2021-01-03T00:00:00Z") == ["embargoed_obs"]
    assert find(client, since="2021-01-02T01:00:00+02:00", until="2021-01-02T03:00:00+02:00") == []


def test_whoever_holds_what_is_under_embargo_finds_it_available(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    answer = client.get(
        f"{API}/releases", params={"instrument": SCOPE, "available": True}, headers=token["ar-holder"]
    )
    assert [one["observation"] for one in answer.json()["releases"]] == ["public_obs", "embargoed_obs"]


@pytest.mark.parametrize("standing", [one for one in STANDINGS if one != "draft"])
def test_a_release_is_shown_with_links_that_lead_on(
    client: TestClient, served: dict[str, Served], standing: str
) -> None:
    document = client.get(served[standing].url).json()
    assert document["release"]["product"] == served[standing].product
    assert document["meta"] == {"target": f"{standing} spot"}
    assert [one["name"] for one in document["files"]] == list(served[standing].files)
    assert client.get(document["release"]["links"]["self"]).json() == document
    listed = client.get(document["release"]["links"]["files"], params={"limit": 1}).json()
    following = client.get(listed["next"]).json()
    assert listed["files"] + following["files"] == document["files"]
    assert following["next"] is None


def test_a_draft_is_there_for_nobody(client: TestClient, served: dict[str, Served]) -> None:
    for url in (served["draft"].url, f"{API}/releases/{served['draft'].product}"):
        assert client.get(url).status_code == 404


def test_what_would_confirm_a_guess_is_for_those_who_may_have_it(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]], lake: Any
) -> None:
    for standing, holds in (("public", True), ("embargoed", False), ("withdrawn", False)):
        for headers in ({}, token["ar-stranger"]):
            said = client.get(served[standing].url, headers=headers).text
            for entry in served[standing].entries:
                assert ((entry.sha256 in said), (entry.adler32 in said)) == (holds, holds)
    assert served["embargoed"].entries[0].sha256 in (
        client.get(served["embargoed"].url, headers=token["ar-holder"]).text
    )
    assert lake.config.store not in client.get(served["public"].url).text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/releases/archived:nothing.l0", 404, "there is no release"),
        ("/releases/no name", 404, ""),
        ("/releases?since=2021-01-02&until=2021-01-01", 400, "ends before it begins"),
        ("/releases?after=x", 404, "no place in a listing"),
        ("/releases?after=%C3%A9", 422, "after"),
        ("/releases?until=0.5", 422, "2011-09-10"),
        ("/releases?limit=0", 422, "limit"),
        ("/releases?since=yesterday", 422, "since"),
        ("/releases?status=DRAFT", 422, "ACTIVE"),
        ("/releases?observation=%00", 422, "observation"),
        ("/releases/archived:public_obs.l0/files?after=%00", 422, "after"),
        ("/releases/archived:public_obs.l0/files/%00", 404, "cannot be printed"),
        ("/releases/archived:public_obs.l0/files/other.fits", 404, "no such file"),
        ("/nothing", 404, "Not Found"),
    ],
)
def test_what_cannot_be_is_a_problem_that_says_what_to_do(
    client: TestClient, served: dict[str, Served], path: str, status: int, said: str
) -> None:
    answer = client.get(f"{API}{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], said in problem["detail"]) == (status, True)
    assert problem["title"]
    assert problem["code"]


def test_a_token_that_is_none_is_refused_and_not_taken_for_the_public(
    client: TestClient, served: dict[str, Served], nobody: dict[str, str]
) -> None:
    for headers in (nobody, {"Authorization": "Basic eDp5"}, {"Authorization": ""}):
        answer = client.get(served["public"].url, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")


def test_the_archive_says_whether_it_runs_and_can_answer(client: TestClient) -> None:
    assert client.get(f"{API}/health").json() == client.get(f"{API}/ready").json() == {"status": "ok"}


def test_its_interface_is_described_and_every_answer_is_guarded(client: TestClient) -> None:
    answer = client.get(f"{API}/openapi.json")
    assert {f"{API}/releases", f"{API}/releases/{{product}}/files/{{name}}"} <= answer.json()["paths"].keys()
    assert answer.json()["paths"][f"{API}/releases"]["get"]["security"][0] == {}  # a token may be shown
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_nothing_is_changed_over_http(client: TestClient, served: dict[str, Served], method: str) -> None:
    answer = getattr(client, method)(served["public"].url)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")

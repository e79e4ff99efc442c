"""Documents of observations, products and files; what changed between versions; where all came from."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from lake.catalogue.models import Reference
from lake.catalogue.session import transaction
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from tests.lake.archive.conftest import SCOPE, Served
from tests.lake.conftest import MakeFiles

API = "/api/v1"


@pytest.fixture
def raw(lake: Lake, scope: str, make_files: MakeFiles) -> str:
    """A product of two versions, the second with one file more, and what was made of the second."""
    key = ProductKey(scope, "obs", "0")
    first, second = make_files("a.fits", "b.fits")
    publish(lake, reserve(lake, key, "one"), [first])
    publish(lake, reserve(lake, key, "two"), [first, second])
    with transaction(lake.sessions) as session:
        session.add(
            Reference(
                need="dark",
                instrument=scope,
                did=f"{scope}:dark.fits",
                sha256="0" * 64,
                source="made",
                parents=[f"{key.name}@v0001"],
            )
        )
    made = make_files("a.l1.v0001.fits", level="1", unit=True)
    told = Provenance(
        recipe="r", recipe_version=2, refs=[f"{scope}:dark.fits"], parents=[f"{key.name}@v0002"]
    )
    publish(lake, reserve(lake, ProductKey(scope, "obs", "1"), "one"), made, told)
    return key.name


def get(client: TestClient, path: str, **asked: Any) -> Any:
    answer = client.get(f"{API}{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_observation_tells_its_products_and_their_releases(
    client: TestClient, raw: str, scope: str
) -> None:
    document = get(client, f"/observations/{scope}/obs")
    assert document["observation"]["date_end"] == "2020-01-01T01:01:00.000Z"
    told = [(one["level"], [each["version"] for each in one["releases"]]) for one in document["products"]]
    assert told == [("0", [2, 1]), ("1", [1])]
    for product in document["products"]:
        for release in product["releases"]:
            assert client.get(release["links"]["self"]).status_code == 200
            assert client.get(release["links"]["observation"]).json() == document


def test_a_product_tells_all_its_versions_and_which_holds(
    client: TestClient, raw: str, served: dict[str, Served]
) -> None:
    document = get(client, f"/products/{raw}")
    assert [(one["version"], one["status"]) for one in document["releases"]] == [
        (2, "ACTIVE"),
        (1, "SUPERSEDED"),
    ]
    assert document["active"] == 2
    gone = get(client, f"/products/{served['withdrawn'].product}")
    assert (gone["active"], gone["releases"][0]["status"]) == (None, "WITHDRAWN")


def test_any_two_versions_are_compared(client: TestClient, raw: str) -> None:
    forward = get(client, f"/releases/{raw}/changes")
    assert forward["before"] == f"{raw}@v0001"
    assert [one["text"] for one in forward["changes"]] == ["1 file more: b"]
    back = get(client, f"/releases/{raw}@v0001/changes", against=2)
    assert [one["text"] for one in back["changes"]] == ["1 file less: b"]
    assert client.get(f"{API}/releases/{raw}/changes", params={"against": 9}).status_code == 404


def test_provenance_leads_in_both_directions_as_far_as_is_asked(
    client: TestClient, raw: str, scope: str
) -> None:
    made, dark = f"{scope}:obs.l1@v0001", f"{scope}:dark.fits"
    graph = get(client, f"/releases/{scope}:obs.l1/provenance")
    assert {one["id"]: one["kind"] for one in graph["nodes"]} == {
        made: "release", f"{raw}@v0002": "release", dark: "reference", f"{raw}@v0001": "release",
    }  # fmt: skip
    edges = {(one["from"], one["to"], one["role"]) for one in graph["edges"]}
    assert edges == {
        (f"{raw}@v0002", made, "input"),
        (dark, made, "reference"),
        (f"{raw}@v0001", dark, "input"),
    }
    assert (graph["cut"], graph["made_with"]["recipe"], graph["made_with"]["recipe_version"]) == ([], "r", 2)
    later = get(client, f"/releases/{raw}@v0001/provenance")
    assert {one["id"] for one in later["nodes"]} == {f"{raw}@v0001", dark, made}
    assert get(client, f"/releases/{made}/provenance", depth=1)["cut"] == [dark]
    assert get(client, f"/releases/{made}/provenance", depth=0)["cut"] == [made]
    few = get(client, f"/releases/{made}/provenance", most=2)
    assert (len(few["nodes"]), made in few["cut"]) == (2, True)


def test_a_file_tells_what_holds_it(client: TestClient, raw: str, scope: str) -> None:
    document = get(client, f"/releases/{raw}/files/a.fits/about")
    assert document["file"]["name"] == "a.fits"
    assert client.get(document["file"]["links"]["about"]).json()["file"] == document["file"]
    edges = {(one["from"], one["to"], one["role"]) for one in document["provenance"]["edges"]}
    assert edges == {(f"{scope}:a.fits", f"{raw}@v000{one}", "part") for one in (1, 2)}


def test_a_file_is_found_by_its_own_name_in_the_newest_release(
    client: TestClient, raw: str, scope: str
) -> None:
    document = get(client, f"/files/{scope}:a.fits")
    assert document == get(client, f"/releases/{raw}@v0002/files/a.fits/about")
    assert document["reference"] is None
    page = client.get(f"/files/{scope}:b.fits", follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, f"/releases/{raw}@v0002?after=a.fits#files")
    assert client.get(f"/files/{scope}:b.fits").status_code == 200
    assert client.get(f"{API}/files/{scope}:none.fits").status_code == 404
    assert client.get(f"{API}/files/none.fits").status_code == 404


def test_a_reference_tells_what_it_is_for_and_is_linked_where_it_was_used(
    client: TestClient, lake: Lake, raw: str, scope: str, make_files: MakeFiles
) -> None:
    publish(lake, reserve(lake, ProductKey(scope, "cal", "0"), "one"), make_files("dark.fits"))
    told = get(client, f"/files/{scope}:dark.fits")["reference"]
    assert (told["need"], told["parents"]) == ("dark", [f"{raw}@v0001"])
    assert "sha256" not in told
    page = client.get(f"/releases/{scope}:obs.l1").text
    assert f'href="/files/{scope}:dark.fits"' in page


def test_of_a_file_its_sums_are_for_those_who_may_have_it(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release = served["embargoed"]
    url = f"{release.url}/files/{release.first}/about"
    assert "sha256" not in client.get(url).json()["file"]
    assert "sha256" in client.get(url, headers=token["ar-holder"]).json()["file"]


@pytest.mark.parametrize(
    "path",
    [
        f"/observations/{SCOPE}/nothing",
        f"/observations/{SCOPE}/draft_obs",
        "/observations/nothing/public_obs",
        "/observations/%00/public_obs",
        "/products/archived:nothing.l0",
        "/products/archived:draft_obs.l0",
        "/products/no",
        "/releases/archived:nothing.l0/provenance",
        "/releases/archived:public_obs.l0/files/nothing.fits/about",
    ],
)
def test_what_is_not_there_is_told(client: TestClient, served: dict[str, Served], path: str) -> None:
    answer = client.get(f"{API}{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")

"""The page to look at a file closely: for those who may, and with all that its scripts ask for."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.lake.archive.conftest import Served
from tests.lake.archive.pages.test_looking import looked_at


def url_of(release: Served, file: str = "") -> str:
    return f"/releases/{release.product}@v0001/look/{file or release.first}"


def test_it_has_what_its_script_asks_for_and_a_picture_without_one(
    client: TestClient, served: dict[str, Served]
) -> None:
    page = looked_at(client, url_of(served["public"]))
    (look,) = [one for _, one in page.tags if one.get("id") == "look"]
    assert look["data-base"] == served["public"].url
    assert look["data-file"] == served["public"].first
    names = {one["id"] for _, one in page.tags if "id" in one}
    assert {"canvas", "where", "flags", "cube", "map", "profile", "stack", "play", "frames"} <= names
    pictures = [one["src"] or "" for tag, one in page.tags if tag == "img"]
    assert any(src.endswith(f"{served['public'].first}/preview?size=large") for src in pictures)
    assert len([tag for tag, one in page.tags if tag == "li" and "data-file" in one]) == 2


def test_its_scripts_are_there_and_load_each_other_from_beside_them(
    client: TestClient, served: dict[str, Served]
) -> None:
    page = looked_at(client, url_of(served["public"]))
    (script,) = [one["src"] or "" for tag, one in page.tags if one.get("type") == "module"]
    for name in ("look.js", "view.js", "sky.js", "cube.js", "stack.js"):
        answer = client.get(f"{script.rpartition('/')[0]}/{name}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/javascript")


@pytest.mark.parametrize("asker", ["", "ar-stranger"])
@pytest.mark.parametrize(("standing", "status"), [("embargoed", 403), ("withdrawn", 410), ("draft", 404)])
def test_who_may_not_look_sees_no_page(
    client: TestClient,
    served: dict[str, Served],
    token: dict[str, dict[str, str]],
    standing: str,
    status: int,
    asker: str,
) -> None:
    answer = client.get(url_of(served[standing]), headers=token.get(asker, {}) | {"Accept": "text/html"})
    assert answer.status_code == status
    assert "canvas" not in answer.text
    if standing == "embargoed":
        assert client.get(url_of(served[standing]), headers=token["ar-holder"]).status_code == 200


@pytest.mark.parametrize("name", ["nothing.fits", "%3Cscript%3E", "a", "~"])
def test_of_a_file_that_is_not_there_there_is_no_page(
    client: TestClient, served: dict[str, Served], name: str
) -> None:
    answer = client.get(url_of(served["public"], name), headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "<script>" not in answer.text.replace("<script src", "")

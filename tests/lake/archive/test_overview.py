"""What there is: instruments, days with data, numbers of releases."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from lake.catalogue.session import transaction
from lake.lake import Lake
from lake.releases import finding
from tests.lake.archive.conftest import SCOPE, Served

API = "/api/v1"


def test_instruments_are_told_with_levels_and_times(client: TestClient, served: dict[str, Served]) -> None:
    there = {one["instrument"]: one for one in client.get(f"{API}/instruments").json()["instruments"]}
    assert "references" not in there
    # What is withdrawn, or a draft, is not there.
    assert there[SCOPE] == {
        "instrument": SCOPE,
        "levels": ["0"],
        "first": "2021-01-01T01:00:00.000Z",
        "last": "2021-01-02T01:00:00.000Z",
    }


def test_a_calendar_tells_the_days_that_have_data(client: TestClient, served: dict[str, Served]) -> None:
    def days(**asked: Any) -> Any:
        return client.get(f"{API}/instruments/{SCOPE}/calendar", params=asked).json()["days"]

    assert days(year=2021) == days(year=2021, level="0") == {"2021-01-01": 1, "2021-01-02": 1}
    assert days(year=2021, level="1") == days(year=2020) == days(year=2022) == {}
    answer = client.get(f"{API}/instruments/nothing/calendar", params={"year": 2021})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_what_matches_is_counted(client: TestClient, served: dict[str, Served]) -> None:
    def number(**asked: Any) -> Any:
        return client.get(f"{API}/count", params={"instrument": SCOPE, **asked}).json()

    assert number() == {"count": 2, "more": False}
    assert number(status="WITHDRAWN") == number(words="embargoed") == {"count": 1, "more": False}
    assert number(available=True, since="2021-01-02") == {"count": 0, "more": False}


def test_a_word_nobody_knows_is_a_mistake_and_not_ignored(client: TestClient) -> None:
    for path in ("releases", "count", "facets"):
        answer = client.get(f"{API}/{path}", params={"instrumnet": SCOPE})
        assert (answer.status_code, "instrumnet" in answer.json()["detail"]) == (422, True)


def test_facets_count_what_matches(client: TestClient, served: dict[str, Served]) -> None:
    asked = {"instrument": SCOPE, "status": "WITHDRAWN"}
    told = client.get(f"{API}/facets", params=asked).json()
    assert told["facets"]["year"] == [{"value": 2021, "count": 1}]
    assert told["facets"]["instrument"] == [{"value": SCOPE, "count": told["count"]}]
    assert client.get(f"{API}/facets", params=asked | {"wave_min": 1, "angle_max": 60}).json()["count"] == 0


def test_what_takes_too_long_is_refused_and_told_what_to_narrow(
    client: TestClient, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 0.05)
    with transaction(lake.sessions) as session:
        session.execute(text("LOCK TABLE release IN ACCESS EXCLUSIVE MODE"))  # nobody gets an answer now
        for path in ("releases", "count", "facets"):
            answer = client.get(f"{API}/{path}", params={"words": "not asked before"})
            assert (answer.status_code, answer.json()["code"]) == (422, "takes-too-long")
            assert "instrument" in answer.json()["advice"]
    assert client.get(f"{API}/count", params={"words": "not asked before"}).json()["count"] == 0

"""The archive counts what goes through it, and gives one asker no more than a share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from lake.archive.application import archive
from lake.archive.limits import Counts, Limiter, Limits, shared_memory
from lake.archive.server import telling
from lake.archive.surroundings import Surroundings
from lake.archive.traffic import Measures, Traffic
from lake.lake import Lake
from tests.conftest import HOUSE
from tests.lake.archive.conftest import Served

API = "/api/v1"


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(f"heliolake_archive_{name}", labels) or 0.0


def test_who_asks_too_often_waits_and_is_told_how_long(lake: Lake) -> None:
    app = archive(lake, Surroundings(limits=Limits(rate=0.01, burst=3)))
    with TestClient(app) as client:
        answers = [client.get(f"{API}/count") for _ in range(5)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
        refused = answers[-1]
        assert (refused.headers["content-type"], refused.json()["code"]) == (
            "application/problem+json",
            "too-many",
        )
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert client.get(f"{API}/health").status_code == 200
    assert value(app.state.measures.registry, "refused_total", why="rate") == 2


def test_answers_are_counted_by_route_and_status(lake: Lake, served: dict[str, Served]) -> None:
    app = archive(lake)
    release = served["public"]
    with TestClient(app) as client:
        client.get(f"{release.url}/files/{release.first}")
        client.get(f"{API}/releases/no-such-thing")
        client.get("/wp-login.php")
    registry, route = app.state.measures.registry, f"{API}/releases/{{product}}"
    file = f"{route}/files/{{name}}"
    assert value(registry, "requests_total", route=file, method="GET", status="200") == 1
    assert value(registry, "sent_bytes_total", route=file) == len(release.files[release.first])
    assert value(registry, "requests_total", route=route, method="GET", status="404") == 1
    assert value(registry, "requests_total", route="other", method="GET", status="404") == 1
    assert value(registry, "downloads") == 0


@pytest.mark.anyio
async def test_one_holder_has_so_many_downloads_at_once_and_others_theirs() -> None:
    import anyio

    gate, begun = anyio.Event(), []

    async def slow(scope: Any, _receive: Any, send: Any) -> None:
        begun.append(scope["path"])
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    traffic, statuses = Traffic(slow, Limits(downloads=1), Measures()), []

    async def ask(path: str, token: str) -> None:
        headers = [(b"authorization", token.encode())] if token else []
        scope = {"type": "http", "method": "GET", "path": path, "client": ("10.0.0.1", 1), "headers": headers}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append((path, token, message["status"]))

        await traffic(scope, _never, send)

    file = f"{API}/releases/a/files/b"
    async with anyio.create_task_group() as group:
        group.start_soon(ask, file, "one")
        await anyio.wait_all_tasks_blocked()
        await ask(f"{API}/download", "one")
        assert statuses == [(f"{API}/download", "one", 429)]
        group.start_soon(ask, file, "two")
        group.start_soon(ask, f"{API}/releases/a", "one")  # no download
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert sorted(one[2] for one in statuses) == [200, 200, 200, 429]
    await ask(file, "one")
    assert statuses[-1][2] == 200


async def _never() -> Any:
    raise AssertionError


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5)), max_size=60))
def test_nobody_gets_more_than_the_rate_allows(requests: list[tuple[str, float]]) -> None:
    limiter, now, given_at = Limiter(Limits(rate=2.0, burst=5)), 0.0, {"a": 0, "b": 0}
    for asker, later in requests:
        now += later
        if not limiter.wait([asker], now):
            given_at[asker] += 1
        assert given_at[asker] <= 5 + 2 * now + 1e-6


def test_processes_that_serve_together_count_together() -> None:
    memory = shared_memory()
    one, other = (Limiter(Limits(rate=1.0, burst=4, downloads=2), Counts(memory, n)) for n in (0, 1))
    assert [(one, other)[n % 2].wait(["a"], 1.0) for n in range(5)] == [0, 0, 0, 0, 1]
    assert other.wait(["b"], 1.0) == 0
    assert one.begin("a", "from:x")
    assert other.begin("a", "from:x")
    assert not one.begin("a", "from:x")
    assert one.begin("b", "from:x")
    other.end("a", "from:x")
    assert one.begin("a", "from:x")
    # Whoever takes the place of a process that was lost finds its downloads ended, and no others.
    again = Limiter(Limits(downloads=2), Counts(memory, 0))
    assert [again.begin("a", "from:x") for _ in range(3)] == [True, True, False]
    os.close(memory)


_ASKING = """
import sys
from lake.archive.limits import Counts, Limiter, Limits
limiter = Limiter(Limits(rate=1e-9, burst=3000), Counts(int(sys.argv[1]), int(sys.argv[2])))
print(sum(limiter.wait(["a", "b"], 1.0) == 0 for _ in range(2000)))
"""


def test_no_request_is_lost_where_processes_count_at_the_same_time() -> None:
    memory = shared_memory()
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", _ASKING, str(memory), str(number)],
            pass_fds=[memory],
            stdout=subprocess.PIPE,
            cwd=HOUSE,
        )
        for number in range(3)
    ]
    assert sum(int(one.communicate()[0]) for one in asking) == 3000
    os.close(memory)


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=200))
def test_downloads_that_have_ended_are_forgotten_however_many_ask(events: list[tuple[int, bool]]) -> None:
    limiter, under_way = Limiter(Limits(downloads=1)), set[int]()
    for who, begins in events:
        if begins and limiter.begin(f"by:{who}", f"from:{who}"):
            assert who not in under_way
            under_way.add(who)
        elif not begins and who in under_way:
            limiter.end(f"by:{who}", f"from:{who}")
            under_way.remove(who)
    for who in under_way:
        assert not limiter.begin(f"by:{who}", f"from:{who}")
        limiter.end(f"by:{who}", f"from:{who}")
    assert all(limiter.begin(f"by:{who}", f"from:{who}") for who in range(61))


def test_who_asked_long_ago_makes_room_and_who_downloads_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.archive.limits._GROUPS", 1)
    limiter = Limiter(Limits(rate=0.001, burst=1, downloads=1))
    assert limiter.wait(["a"], 1.0) == 0
    assert limiter.begin("d", "d")
    for number in range(6):
        assert limiter.wait([f"by:{number}"], 2.0 + number) == 0
    assert limiter.wait(["a"], 8.0) > 0
    assert limiter.wait(["new"], 9.0) == 0  # in the place of by:0, who asked longest ago
    assert limiter.wait(["by:1"], 9.0) > 0
    assert limiter.wait(["by:0"], 9.0) == 0
    assert not limiter.begin("d", "d")


def test_prometheus_is_told_at_an_address_of_its_own(lake: Lake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = archive(lake)
    with TestClient(app) as client, telling(app, ("127.0.0.1", port)):
        client.get(f"{API}/health")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b'heliolake_archive_requests_total{method="GET",route="/api/v1/health"' in answer.read()
        assert client.get("/metrics").status_code == 404

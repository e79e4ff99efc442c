"""What another user of the machine, who holds no key of a home, can do to it and learn of it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import psutil
import pytest

from cluster.home.home import Home
from cluster.services import records

IDLE, HALF_SENT = 200, 60


def answer(url: str) -> tuple[int, str]:
    """Status and text of what a server answers to somebody without any token."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 -- loopback, made here
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


@pytest.fixture
def crowd(home: Home) -> Iterator[None]:
    """Connections that send nothing, and others that never finish what they send."""
    with contextlib.ExitStack() as stack:
        for number in range(IDLE + HALF_SENT):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", home.port("rucio") or 0), timeout=60)
            )
            if number >= IDLE:
                connection.sendall(b"GET /ping HTTP/1.1\r\nHost: ")
        yield


@pytest.mark.usefixtures("crowd")
def test_idle_and_slow_connections_keep_nobody_from_rucio(home: Home) -> None:
    for _ in range(20):  # both processes come to answer
        assert answer(f"{home.url('rucio')}/ping")[0] == 200


def test_only_the_ways_to_sign_in_that_a_home_has_are_there(home: Home) -> None:
    ways = ("oidc", "oidc_code", "oidc_redirect", "oidc_refresh", "saml", "gss", "x509", "x509_proxy", "ssh")
    for way in (*ways, "x509/webui", "ssh_challenge_token", "oidc/"):
        status, text = answer(f"{home.url('rucio')}/auth/{way}")
        assert (status, "Traceback" in text, str(home.path) in text) == (404, False, False), way
    assert answer(f"{home.url('rucio')}/auth/userpass")[0] == 401


def test_workers_tell_nothing_over_http(home: Home) -> None:
    own = {home.port("scheduler"), home.port("dashboard")}
    ports = {
        connection.laddr.port
        for process in records.members(home, "dask")
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port not in own
    }
    assert ports
    for port in ports:
        for page in ("metrics", "health", "statics"):
            with contextlib.suppress(OSError, http.client.HTTPException):  # Dask's own protocol is not HTTP
                assert answer(f"http://127.0.0.1:{port}/{page}")[0] == 404, page


@pytest.mark.parametrize(
    "page",
    [
        "status",
        "workers",
        "system",
        "info",
        "info/main/workers.html",
        "info/main/logs.html",
        "info/logs/all.html",
        "info/call-stacks/all.html",
        "json/identity.json",
        "json/counts.json",
        "individual-plots.json",
        "metrics",
        "sitemap.json",
    ],
)
def test_the_dashboard_does_not_tell_where_the_home_lies(home: Home, page: str) -> None:
    _, text = answer(f"{home.url('dashboard')}/{page}")
    assert str(home.path) not in text

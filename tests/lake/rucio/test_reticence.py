"""What the embedded Rucio server tells those who have not signed in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from lake.rucio.server.reticence import Reticence

SECRET = b"OSError: /home/me/.heliolake/rucio/server.cfg"


def talkative(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """An application that answers with the status it is asked for and says too much."""
    start_response(environ["STATUS"], [("Content-Type", "text/plain"), ("ExceptionMessage", SECRET.decode())])
    return [SECRET]


def ask(path: str, status: str, token: str = "") -> tuple[str, bytes]:
    seen: list[Any] = []
    environ = {"PATH_INFO": path, "STATUS": status} | ({"HTTP_X_RUCIO_AUTH_TOKEN": token} if token else {})
    body = b"".join(Reticence(talkative)(environ, lambda *given: seen.append(given)))
    ((told, headers),) = seen
    return told, body + repr(headers).encode()


@pytest.mark.parametrize("status", ["500 INTERNAL SERVER ERROR", "503 SERVICE UNAVAILABLE"])
def test_a_stranger_learns_of_a_failure_only_that_there_was_one(status: str) -> None:
    told, body = ask("/ping", status)
    assert told == status
    assert SECRET not in body


def test_whoever_signed_in_learns_the_reason() -> None:
    told, body = ask("/dids/s/d", "500 INTERNAL SERVER ERROR", token="root-token")
    assert told.startswith("500")
    assert SECRET in body


def test_what_went_well_is_passed_on() -> None:
    assert ask("/ping", "200 OK")[0] == "200 OK"
    assert ask("/auth/userpass", "401 UNAUTHORIZED")[0] == "401 UNAUTHORIZED"


def test_other_ways_to_sign_in_are_absent_even_for_those_who_have() -> None:
    assert ask("/auth/oidc", "200 OK", token="root-token")[0] == "404 Not Found"

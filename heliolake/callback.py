"""The loopback address that a browser comes back to after a login."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

from lake.errors import BadInput

PATH: Final = "/callback"
_PAGE: Final = (
    b"<!doctype html><meta charset=utf-8><title>Heliolake</title>"
    b"<p>That is all here. Go back to where you typed the command."
)


class Listener:
    """Waits on the loopback interface for one browser."""

    def __init__(self) -> None:
        self._answers: list[str] = []
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def wait(self, state: str, seconds: float) -> str:
        """The address at which a browser came back to the login of this state; others are passed over.

        Raises
        ------
        BadInput
            When none came in time.
        """
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._server.timeout = left
            self._server.handle_request()
            for answer in self._answers:
                if parse_qs(urlsplit(answer).query).get("state") == [state]:
                    return answer
            self._answers.clear()
        raise BadInput(
            "nobody logged in in time",
            found=f"{seconds:.0f} s",
            advice="run it again, or with --device where the browser is on another machine.",
        )

    def close(self) -> None:
        """Listen no longer."""
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answers = self._answers

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # who connects and says nothing holds nobody up for longer

            def do_GET(self) -> None:
                found = urlsplit(self.path)
                ours = found.path == PATH
                if ours:
                    answers.append(self.path)
                self.send_response(200 if ours else 404)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(_PAGE if ours else b"")

            def log_message(self, *_: object) -> None:
                """Say nothing: what is asked for holds a code."""

        return Handler


@contextmanager
def listening() -> Iterator[Listener]:
    """A listener for the time of a ``with`` block."""
    listener = Listener()
    try:
        yield listener
    finally:
        listener.close()

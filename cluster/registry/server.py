"""A practice registry over HTTP, on the loopback interface, for as long as somebody works with it."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from cluster.registry.rules import Answer, PracticeRegistry

_LARGEST: Final = 4 << 20


@dataclass
class Fault:
    """Something that goes wrong with one request: how a client takes it can be tried.

    Parameters
    ----------
    method
        Of the request it strikes: the next one of that kind.
    lost
        It is done, and the answer never comes.
    status
        It is not done, and answered so; 0 for a connection that breaks before anything is done.
    slow
        Seconds the answer takes.
    """

    method: str
    lost: bool = False
    status: int | None = None
    slow: float = 0.0


class RegistryServer(ThreadingHTTPServer):
    """Serves a registry; `faults` strike in their order, `seen` is what was asked."""

    daemon_threads = True

    def __init__(self, registry: PracticeRegistry, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.registry = registry
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def strike(self, method: str) -> Fault | None:
        """The fault that strikes a request, which then strikes no other."""
        struck = next((one for one in self.faults if one.method == method), None)
        if struck is not None:
            self.faults.remove(struck)
        return struck


@contextmanager
def serving(registry: PracticeRegistry) -> Iterator[RegistryServer]:
    """A registry that answers on a free port of the loopback interface while the block lasts."""
    server = RegistryServer(registry)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: RegistryServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: its words would stand among those of a command."""

    def _answer(self) -> None:
        asked = urlsplit(self.path)
        path = unquote(asked.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST:
            self._write(Answer(413, {"errors": [{"status": "413", "title": "Too large"}]}))
            return
        body = self.rfile.read(length)
        self.server.seen.append((self.command, path))
        fault = self.server.strike(self.command)
        if fault is not None and fault.status is not None:
            if fault.status:
                self._write(
                    Answer(fault.status, {"errors": [{"status": str(fault.status), "title": "Fault"}]})
                )
            self.close_connection = True
            return
        whole = parse_qs(asked.query).get("publisher") == ["true"]
        answer = self.server.registry.answer(self.command, path, body, self._login(), whole=whole)
        if fault is not None:
            time.sleep(fault.slow)
            if fault.lost:
                self.close_connection = True
                return
        self._write(answer)

    def _login(self) -> tuple[str, str] | None:
        given = self.headers.get("Authorization") or ""
        if not given.startswith("Basic "):
            return None
        try:
            name, _, password = base64.b64decode(given[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, password

    def _write(self, answer: Answer) -> None:
        body = b"" if answer.document is None else json.dumps(answer.document).encode()
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if answer.status != 204:
            self.send_header("Content-Type", "application/vnd.api+json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(body)

"""A way between a client and a server that can be slow, cut, or answer instead of the server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

Mood = Literal["well", "slow", "cut", "mute", "refusing", "forgetful"]
"""What the way does with a connection.

``slow`` waits before each answer, ``cut`` lets nobody through and breaks who is, ``mute`` takes what comes
and never answers, ``refusing`` answers requests of HTTP with an error itself, ``forgetful`` has the server do
what was asked and breaks off before the answer.
"""

_BLOCK: Final = 1 << 16


@dataclass
class Proxy:
    """Listens on a port and hands on to another.

    Attributes
    ----------
    target, host
        Port of the server, and where it is.
    listen
        Where to listen; any port of loopback by default.
    mood
        What happens to what passes from now on.
    every
        One request of so many has it, the others pass: 1 for all.
    status
        Answered where it is ``refusing``.
    delay
        Seconds, where it is ``slow``.
    struck
        How often it was anything but ``well``.
    """

    target: int
    mood: Mood = "well"
    every: int = 1
    status: int = 503
    delay: float = 2.0
    struck: int = 0
    host: str = "127.0.0.1"
    listen: tuple[str, int] = ("127.0.0.1", 0)
    _seen: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = socket.create_server(self.listen, backlog=256)
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def turn(self, mood: Mood, *, every: int = 1, status: int = 503, delay: float = 2.0) -> None:
        """Treat what passes from now on otherwise; a cut breaks what is under way."""
        self.every, self.status, self.delay, self.mood = every, status, delay, mood
        if mood == "cut":
            self.struck += 1
            self._break_all()

    def close(self) -> None:
        """Listen no longer."""
        self.mood = "cut"
        self._server.close()
        self._break_all()

    def _break_all(self) -> None:
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with suppress(OSError), self._kept(client):
            if self.mood == "cut":
                return
            server = socket.create_connection((self.host, self.target))
            with self._kept(server):
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()
                self._forth(client, server)

    @contextmanager
    def _kept(self, one: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(one)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        """What the client asks; whether its turn has come is decided request by request."""
        while block := client.recv(_BLOCK):
            if self.mood in ("refusing", "slow") and _begins(block) and self._its_turn():
                if self.mood == "refusing":
                    client.sendall(_refusal(self.status))
                    return
                time.sleep(self.delay)
            server.sendall(block)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while block := server.recv(_BLOCK):
                if self.mood == "forgetful" and self._its_turn():
                    break  # done there, and nobody here learns of it
                if self.mood == "mute":
                    self.struck += 1
                    continue
                client.sendall(block)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _its_turn(self) -> bool:
        with self._lock:
            self._seen += 1
            turn = self._seen % self.every == 0
            self.struck += turn
        return turn


def _begins(block: bytes) -> bool:
    """Whether a block is the head of a request of HTTP."""
    return block.partition(b" ")[0] in (b"GET", b"PUT", b"POST", b"HEAD", b"DELETE")


def _refusal(status: int) -> bytes:
    return b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status

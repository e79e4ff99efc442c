"""A connection on which nobody waits for ever: a server that says nothing is asked whether it is still there.

A server that is gone, or cannot be reached, is noticed by the system. One that stands still is not: its
machine takes what is sent, and no answer ever comes. A long statement looks the same. So whoever waits long
knocks at the door: a server that answers, were it that it has no room for one more, is at work, and is
waited for.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping
from psycopg.waiting import Ready, Wait

RV = TypeVar("RV")

#: Seconds without any answer after which is asked, and again.
QUIET: Final = 60.0
#: Seconds in which a connection has to be made.
CONNECT: Final = 10
#: What is set for each connection; libpq's names. Half a day is longer than any statement of ours: ten
#: million units are copied into a run in under three hours. Who stands still within a transaction loses it,
#: and its locks with it, after a quarter of an hour: none of ours asks another service, and the clock begins
#: anew with every answer. Who waits an hour for a lock waits for somebody who stands still elsewhere.
LIMITS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "options": "-c statement_timeout=12h -c lock_timeout=1h -c idle_in_transaction_session_timeout=15min",
}


class WatchedConnection(psycopg.Connection[Any]):  # type: ignore[misc]  # which mypy is not to follow
    """A connection whose server is asked, when it says nothing for long, whether it is still there."""

    #: As `QUIET`, for tests.
    quiet: float = QUIET

    def wait(self, gen: Generator[Wait, Ready, RV], interval: float = 0.1) -> RV:
        """Wait as psycopg does, as long as the server is there.

        Raises
        ------
        psycopg.OperationalError
            When it is not; the connection is closed then.
        """
        return super().wait(self._watched(gen), interval)  # type: ignore[no-any-return]

    def _watched(self, gen: Generator[Wait, Ready, RV]) -> Generator[Wait, Ready, RV]:
        heard = time.monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self.quiet:
                    self._require_server()
                    heard = time.monotonic()
                state = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _require_server(self) -> None:
        door = make_conninfo(self.info.dsn, connect_timeout=CONNECT)
        if PGconn.ping(door.encode()) in (Ping.OK, Ping.REJECT):
            return
        self.pgconn.finish()
        raise psycopg.OperationalError(
            f"no answer for {self.quiet:.0f} s, and none to a new connection within {CONNECT} s"
        )

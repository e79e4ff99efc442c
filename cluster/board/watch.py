"""One look after the other at the lake, on a thread of its own, for as long as anybody asks.

However many pages are open: the lake is looked at once for all of them, by one thread with one connection.
It rests several times as long as a look took, and ends when nobody asks any more. The scheduler waits for
nothing of this: pages take the latest that was seen, and say how old it is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from cluster.board.source import SiteFacts, Source
from lake.errors import HeliolakeLakeError, Retriable, Unreachable
from lake.lake import Lake
from lake.ledger.overview import Onlooker, Overview
from lake.releases.latest import LatestFrame, latest_frames

_log = logging.getLogger(__name__)

#: Seconds between two looks, at least and at most, and how many times the look itself.
_EVERY: Final = 2.0
_LONGEST: Final = 30.0
_TIMES: Final = 5.0
#: Seconds for which a page that asked counts as open, and for which the thread waits for the next.
_OPEN: Final = 10.0
_LINGER: Final = 60.0
#: Seconds after which what was seen is called old, and after which Prometheus wants another look.
_OLD: Final = 20.0
_FRESH: Final = 10.0
_FRAMES: Final = 8

_SILENT: Final = "The catalogue does not answer. It is asked again every few seconds."
_BROKEN: Final = "The catalogue cannot be read; the log of the scheduler says why. It is tried again."


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen at the latest look.

    Attributes
    ----------
    overview
        All runs; None before the first look that went well.
    sites
        What is known of sites.
    frames
        The frames that were published last.
    trouble
        Why the latest look failed, as a sentence; then all else is what was seen before.
    when
        Time of the latest look that went well.
    ended
        The same by the clock that goes on.
    took
        Seconds it took.
    """

    overview: Overview | None = None
    sites: tuple[SiteFacts, ...] = ()
    frames: tuple[LatestFrame, ...] = ()
    trouble: str = ""
    when: datetime | None = None
    ended: float = field(default=float("-inf"))
    took: float = 0.0

    @property
    def age(self) -> float:
        """Seconds since the latest look that went well."""
        return time.monotonic() - self.ended

    @property
    def old(self) -> bool:
        """Whether it is older than it should be, though nothing failed: the catalogue keeps us waiting."""
        return self.age > _OLD + _rest(self.took)


def _rest(took: float) -> float:
    """Seconds to leave the lake alone after a look; not too long after one that hung."""
    return min(max(_EVERY, _TIMES * took), _LONGEST)


class Watch:
    """Whoever wants to know how the lake is asks here; no call waits.

    Parameters
    ----------
    source
        Where the lake is.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen = Seen()
        self._until = float("-inf")
        self._once = False
        self._closed = threading.Event()
        self._asked = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def latest(self) -> Seen:
        """The latest, without wanting another."""
        return self._seen

    def ask(self) -> Seen:
        """The latest; the lake is looked at for some seconds more."""
        with self._asked:
            self._until = time.monotonic() + _OPEN
            self._begin()
        return self._seen

    async def fresh(self, patience: float) -> Seen:
        """The latest, not older than some seconds unless no look succeeds in time."""
        began = time.monotonic()
        before = self._seen
        if before.age > _FRESH:
            with self._asked:
                self._once = True
                self._begin()
            while self._seen is before and time.monotonic() < began + patience:
                await asyncio.sleep(0.05)
        return self._seen

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        with self._asked:
            self._asked.notify_all()

    def _begin(self) -> None:
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._look_on, name="heliolake-board", daemon=True)
            self._thread.start()
        self._asked.notify_all()

    def _wanted(self) -> bool:
        """Whether there is still somebody to look for; waits a while for the next."""
        with self._asked:
            patience = time.monotonic() + _LINGER
            while not (self._once or time.monotonic() < self._until):
                left = patience - time.monotonic()
                if left <= 0 or self._closed.is_set():
                    self._thread = None
                    return False
                self._asked.wait(left)
            self._once = False
            return not self._closed.is_set()

    def _look_on(self) -> None:
        lake: Lake | None = None
        onlooker: Onlooker | None = None
        try:
            while self._wanted():
                began = time.monotonic()
                try:
                    if lake is None or onlooker is None:
                        lake = self._source.lake()
                        onlooker = Onlooker(lake)
                    self._seen = self._look(lake, onlooker, began)
                except Exception as error:
                    self._fail(error)
                    if lake is not None:  # the catalogue may have come back with another address
                        lake.close()
                    lake = onlooker = None
                self._closed.wait(_rest(time.monotonic() - began))
        finally:
            with self._asked:
                if self._thread is threading.current_thread():
                    self._thread = None
            if lake is not None:
                lake.close()

    def _look(self, lake: Lake, onlooker: Onlooker, began: float) -> Seen:
        overview = onlooker.look()
        frames = latest_frames(lake, [one["run"] for one in overview.runs], limit=_FRAMES)
        now = time.monotonic()
        return Seen(overview, self._source.sites(), tuple(frames), "", datetime.now(UTC), now, now - began)

    def _fail(self, error: Exception) -> None:
        """Keep what was seen, with a sentence; who administers the scheduler finds the rest in its log."""
        silent = isinstance(error, (Retriable, Unreachable))
        if not self._seen.trouble:
            known = isinstance(error, HeliolakeLakeError)
            _log.warning("the dashboard cannot look at the lake: %s", error, exc_info=not known)
        self._seen = replace(self._seen, trouble=_SILENT if silent else _BROKEN)

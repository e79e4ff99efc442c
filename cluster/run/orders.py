"""What is asked of those who carry a run out: go on, hold it up, give it up; anybody may ask, anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from lake.ledger.run import Run
from pipeline.errors import Fatal

#: Seconds between two looks: a person who asks sees it heeded at once, and the database does not notice.
EVERY: Final = 1.0


class Order(Enum):
    """What to do with a run."""

    GO = auto()
    PAUSE = auto()
    CANCEL = auto()


class Cancelled(Fatal):
    """Somebody gave the run up."""


Asked = Callable[[], Order]


def go() -> Order:
    """What is asked where nobody can ask."""
    return Order.GO


class Orders:
    """What is asked of the executors of a run, looked up now and then."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._order = Order.GO
        self._looked = float("-inf")

    def __call__(self) -> Order:
        """What is asked now; a cancelled run stays so."""
        if self._order is not Order.CANCEL and time.monotonic() - self._looked >= EVERY:
            status = self.run.status()
            self._order = {"paused": Order.PAUSE, "cancelled": Order.CANCEL}.get(status, Order.GO)
            self._looked = time.monotonic()
        return self._order

    def wait_through(self, tell: Callable[[str], object]) -> bool:
        """Wait while the run is paused and something is left of it; whether that was so.

        Raises
        ------
        Cancelled
            When it was given up.
        """
        waited = False
        while self() is Order.PAUSE and self.run.left():
            if not waited:
                self.run.say("paused")
            waited = True
            tell(f"paused: `heliolake runs resume {self.run.id}` goes on")
            time.sleep(EVERY)
        if waited:
            self.run.say("")
        self.require()
        return waited

    def require(self) -> None:
        """Leave off where the run was given up.

        Raises
        ------
        Cancelled
            When it was.
        """
        if self() is Order.CANCEL:
            raise Cancelled(
                f"run {self.run.id} was cancelled; what it had published stays, and `heliolake process` "
                "with the same options begins a new one"
            )

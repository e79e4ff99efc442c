"""The page of the home's own scheduler, as a browser gets it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bokeh.client import pull_session

from cluster.board.source import Source
from cluster.home.home import Home
from lake.lake import Lake

_PATIENCE = 120


@pytest.fixture(scope="module")
def lake(home: Home) -> Iterator[Lake]:
    with Lake.open(home.lake_config()) as opened:
        yield opened


@pytest.fixture
def source(home: Home) -> Source:
    return Source(home)


class Open:
    """A page that is open in a browser: its parts, as the scheduler sends them."""

    def __init__(self, address: str) -> None:
        self._session = pull_session(url=address)

    def model(self, part: str) -> Any:
        """A part, as it was sent last."""
        return next(root for root in self._session.document.roots if root.name == part)

    def text(self, part: str) -> str:
        """The HTML of a part, as it was sent last."""
        return str(self.model(part).text)

    def until(self, fact: Callable[[], object]) -> Any:
        """What a fact gives once what the scheduler sends makes it true."""
        deadline = time.monotonic() + _PATIENCE
        found: list[Any] = []

        def true() -> bool:
            found[:] = [fact()]
            return bool(found[0]) or time.monotonic() > deadline

        self._session._connection._loop_until(true)
        assert found[0], "it never became true"
        return found[0]

    def close(self) -> None:
        """Close it."""
        self._session.close()


@contextmanager
def opened(home: Home) -> Iterator[Open]:
    """The page of a home's dashboard, open within a ``with`` block."""
    page = Open(f"{home.url('dashboard')}/heliolake")
    try:
        yield page
    finally:
        page.close()


@pytest.fixture
def page(home: Home) -> Iterator[Open]:
    with opened(home) as found:
        yield found


def until(fact: Callable[[], object]) -> Any:
    """What a fact gives once it is true."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := fact()):
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)
    return found

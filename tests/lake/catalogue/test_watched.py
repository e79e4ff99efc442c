"""Connections on which nobody waits for ever."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import psutil
import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session, sessionmaker

from cluster.home.home import Home
from cluster.services import records
from cluster.services.lifecycle import POSTGRES
from lake.catalogue import watched
from lake.catalogue.session import open_engine, session_factory, transaction
from lake.catalogue.watched import WatchedConnection
from lake.errors import Retriable
from tests.conftest import ending_with_tests


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home of which only PostgreSQL runs: it is stopped here, which nobody else would bear."""
    home = Home(tmp_path_factory.mktemp("database"))
    with ending_with_tests(home):
        home.create()
        POSTGRES.start(home)
        POSTGRES.make_databases(home)
        yield home


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedConnection, "quiet", 0.5)
    monkeypatch.setattr(watched, "CONNECT", 2)
    monkeypatch.setitem(watched.LIMITS, "connect_timeout", 2)


@pytest.mark.usefixtures("hasty")
def test_a_long_statement_is_waited_for_as_long_as_the_server_is_there(database: Home) -> None:
    sessions = session_factory(open_engine(database.database_url()))
    with transaction(sessions) as session:
        assert session.execute(text("SELECT 42 FROM pg_sleep(3)")).scalar() == 42


@pytest.mark.usefixtures("hasty")
def test_a_server_that_has_no_room_for_one_more_is_at_work(database: Home) -> None:
    sessions = session_factory(open_engine(database.database_url()))
    door = make_url(database.database_url()).set(drivername="postgresql")
    with ExitStack() as crowd, transaction(sessions) as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(psycopg.OperationalError, match=r"too many|reserved"):
            _fill(crowd, door.render_as_string(hide_password=False))
        assert session.execute(text("SELECT 42 FROM pg_sleep(3)")).scalar() == 42


@pytest.mark.usefixtures("hasty")
def test_a_server_that_stands_still_is_an_error_that_passes(database: Home) -> None:
    sessions = session_factory(open_engine(database.database_url()))
    with transaction(sessions) as session:
        session.execute(text("SELECT 1"))
    processes = records.members(database, "postgres")
    _send(processes, signal.SIGSTOP)
    try:
        with pytest.raises(Retriable, match="does not answer"), transaction(sessions) as session:
            session.execute(text("SELECT 1"))
    finally:
        _send(processes, signal.SIGCONT)
    with transaction(sessions) as session:
        assert session.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.usefixtures("hasty")
def test_rows_that_are_copied_into_a_server_that_stands_still_are_an_error_too(database: Home) -> None:
    sessions = session_factory(open_engine(database.database_url()))
    with transaction(sessions) as session:  # whose process is one of those that stand still
        session.execute(text("SELECT 1"))
    processes = records.members(database, "postgres")
    try:
        with pytest.raises(Retriable, match="does not answer"):
            _copy(sessions, before_rows=lambda: _send(processes, signal.SIGSTOP))
    finally:
        _send(processes, signal.SIGCONT)


def _copy(sessions: sessionmaker[Session], before_rows: Callable[[], None]) -> None:
    with transaction(sessions) as session:
        session.execute(text("CREATE TEMPORARY TABLE much (line text)"))
        cursor = session.connection().connection.cursor()
        with cursor.copy("COPY much FROM STDIN") as rows:
            before_rows()
            for _ in range(20_000):
                rows.write_row(("x" * 10_000,))


def test_who_stands_still_in_a_transaction_does_not_hold_its_locks_for_ever(database: Home) -> None:
    sessions = session_factory(open_engine(database.database_url()))
    with transaction(sessions) as session:
        limits = session.execute(
            text(
                "SELECT setting::bigint FROM pg_settings WHERE name IN "
                "('statement_timeout', 'idle_in_transaction_session_timeout') ORDER BY name"
            )
        )
        in_transaction, of_statement = limits.scalars()
    assert 0 < in_transaction <= of_statement


def _fill(crowd: ExitStack, address: str) -> None:
    while True:
        crowd.enter_context(psycopg.connect(address))


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)

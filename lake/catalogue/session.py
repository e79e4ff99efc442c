"""Engines and sessions of the catalogue."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import CursorResult, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.orm import Session, sessionmaker

from lake.catalogue.watched import LIMITS, WatchedConnection
from lake.errors import Fatal, Retriable


def open_engine(database_url: str) -> Engine:
    """An engine on the catalogue; connects on first use.

    Parameters
    ----------
    database_url
        SQLAlchemy URL of a PostgreSQL database through psycopg 3.

    Raises
    ------
    Fatal
        When it is no URL, or names another database engine.
    """
    try:
        url = make_url(database_url)
    except ArgumentError:  # says what it found, which may be a password
        raise Fatal(
            "The database's address is no URL. Give postgresql://ROLE:PASSWORD@HOST/DATABASE, with what is "
            "special in the password written as %XX."
        ) from None
    if url.get_backend_name() != "postgresql":
        raise Fatal(f"The catalogue needs PostgreSQL; the URL names {url.get_backend_name()}.")
    # pre_ping: a database that was restarted (or healed) must not cost the next command an error.
    given = url.query.get("options", ())
    said = (given,) if isinstance(given, str) else given  # of the address, and later, so that they prevail
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=10,
        json_serializer=to_json,
        connect_args={
            **LIMITS,
            "options": " ".join([LIMITS["options"], *said]),
            "application_name": "heliolake",
        },
    )
    event.listen(engine, "do_connect", _connect)
    return engine


def _connect(_dialect: Any, _record: Any, arguments: Sequence[Any], values: Mapping[str, Any]) -> Any:
    return WatchedConnection.connect(*arguments, **values)


def to_json(value: Any) -> str:
    """JSON that PostgreSQL takes: FITS headers hold NaN, which JSON does not know and which becomes null."""
    try:
        return json.dumps(value, allow_nan=False)  # nearly always: a plan writes a million of these
    except (TypeError, ValueError):
        return json.dumps(_plain(value), allow_nan=False, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # a NumPy scalar, as header arithmetic gives
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def transaction(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error.

    Raises
    ------
    Retriable
        When the database cannot be reached, breaks the connection, or has none to spare.
    Fatal
        When a value has a form that no column takes: NUL, broken UTF-8, a number out of range.
    """
    try:
        with sessions.begin() as session:
            yield session
    except OperationalError as error:
        raise unreachable(error, sessions.kw["bind"]) from error
    except NoneFree as error:
        raise Retriable(
            "Too much is asked of the catalogue at once: no connection to it became free. Try again."
        ) from error
    except (DataError, UnicodeEncodeError) as error:
        told = str(error.orig if isinstance(error, DataError) else error).strip().split("\n")[0]
        raise Fatal(f"The catalogue cannot take a value that was given: {told}.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise unreachable(error, sessions.kw["bind"]) from error
        raise


def unreachable(error: DBAPIError, engine: Engine) -> Retriable:
    """A plain sentence for a catalogue that does not answer; never shows the password."""
    url = engine.url
    first = str(error.orig).strip().splitlines()[0] if error.orig is not None else str(error)
    return Retriable(
        f"The catalogue at {url.host}:{url.port}/{url.database} does not answer: {first}. "
        "Start it (`heliolake up`) or check the database's address."
    )


def changed(result: object) -> int:
    """How many rows a statement changed."""
    return result.rowcount if isinstance(result, CursorResult) else 0

"""Bringing a database to the newest form of the catalogue."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from lake.catalogue.session import open_engine, unreachable

_LOCK = 7_201_955_021  # any constant of our own: two commands that start together must not both migrate


def migrate(database_url: str) -> None:
    """Run all migrations that the database lacks; returns at once when there are none.

    Parameters
    ----------
    database_url
        SQLAlchemy URL of the catalogue.

    Raises
    ------
    Retriable
        When the database does not answer.
    """
    # Of the extra `embedded`: who only asks a catalogue does not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    engine = open_engine(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    try:
        with engine.connect() as connection:
            if _revision(connection) == head:
                return
            connection.rollback()
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except OperationalError as error:
        raise unreachable(error, engine) from error
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    revision: str | None = MigrationContext.configure(connection).get_current_revision()
    return revision

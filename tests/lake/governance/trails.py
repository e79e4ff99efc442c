"""Databases of their own for audit trails, which tests may tamper with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg import sql

from cluster.home.home import Home
from cluster.services.postgres import connect
from lake.governance import audit
from lake.lake import Lake


@contextmanager
def own_database(home: Home, *, trail: bool = True) -> Iterator[Lake]:
    """A lake on an empty database that belongs to the service, as an administrator hands it over."""
    name = f"trail_{secrets.token_hex(4)}"
    with connect(home) as server:
        server.autocommit = True
        server.execute(sql.SQL("CREATE DATABASE {} OWNER heliolake").format(sql.Identifier(name)))
    if trail:
        with superuser(home, name) as database:
            database.execute(sql.SQL(audit.script()))
    config = home.lake_config()
    url = config.database_url.removesuffix("heliolake") + name
    try:
        with Lake.open(replace(config, database_url=url)) as lake:
            yield lake
    finally:
        with connect(home) as server:
            server.autocommit = True
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def superuser(home: Home, database: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection with every right."""
    connection = connect(home, database)
    connection.autocommit = True
    return connection


def database_of(lake: Lake) -> str:
    """Name of the database."""
    return lake.config.database_url.rpartition("/")[2]


def tamper(home: Home, lake: Lake, *statements: str) -> None:
    """Do what only somebody with every right can, triggers taken away."""
    with superuser(home, database_of(lake)) as database:
        database.execute("SET session_replication_role = replica")
        for statement in statements:
            database.execute(sql.SQL(statement))

"""Adjustments to Rucio that no option offers. Call `apply` before importing the rest of Rucio."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import Any

CACHE_SECONDS = 5
"""How stale a cached value may be.

The caches live in several processes that do not tell each other of changes, so they must
expire soon; within one request for thousands of replicas they still save thousands of queries.
"""

_NOISE = ("Booleans should only accept", "multihop_rse_expression")
"""Beginnings of warnings about Rucio's own clients and defaults, one per request."""


def apply() -> None:
    """Cache in memory instead of not at all, survive a restart of the database, stay off the network.

    Rucio caches in memcached or nowhere; nowhere means several queries per replica when listing
    replicas. It sorts replicas by a map of the Internet it would like to download; all of ours
    lie on this machine.
    """
    import sqlalchemy
    from rucio.common import cache

    cache.MemcacheRegion._configure_region = _configure_in_memory

    from rucio.core import replica_sorter
    from rucio.db.sqla import session

    # Connections broken by a restart of the database are replaced before use instead of failing a request.
    session.create_engine = functools.partial(sqlalchemy.create_engine, pool_pre_ping=True)
    replica_sorter.sort_geoip = _keep_order
    logging.getLogger().addFilter(_is_worth_reading)


def _configure_in_memory(region: Any, expiration_time: int, memcached_expire_time: int | None) -> None:
    region.configure("dogpile.cache.memory", expiration_time=min(expiration_time, CACHE_SECONDS))


def _keep_order(replicas: Iterable[str], client_location: object, ignore_error: bool = False) -> list[str]:
    return list(replicas)


def _is_worth_reading(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_NOISE)

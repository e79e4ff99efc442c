"""Adjustments to Rucio that no option offers. Call `apply` before importing the rest of Rucio."""

from __future__ import annotations

import functools
from typing import Any

CACHE_SECONDS = 5
"""How stale a cached value may be.

The caches live in several processes that do not tell each other of changes, so they must
expire soon; within one request for thousands of replicas they still save thousands of queries.
"""


def apply() -> None:
    """Cache in memory instead of not at all, and survive a restart of the database.

    Rucio caches in memcached or nowhere. Nowhere means several queries per replica when
    listing replicas.
    """
    import sqlalchemy
    from rucio.common import cache
    from rucio.db.sqla import session

    cache.MemcacheRegion._configure_region = _configure_in_memory
    # Connections broken by a restart of the database are replaced before use instead of failing a request.
    session.create_engine = functools.partial(sqlalchemy.create_engine, pool_pre_ping=True)


def _configure_in_memory(region: Any, expiration_time: int, memcached_expire_time: int | None) -> None:
    region.configure("dogpile.cache.memory", expiration_time=min(expiration_time, CACHE_SECONDS))

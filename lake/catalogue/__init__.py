"""The catalogue: one PostgreSQL database of observations, releases, runs and references."""

from __future__ import annotations

from lake.catalogue.migration import migrate
from lake.catalogue.session import open_engine, session_factory, transaction

__all__ = ["migrate", "open_engine", "session_factory", "transaction"]

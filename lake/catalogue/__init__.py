"""The catalogue: tables, sessions and migrations of one database; what is asked of them stands elsewhere."""

from __future__ import annotations

# Their tables belong to the catalogue whoever asks for them.
from lake.catalogue import accounts as accounts
from lake.catalogue import dois as dois
from lake.catalogue.migration import migrate
from lake.catalogue.session import open_engine, session_factory, transaction

__all__ = ["migrate", "open_engine", "session_factory", "transaction"]

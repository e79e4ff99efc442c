"""The embedded services of a home: database, Rucio, Dask; what they work on is not decided here."""

from __future__ import annotations

from cluster.services.base import ServiceState
from cluster.services.lifecycle import down, status, up

__all__ = ["ServiceState", "down", "status", "up"]

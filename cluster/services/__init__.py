"""The embedded services of a home: database, Rucio and its daemons, Dask."""

from __future__ import annotations

from cluster.services.base import ServiceState
from cluster.services.lifecycle import down, status, up

__all__ = ["ServiceState", "down", "status", "up"]

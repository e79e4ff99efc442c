"""Where a Dask scheduler listens, and the key it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scheduler:
    """A Dask scheduler.

    Attributes
    ----------
    address
        ``tcp://`` or ``tls://`` with host and port.
    key
        For ``tls://``: a PEM file with the private key and the certificate that
        scheduler, workers and clients of one cluster share. Whoever can read it
        can run code as the cluster's owner.
    """

    address: str
    key: Path | None = None

    def __str__(self) -> str:
        return self.address

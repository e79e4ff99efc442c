"""Where a Dask scheduler listens, and what a client shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed.security import Security


@dataclass(frozen=True)
class Scheduler:
    """A Dask scheduler.

    Attributes
    ----------
    address
        ``tcp://`` or ``tls://`` with host and port, or ``gateway://`` with the name of the cluster too.
    key
        For ``tls://``: a PEM file with the private key and the certificate that
        scheduler, workers and clients of one cluster share. Whoever can read it
        can run code as the cluster's owner.
    security
        What encrypts and authorises, for clusters that share no such file.
    advice
        What people can do when it does not answer.
    """

    address: str
    key: Path | None = None
    security: Security | None = field(default=None, repr=False, compare=False)
    advice: str = field(default="run `heliolake up`, then this again", compare=False)

    def __str__(self) -> str:
        return self.address

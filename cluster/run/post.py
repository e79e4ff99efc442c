"""Where one of several executors of a run stands: what it claims, and how its inputs get to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cluster.plan.units import PlannedUnit


class Post(Protocol):
    """An executor's place in a run that several carry out.

    Attributes
    ----------
    site
        The units it claims are those of this site.
    rse
        The storage element of the site: what is made lies there.
    batch
        Units it claims at once.
    """

    @property
    def site(self) -> str: ...
    @property
    def rse(self) -> str: ...
    @property
    def batch(self) -> int: ...

    def fetch(self, units: Sequence[PlannedUnit]) -> None:
        """Have what units read brought to the site, as far as it is not there; waits."""

    def heal(self, units: Sequence[PlannedUnit]) -> set[str]:
        """Have damaged and lost inputs replaced from elsewhere; the units for which that was done."""

    def leaves(self) -> bool:
        """Whether the site is to take no more work."""

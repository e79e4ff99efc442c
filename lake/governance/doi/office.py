"""Registry, citations and the way to them, opened together and lazily."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from lake.governance.doi.registry import Citations, Registry

if TYPE_CHECKING:
    from lake.governance.doi.client import Registrar


class Office:
    """What every function that governs DOIs works on.

    Parameters
    ----------
    registry
        Where DOIs are registered.
    citations
        What is said of the data there.
    """

    def __init__(self, registry: Registry, citations: Citations) -> None:
        self.registry = registry
        self.citations = citations

    @cached_property
    def registrar(self) -> Registrar:
        """The registry's client; needs the `datacite` library, which reading and citing do not."""
        from lake.governance.doi.client import Registrar

        return Registrar(self.registry)

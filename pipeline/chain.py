"""A chain: the steps of a recipe that are switched on, each with its validated parameters."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.step import Params, Step


class BoundStep(BaseModel):
    """A step with its validated parameters, ready to run."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    step: Step
    params: Params
    assume: frozenset[str] = frozenset()
    #: Needs that a step of the recipe does not let be assumed, and how to go without them all the same.
    demanded: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """What identifies this piece of work: enters the hash of a unit."""
        return {
            "step": self.step.name,
            "version": self.step.version,
            "params": self.params.model_dump(mode="json"),
            "assume": sorted(self.assume),
        }

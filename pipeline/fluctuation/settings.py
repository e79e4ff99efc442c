"""What can be chosen of an analysis."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Settings(BaseModel):
    """How series are taken as chains, and what is tested.

    Attributes
    ----------
    observable
        Variable of the stack.
    at
        Dim → place along it, counted from 0, where not all of the observable is meant: a wavelength, a line.
    of
        What of its values: themselves, their absolute value, or their square.
    least
        Values whose absolute value is smaller are none: below the noise.
    states
        How many; each has the same share of all values.
    bounds
        Between states, rising, in the observable's unit: in place of equal shares, and of `states`.
    each_pixel
        Whether the bounds of states are each pixel's own, not common to all.
    lengths
        Transitions of a path, one analysis for each.
    smoothing
        Added to the counts of transitions that were seen in either direction.
    parts
        Of the time that are compared for stationarity.
    side
        Pixels along each side of the squares that the bootstrap draws: about as far as pixels know of each
        other.
    draws
        Of the bootstrap.
    interval
        Probability that the intervals have.
    seed
        Of the bootstrap.
    width
        Of the bins of s.
    regular
        Part of a time step by which a frame may be off.
    level
        Probability below which a test says that an assumption fails.
    tolerance
        By how much, in all, the states' shares may differ from those that the chain leaves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    observable: str = "image"
    at: dict[str, int] = Field(default_factory=dict)
    of: Literal["value", "absolute", "square"] = "value"
    least: float = Field(default=0.0, ge=0)
    states: int = Field(default=6, ge=2, le=32)
    bounds: tuple[float, ...] = ()
    each_pixel: bool = False
    lengths: tuple[int, ...] = Field(default=(1, 2, 4, 8), min_length=1)
    smoothing: float = Field(default=0.5, ge=0)
    parts: int = Field(default=4, ge=2, le=64)
    side: int = Field(default=8, ge=1)
    draws: int = Field(default=200, ge=20, le=2000)
    interval: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = 1
    width: float = Field(default=0.25, gt=0)
    regular: float = Field(default=0.1, gt=0, lt=0.5)
    level: float = Field(default=1e-3, gt=0, lt=0.5)
    tolerance: float = Field(default=0.02, ge=0, lt=1)

    @field_validator("bounds")
    @classmethod
    def _rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(value)) or len(value) > 31:
            raise ValueError("bounds are up to 31 numbers, each larger than the one before")
        return value

    @model_validator(mode="after")
    def _one_way_to_states(self) -> Settings:
        if self.bounds and self.each_pixel:
            raise ValueError("bounds are common to all pixels: give either bounds or each_pixel")
        return self

    @property
    def number(self) -> int:
        """Of states."""
        return len(self.bounds) + 1 if self.bounds else self.states

    @field_validator("lengths")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1:
            raise ValueError("a path has one transition or more")
        return tuple(sorted(set(value)))

"""What an analysis found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.fluctuation.assumptions import Counts, Test
from pipeline.fluctuation.chain import F64, Chain
from pipeline.fluctuation.settings import Settings
from pipeline.fluctuation.theorem import Theorem


@dataclass(frozen=True)
class Fluctuation:
    """The fluctuation theorem in a stack.

    Attributes
    ----------
    settings
        What was chosen.
    origin
        What the stack is: its name, digest, unit, times, frames, releases.
    edges
        Bounds between states, in the observable's unit; none where each pixel has its own.
    pairs
        Transitions counted, shape (parts of the time, states, states).
    chain
        Estimated from them.
    scale
        How much squares of pixels differ, over what chance does.
    squares, pixels
        How many there were with a value.
    tests
        Of the assumptions.
    theorems
        By length of the paths.
    caveats
        Sentences about gaps, and about what was left out.
    """

    settings: Settings
    origin: Mapping[str, Any]
    edges: F64
    pairs: Counts
    chain: Chain
    scale: float
    squares: int
    pixels: int
    tests: tuple[Test, ...]
    theorems: tuple[Theorem, ...]
    caveats: tuple[str, ...]

    @property
    def assumptions_hold(self) -> bool:
        """Whether no assumption failed."""
        return all(test.holds for test in self.tests)

    def said(self) -> tuple[str, ...]:
        """All that a reader has to know: caveats, failed assumptions, doubts."""
        failed = [f"{test.name}: {test.says}" for test in self.tests if not test.holds]
        doubts = [f"paths of {one.length}: {one.doubt}" for one in self.theorems if one.doubt]
        return (*self.caveats, *failed, *doubts)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "origin": dict(self.origin),
            "settings": self.settings.model_dump(mode="json"),
            "pixels": self.pixels,
            "squares": self.squares,
            "transitions": int(self.pairs.sum()),
            "production": _plain(self.chain.production),
            "edges": self.edges.tolist(),
            "assumptions": [
                {name: _plain(value) for name, value in test._asdict().items()} for test in self.tests
            ],
            "theorems": [_theorem(one) for one in self.theorems],
            "said": list(self.said()),
        }


def _theorem(one: Theorem) -> dict[str, Any]:
    return {
        "length": one.length,
        "paths": one.paths,
        "mean": _plain(one.mean),
        "expected": _plain(one.expected),
        "detailed": {name: _plain(value) for name, value in one.detailed._asdict().items()},
        "integral": {name: _plain(value) for name, value in one.integral._asdict().items()},
        "effective": _plain(one.effective),
        "holds": one.holds,
        "doubt": one.doubt,
    }


def _plain(value: Any) -> Any:
    """A value that JSON has."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value

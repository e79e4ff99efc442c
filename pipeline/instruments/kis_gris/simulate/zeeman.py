"""Zeeman patterns from quantum numbers: shifts and strengths of all components (Condon & Shortley 1935)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


class Component(NamedTuple):
    """One component of a line.

    Attributes
    ----------
    kind
        0 of the π component, +1 of the blue and -1 of the red σ component: change of the magnetic quantum
        number.
    shift
        To the red, in units of the shift that a Landé factor of 1 makes.
    strength
        Its share of all components of its kind.
    """

    kind: int
    shift: float
    strength: float


def pattern(lower: tuple[float, float], upper: tuple[float, float]) -> list[Component]:
    """All components of a line between two levels, each given by angular momentum J and Landé factor g."""
    (low, g_low), (high, g_high) = lower, upper
    found: list[Component] = []
    for kind in (1, 0, -1):
        mine = [
            Component(kind, g_low * m - g_high * (m + kind), _strength(low, m, high, kind))
            for m in np.arange(-low, low + 1.0)
            if abs(m + kind) <= high
        ]
        whole = sum(one.strength for one in mine)
        found += [one._replace(strength=one.strength / whole) for one in mine if one.strength > 0]
    return found


def _strength(low: float, m: float, high: float, kind: int) -> float:
    """Relative strength within the components of one kind."""
    if high == low:
        return m * m if kind == 0 else (low - kind * m) * (low + kind * m + 1.0)
    if high == low + 1.0:
        return (low + 1.0) ** 2 - m * m if kind == 0 else (low + kind * m + 1.0) * (low + kind * m + 2.0)
    if high == low - 1.0:
        return low * low - m * m if kind == 0 else (low - kind * m) * (low - kind * m - 1.0)
    raise ValueError(f"no dipole line leads from J = {low:g} to J = {high:g}")

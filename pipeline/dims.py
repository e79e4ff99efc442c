"""Names of axes: what a frame's array is made of, and what steps take.

Dims stand in the order of numpy, the slowest first: ``(y, x)`` for an image,
``(stokes, wavelength, y, x)`` for a map of spectra. FITS counts its axes the
other way round, so that axis 1 is the last of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import EllipsisType
from typing import Final, NamedTuple

Dims = tuple[str, ...]
Shape = tuple[int, ...]
#: Dims a step takes: just these, or any before them (``(..., "y", "x")``), or any at all (`None`).
DimsTaken = tuple[str | EllipsisType, ...] | None

#: What a frame is where nothing else is said.
IMAGE: Final[Dims] = ("y", "x")


class Layout(NamedTuple):
    """How the arrays of a frame are laid out.

    Attributes
    ----------
    dims, shape
        Of its data, one length for each name.
    flagged
        Number of the last dims that flags of quality are kept for; 0 for all.
    """

    dims: Dims
    shape: Shape
    flagged: int = 0

    @property
    def of_quality(self) -> Layout:
        """The layout of the flags."""
        first = len(self.dims) - (self.flagged or len(self.dims))
        return Layout(self.dims[first:], self.shape[first:])

    def __str__(self) -> str:
        return f"{written(self.dims)} of {' x '.join(map(str, self.shape))}"


def takes(taken: DimsTaken, dims: Sequence[str]) -> bool:
    """Whether a step that takes these dims can be given a frame of those."""
    if taken is None:
        return True
    if taken and taken[0] is ...:
        rest = taken[1:]
        return len(dims) >= len(rest) and tuple(dims[len(dims) - len(rest) :]) == rest
    return tuple(dims) == taken


def untouched(taken: DimsTaken, dims: Sequence[str]) -> frozenset[str]:
    """The dims along which such a step treats every place alike, whatever it does along the others."""
    if taken is None:
        return frozenset(dims)
    return frozenset(dims) - frozenset(taken) if taken and taken[0] is ... else frozenset()


def written(dims: DimsTaken) -> str:
    """Dims as people read them: ``(…, y, x)``."""
    if dims is None:
        return "any dims"
    return f"({', '.join('…' if one is ... else str(one) for one in dims)})"


def flagged(dims: Dims, over: Collection[str]) -> int:
    """How many of the last dims are among those that flags apply to; all where these are none of them."""
    number = 0
    for name in reversed(dims):
        if name not in over:
            break
        number += 1
    return number or len(dims)

"""Reductions: steps that need many frames at once.

`map` turns one block of a stack into a partial result, `combine` joins two of
them, `finish` makes the array that becomes a reference. Partials are joined
in a tree, in any order, and the result must not depend on it: that is what
lets a background of eleven days run on any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import xarray as xr
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.choices import choices, shortly
from pipeline.errors import Fatal
from pipeline.read_only import read_only

P = TypeVar("P")


@dataclass(frozen=True)
class StackBlock:
    """Some frames of a stack, all of one size; read-only to reductions, for others may share them.

    Attributes
    ----------
    image
        float32, shape (time, y, x); frames that failed are NaN.
    quality
        `Quality` bits, uint16, same shape.
    """

    image: NDArray[np.float32]
    quality: NDArray[np.uint16]

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", read_only(self.image))
        object.__setattr__(self, "quality", read_only(self.quality))


class Reduction(Protocol[P]):
    """What is done to many frames to make one reference; must be picklable."""

    def map(self, block: StackBlock) -> P:
        """The partial result of one block."""

    def combine(self, first: P, second: P) -> P:
        """The partial result of both; associative and commutative."""

    def finish(self, partial: P) -> NDArray[np.float32]:
        """The reference, shape (y, x)."""


@dataclass(frozen=True)
class ReductionKind:
    """A registered reduction: what it is made from, what it makes, and how that is written.

    Attributes
    ----------
    name, instrument
        Identity.
    level
        Level of the frames it takes.
    need
        The `ReferenceNeed` its result answers.
    alike
        Searchable values in which all frames of one reference agree; they become its selectors.
    prepare
        The reduction for a number of frames.
    write
        ``(array, unit, days, frames)`` → the reference as FITS.
    summary
        One line for people.
    """

    name: str
    instrument: str
    level: str
    need: str
    alike: tuple[str, ...]
    prepare: Callable[[int], Reduction[Any]]
    write: Callable[[NDArray[np.float32], str, int, int], fits.HDUList]
    summary: str = ""


_REGISTRY: dict[tuple[str, str], ReductionKind] = {}


def register(kind: ReductionKind) -> ReductionKind:
    """Make a reduction known under its instrument and name."""
    _REGISTRY[kind.instrument, kind.name] = kind
    return kind


def find_reduction(instrument: str, name: str) -> ReductionKind:
    """A registered reduction.

    Raises
    ------
    Fatal
        When the instrument has none of this name; the message lists those it has.
    """
    from pipeline.instrument import instrument as known_instrument

    known_instrument(instrument)  # registers what it brings
    found = _REGISTRY.get((instrument, name))
    if found is None:
        known = [kind for owner, kind in _REGISTRY if owner == instrument]
        raise Fatal(
            f"instrument {instrument!r} has no reduction {shortly(name)}. "
            f"{choices(name, known, 'Its reductions')}"
        )
    return found


def reductions_for(instrument: str, need: str) -> list[ReductionKind]:
    """The reductions of an instrument that make what a need asks for."""
    from pipeline.instrument import instrument as known_instrument

    known_instrument(instrument)  # registers what it brings
    return [
        kind for (owner, _), kind in sorted(_REGISTRY.items()) if owner == instrument and kind.need == need
    ]


def lazily(reduction: Reduction[P], stack: xr.Dataset) -> Any:
    """A delayed object that computes a reduction of a stack.

    Parameters
    ----------
    reduction
        What to compute.
    stack
        As `pipeline.stack` describes it; chunked along ``time`` only.

    Returns
    -------
    dask.delayed.Delayed
        Its ``compute()`` gives the array. Partials are joined two by two, so
        no worker ever holds more than two of them.
    """
    from dask import delayed

    images = stack["image"].data.to_delayed().ravel()
    qualities = stack["quality"].data.to_delayed().ravel()
    pairs = zip(images, qualities, strict=True)
    partials = [delayed(_map_block)(reduction, image, quality) for image, quality in pairs]
    while len(partials) > 1:
        joined = [
            delayed(reduction.combine)(first, second)
            for first, second in zip(partials[::2], partials[1::2], strict=False)
        ]
        partials = joined + partials[2 * len(joined) :]
    return delayed(reduction.finish)(partials[0])


def reduce(reduction: Reduction[P], blocks: Sequence[StackBlock]) -> NDArray[np.float32]:
    """A reduction of blocks that are in memory.

    Raises
    ------
    ValueError
        When there are no blocks.
    """
    if not blocks:
        raise ValueError("a reduction needs at least one block of frames")
    partial = reduction.map(blocks[0])
    for block in blocks[1:]:
        partial = reduction.combine(partial, reduction.map(block))
    return reduction.finish(partial)


def _map_block(reduction: Reduction[P], image: NDArray[np.float32], quality: NDArray[np.uint16]) -> P:
    return reduction.map(StackBlock(image, quality))

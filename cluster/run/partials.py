"""The pieces of a reduction, as workers carry them out: frames mapped, partial results joined, the end.

Each reads what it needs and keeps what it made beside the storage (`lake.storage.volatile`): only names and
checksums travel. No more than two partial results are ever in the memory of a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cluster.run.stacks import FrameSource, open_stack
from lake.storage import volatile
from lake.storage.store import Store
from lake.storage.volatile import Kept
from pipeline.dims import Layout
from pipeline.errors import BadInput
from pipeline.reduction import Reduced, Reduction, StackBlock, block_of

#: Bytes of images that are mapped at once, unless a single image is larger, and how many at most.
BLOCK_BYTES: Final = 64 * 2**20
BLOCK_FRAMES: Final = 64

#: Makes the reduction of a pass of what the pass before it made.
Prepare = Callable[[Reduced | None], Reduction[Any]]


class Scratch(NamedTuple):
    """Where a run keeps what it needs while it lasts."""

    store: Store
    run: str


@dataclass(frozen=True)
class MapFrames:
    """Some frames to be mapped; `name` is what their partial result is kept under."""

    name: str
    frames: tuple[FrameSource, ...]
    layout: Layout


@dataclass(frozen=True)
class Join:
    """Two partial results to be joined."""

    name: str
    first: Kept
    second: Kept


@dataclass(frozen=True)
class Finish:
    """The partial result of all frames, to be finished."""

    name: str
    whole: Kept


Piece = MapFrames | Join | Finish


@dataclass(frozen=True)
class Partial:
    """What is kept of some frames: the method's partial result, and the unit all of them are in."""

    value: Any
    unit: str | None


@dataclass(frozen=True)
class Whole:
    """What a pass made, and the unit of its frames."""

    reduced: Reduced
    unit: str


class CarryOut:
    """Carries out pieces of one pass.

    Parameters
    ----------
    prepare
        The method.
    before
        What the pass before this one made, where there was one.
    scratch
        Where partial results are kept.
    what
        What is made, for messages.
    """

    def __init__(self, prepare: Prepare, before: Kept | None, scratch: Scratch, what: str) -> None:
        self.prepare, self.before, self.scratch, self.what = prepare, before, scratch, what
        self.__name__ = what

    def __call__(self, piece: Piece) -> Kept:
        """What was made, where it is kept.

        Raises
        ------
        pipeline.errors.BadInput
            When frames are in different units.
        lake.storage.volatile.NotKept
            When a partial result is lost.
        """
        before = None if self.before is None else self._kept(self.before).reduced
        reduction = self.prepare(before)
        made: Partial | Whole
        if isinstance(piece, MapFrames):
            made = self._mapped(reduction, piece)
        elif isinstance(piece, Join):
            made = self._joined(reduction, self._kept(piece.first), self._kept(piece.second))
        else:
            whole = self._kept(piece.whole)
            made = Whole(reduction.finish(whole.value), whole.unit or "")
        return volatile.keep(*self.scratch, piece.name, made)

    def _kept(self, what: Kept) -> Any:
        return volatile.kept(*self.scratch, what)

    def _mapped(self, reduction: Reduction[Any], piece: MapFrames) -> Partial:
        found: Partial | None = None
        step = frames_at_once(piece.layout.shape)
        for start in range(0, len(piece.frames), step):
            block = _read(piece.frames[start : start + step], piece.layout)
            mapped = Partial(reduction.map(block), self._unit(block))
            found = mapped if found is None else self._joined(reduction, found, mapped)
        if found is None:
            raise ValueError("a piece of a reduction needs frames")
        return found

    def _joined(self, reduction: Reduction[Any], first: Partial, second: Partial) -> Partial:
        units = {one.unit for one in (first, second)} - {None}
        if len(units) > 1:
            raise self._different(units)
        return Partial(reduction.combine(first.value, second.value), next(iter(units), None))

    def _unit(self, block: StackBlock) -> str | None:
        """The unit of the frames of a block; a mean over two units would be a number of neither."""
        units = {str(header.get("BUNIT", "")).strip() for header in block.headers if len(header)}
        if len(units) > 1:
            raise self._different(units)
        return next(iter(units), None)

    def _different(self, units: set[Any]) -> BadInput:
        return BadInput(
            f"the frames for one {self.what} are in different units",
            keyword="BUNIT",
            found=", ".join(sorted(units)),
            advice="narrow the query to frames of one unit, or process them again with one recipe",
        )


def frames_at_once(shape: Sequence[int]) -> int:
    """How many frames are read and mapped at once."""
    pixels = 1
    for length in shape:
        pixels *= length
    return max(1, min(BLOCK_FRAMES, BLOCK_BYTES // (4 * max(pixels, 1))))


def _read(sources: Sequence[FrameSource], layout: Layout) -> StackBlock:
    dims, shape, flagged = layout.dims, layout.shape, layout.flagged
    stack = open_stack(sources, shape, dims=dims, flagged=flagged, frames_per_block=len(sources))
    block = stack[["image", "quality", "source", "header"]].compute(scheduler="synchronous")
    return block_of(*(block[name].values for name in ("image", "quality", "source", "header")))

"""Reductions: steps that need many frames at once.

`map` turns one block of a stack into a partial result, `combine` joins two of
them, `finish` makes the array that becomes a reference. Partials are joined
in a tree, in any order, and the result must not depend on it: that is what
lets a background of eleven days run on any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import cloudpickle
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline import code
from pipeline.choices import choices, shortly
from pipeline.dims import DimsTaken
from pipeline.errors import Fatal
from pipeline.read_only import read_only
from pipeline.registry import instrument as known_instrument
from pipeline.registry import when_forgotten
from pipeline.stack import header_of

if TYPE_CHECKING:
    import xarray as xr

P = TypeVar("P")
#: Variables of a stack that a block is made of, in the order `_map_block` takes them.
_PARTS: Final = ("image", "quality", "source", "header")
_NO_FRAMES: Final = "a reduction needs at least one block of frames"


@dataclass(frozen=True)
class StackBlock:
    """Some frames of a stack, all of one size; read-only to reductions, for others may share them.

    Attributes
    ----------
    image
        float32, shape (time, y, x), of frames that are no images (time, *dims); frames that failed are NaN.
    quality
        `Quality` bits, uint16, same shape, or that of the last dims that flags are kept for.
    sources
        Names of the frames, in the same order.
    headers
        Their headers, empty ones of frames that failed; none at all where nobody gave them.
    """

    image: NDArray[np.float32]
    quality: NDArray[np.uint16]
    sources: tuple[str, ...]
    headers: tuple[fits.Header, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.sources) == self.image.shape[0] == self.quality.shape[0]:
            raise ValueError("a block needs one image, one quality plane and one name for each frame")
        if self.headers and len(self.headers) != len(self.sources):
            raise ValueError("a block needs one header for each frame, or none at all")
        object.__setattr__(self, "image", read_only(self.image))
        object.__setattr__(self, "quality", read_only(self.quality))


@dataclass(frozen=True)
class Reduced:
    """What a reduction made, and of what.

    Attributes
    ----------
    values
        The reference, float32, shape (y, x); NaN where too few frames had a value.
    count
        Frames that had a value at every pixel, int32, same shape.
    used
        Names of the frames that had a value anywhere.
    cards
        What else the reduction found, for the reference's header: keyword → (value, comment).
    findings
        What it found, in sentences for whoever asked for it.
    doubts
        Sentences for the users of the reference, which stand in its header too.
    """

    values: NDArray[np.float32]
    count: NDArray[np.int32]
    used: frozenset[str]
    cards: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Origin:
    """What the frames of a reduction were.

    Attributes
    ----------
    unit
        BUNIT of all of them.
    frames
        Name and begin (UTC) of every frame used, in order of time.
    """

    unit: str
    frames: tuple[tuple[str, datetime], ...]

    @property
    def days(self) -> int:
        """Days from the first to the last frame, rounded, at least 1."""
        return max(1, round((self.frames[-1][1] - self.frames[0][1]).total_seconds() / 86400.0))


class Reduction(Protocol[P]):
    """What is done to many frames to make one reference; must be picklable."""

    def map(self, block: StackBlock) -> P:
        """The partial result of one block."""

    def combine(self, first: P, second: P) -> P:
        """The partial result of both; associative and commutative."""

    def finish(self, partial: P) -> Reduced:
        """The reference, and what each of its pixels is made of."""


Validity = tuple[datetime | None, datetime | None]


def while_they_last(first: datetime, last: datetime) -> Validity:
    """From the first frame to the last one, which is to be inside: a validity ends before its end."""
    return first, last + timedelta(seconds=1)


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
    further
        Where the method goes over the frames more than once: for each further pass, the reduction for a
        number of frames and what the pass before it made. The last pass makes the reference.
    write
        ``(reduced, origin, caveats)`` → the reference as FITS.
    fewest
        Frames below which there is no reference.
    few
        Frames below which a pixel is of low confidence.
    validity
        For which times the reference stands, from the begins of its first and its last frame; either end may
        be open.
    dims
        Names of the axes it takes, as steps say them; any by default.
    draw
        ``(reference, picture)``: draws what it made, as a PNG file, where there is more to see than an image.
    summary
        One line for people.
    """

    name: str
    instrument: str
    level: str
    need: str
    alike: tuple[str, ...]
    prepare: Callable[[int], Reduction[Any]]
    write: Callable[[Reduced, Origin, Sequence[str]], fits.HDUList]
    fewest: int = 1
    few: int = 1
    further: tuple[Callable[[int, Reduced], Reduction[Any]], ...] = ()
    validity: Callable[[datetime, datetime], Validity] = while_they_last
    dims: DimsTaken = None
    draw: Callable[[Path, Path], None] | None = None
    summary: str = ""

    @property
    def passes(self) -> int:
        """How often it goes over all frames."""
        return 1 + len(self.further)

    def reduction(self, number: int, frames: int, before: Reduced | None) -> Reduction[Any]:
        """The reduction of one pass, counted from 0, which is given what the one before it made."""
        if number == 0:
            return self.prepare(frames)
        if before is None:
            raise ValueError(f"pass {number} of {self.name} needs what the pass before it made")
        return self.further[number - 1](frames, before)

    def caveats(self, reduced: Reduced) -> tuple[str, ...]:
        """What a user of the reference should know: of the number of its frames, and what it says itself."""
        found = []
        number = len(reduced.used)
        if number < self.few:
            found.append(f"the {self.name} is made of {number} frames; below {self.few} it is uncertain")
        measured = reduced.count[reduced.count > 0]
        scarce = int(np.count_nonzero(measured < self.few))
        if number >= self.few and scarce:
            share = 100.0 * scarce / reduced.count.size
            found.append(f"{share:.2g} % of the {self.name} is made of fewer than {self.few} frames")
        return (*found, *reduced.doubts)


_REGISTRY: dict[tuple[str, str], ReductionKind] = {}


def register(kind: ReductionKind) -> ReductionKind:
    """Make a reduction known under its instrument and name."""
    _REGISTRY[kind.instrument, kind.name] = kind
    return kind


def _forget(instrument: str) -> None:
    for key in [key for key in _REGISTRY if key[0] == instrument]:
        del _REGISTRY[key]


when_forgotten.append(_forget)


def find_reduction(instrument: str, name: str) -> ReductionKind:
    """A registered reduction.

    Raises
    ------
    Fatal
        When the instrument has none of this name; the message lists those it has.
    """
    known_instrument(instrument)  # registers what it brings
    found = _REGISTRY.get((instrument, name))
    if found is None:
        known = [kind for owner, kind in _REGISTRY if owner == instrument]
        raise Fatal(
            f"instrument {instrument!r} has no reduction {shortly(name)}. "
            f"{choices(name, known, 'Its reductions')}"
        )
    return found


def reductions_of(instrument: str) -> list[ReductionKind]:
    """The reductions of an instrument, by name."""
    known_instrument(instrument)  # registers what it brings
    return [kind for (owner, _), kind in sorted(_REGISTRY.items()) if owner == instrument]


def reductions_for(instrument: str, need: str) -> list[ReductionKind]:
    """The reductions of an instrument that make what a need asks for."""
    return [kind for kind in reductions_of(instrument) if kind.need == need]


def lazily(reduction: Reduction[P], stack: xr.Dataset, *, instrument: str = "") -> Any:
    """A delayed object that computes a reduction of a stack.

    Parameters
    ----------
    reduction
        What to compute.
    stack
        As `pipeline.stack` describes it; chunked along ``time`` only.
    instrument
        Whose reduction it is. Workers that run other code of it than this
        process refuse to compute; nothing is compared when empty.

    Returns
    -------
    dask.delayed.Delayed
        Its ``compute()`` gives a `Reduced`. Partials are joined two by two, so
        no worker ever holds more than two of them.

    Raises
    ------
    ValueError
        When the stack holds no frame.
    """
    from dask import delayed

    if not stack.sizes["time"]:
        raise ValueError(_NO_FRAMES)
    mapped, combine, finish = (
        SameCode(instrument, part)
        for part in (partial(_map_block, reduction), reduction.combine, reduction.finish)
    )
    names = [name for name in _PARTS if name in stack]
    parts = zip(*(stack[name].data.to_delayed().ravel() for name in names), strict=True)
    partials = [delayed(mapped)(*part) for part in parts]
    while len(partials) > 1:
        joined = [
            delayed(combine)(first, second)
            for first, second in zip(partials[::2], partials[1::2], strict=False)
        ]
        partials = joined + partials[2 * len(joined) :]
    return delayed(finish)(partials[0])


class SameCode:
    """A function that only computes in a process which runs the code of the process it was made in.

    It travels sealed: an older process may not even have what it is made of, and has to be able to say so.
    """

    def __init__(self, instrument: str, function: Callable[..., Any]) -> None:
        self.instrument = instrument
        self.sealed = cloudpickle.dumps(function)
        self.code = code.of_instrument(instrument) if instrument else {}
        self.__name__ = getattr(function, "__name__", "map")

    def __call__(self, *args: Any) -> Any:
        if self.instrument:
            here = code.of_instrument(self.instrument)
            code.require_same(self.code, here, f"the reduction of {self.instrument}", "a worker")
        return cloudpickle.loads(self.sealed)(*args)


def reduce(reduction: Reduction[P], blocks: Sequence[StackBlock]) -> Reduced:
    """A reduction of blocks that are in memory.

    Raises
    ------
    ValueError
        When there are no blocks.
    """
    if not blocks:
        raise ValueError(_NO_FRAMES)
    partial = reduction.map(blocks[0])
    for block in blocks[1:]:
        partial = reduction.combine(partial, reduction.map(block))
    return reduction.finish(partial)


def _map_block(
    reduction: Reduction[P],
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    sources: NDArray[np.object_],
    headers: NDArray[np.object_] | None = None,
) -> P:
    return reduction.map(block_of(image, quality, sources, headers))


def block_of(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    sources: NDArray[np.object_],
    headers: NDArray[np.object_] | None = None,
) -> StackBlock:
    """A block of the variables of a stack."""
    texts = () if headers is None else headers
    return StackBlock(image, quality, tuple(map(str, sources)), tuple(header_of(str(text)) for text in texts))

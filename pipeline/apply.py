"""Applying a recipe to a stack: lazily, block by block, with frames failing alone.

A notebook and a campaign run this same function, so they cannot differ.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipeline import code
from pipeline.chain import BoundStep
from pipeline.dims import IMAGE, Dims, Layout, Shape
from pipeline.dims_chain import behind, carried
from pipeline.errors import Fatal
from pipeline.frame import Frame
from pipeline.outcome import Outcome, Status
from pipeline.recipe import Recipe
from pipeline.registry import instrument
from pipeline.running import of_group, run_chain
from pipeline.stack import (
    assemble,
    dims_of,
    flags_over,
    frame_at,
    header_text,
    joined,
    outcome_at,
    planes,
    references_at,
    template,
)
from pipeline.step import Reach, ReferenceFile

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)

#: What the uncertainty takes besides: the plane before and behind a step, and its variance meanwhile.
_UNCERTAINTY_IMAGES: Final = 4.0


def apply(
    stack: xr.Dataset,
    recipe: Recipe,
    references: Mapping[str, ReferenceFile] | None = None,
    *,
    reach: Reach | None = None,
    members: int | None = None,
    places: int | None = None,
    reader: Reader | None = None,
) -> xr.Dataset:
    """The stack behind a recipe.

    Parameters
    ----------
    stack
        As `pipeline.stack` describes it; chunks hold whole frames.
    recipe
        What to do.
    references
        Calibration files by the name of the need they answer. References that
        belong to single frames come with the stack and go first.
    reach
        How a worker reaches the bytes of references that lie under no plain path; a module-level function.
    members
        For a recipe that makes one frame of several: how many each time, as they stand behind one another
        in the stack; as many as its ``group_by`` says by default.
    places
        How many places they lie along, where that is another number because some are missing or came twice.
    reader
        Gets the frames of a stack that has but their ``source``, when it is their turn: no block of them is
        held beside what is made of it.

    Returns
    -------
    xarray.Dataset
        A lazy stack of the same layout, with the variable ``uncertainty`` where
        the recipe asks for it. A frame that fails is NaN and says why in its
        ``outcome``; the others of its block are not touched by that.
        Coordinates along ``time`` stay, and those along an axis of which no
        step changes the places. Those of pixels do not, for steps move pixels,
        and the new header says where they are. Of a group the result has one
        time, that of its first frame. Further outputs of the recipe are variables
        of their own; `pipeline.stack.part` takes one of them out.

    Raises
    ------
    Fatal
        When the recipe does not fit its steps or the frames, or chunks cut frames.
    """
    import xarray as xr

    count = _members(stack, recipe, members)
    stack = _whole(stack, count)
    time_chunks = stack.chunksizes["time"]
    if reader is not None:
        dims, shape = reader.layout.dims, reader.layout.shape
    else:
        dims = dims_of(stack)
        shape = tuple(int(stack.sizes[name]) for name in dims)
    block = RecipeBlock(recipe, dict(references or {}), shape, dims, reach, count, places, reader)
    chunks = tuple(size // count for size in time_chunks)
    wanted = template(chunks, block.layout, uncertainty=recipe.uncertainty)
    if block.outputs:
        further = {name: template(chunks, layout) for name, layout in block.outputs.items()}
        wanted = joined(wanted, further)
    if not stack.coords:
        return cast("xr.Dataset", xr.map_blocks(block, stack, template=wanted))
    made = xr.map_blocks(block, stack.drop_vars(list(stack.coords)), template=wanted)
    kept = {"time"} | (carried(block.chain, dims) - set(IMAGE))
    return cast("xr.Dataset", made.assign_coords(_along(stack.isel(time=slice(None, None, count)), kept)))


def _whole(stack: xr.Dataset, count: int) -> xr.Dataset:
    """The stack in chunks of whole groups of so many frames; `Fatal` where chunks cut frames."""
    if "time" not in stack.chunksizes:
        stack = stack.chunk({"time": count})
    sizes = stack.chunksizes["time"]
    if any(size % count for size in sizes):
        stack = stack.chunk({"time": max(1, max(sizes) // count) * count})
    if "image" in stack:
        _, *frame_chunks = stack["image"].chunks
        if any(len(sizes) != 1 for sizes in frame_chunks):
            raise Fatal(f"chunks of a stack must hold whole images; these cut them: {frame_chunks}")
    return stack


def _members(stack: xr.Dataset, recipe: Recipe, members: int | None) -> int:
    """How many frames of a stack make one; `Fatal` where nothing says so or some are left over."""
    if recipe.group_by is None:
        return 1
    said = members or recipe.group_by.whole
    if said is None:
        raise Fatal(
            f"recipe {recipe.name} makes one frame of several and does not say of how many; "
            "say it with members=N, frames of a group behind one another"
        )
    if stack.sizes["time"] % said:
        raise Fatal(
            f"recipe {recipe.name} makes one frame of {said}, and the stack has {stack.sizes['time']}: "
            "leave out the frames of groups that are not whole"
        )
    return said


def _along(stack: xr.Dataset, dims: Collection[str]) -> dict[str, xr.Variable]:
    """The coordinates that tell of whole frames, such as their time, and of axes no step touched."""
    return {str(name): one.variable for name, one in stack.coords.items() if set(one.dims) <= set(dims)}


def layouts_behind(
    recipe: Recipe, dims: Dims, shape: Shape, places: int = 1
) -> tuple[Layout, dict[str, Layout]]:
    """How frames are laid out behind all steps of a recipe, and the further ones that it keeps, by name.

    Of a group, `places` is the number of its frames, or of the places that they lie along.

    Raises
    ------
    Fatal
        When a step does not take them, with its name, what it takes, and what it would be given.
    """
    entry = instrument(recipe.instrument)
    dims, shape, outputs = behind(recipe.name, recipe.bind(), dims, shape, places)
    kept = {name: Layout(*outputs[name], entry.flagged(outputs[name][0])) for name in recipe.outputs}
    return Layout(dims, shape, entry.flagged(dims)), kept


def memory_factor(chain: Sequence[BoundStep], *, uncertainty: bool = False) -> float:
    """Peak memory of the chain, in units of one float32 image; more where the uncertainty comes along."""
    return max(bound.step.memory_factor for bound in chain) + (_UNCERTAINTY_IMAGES if uncertainty else 0.0)


def task_name(recipe: Recipe) -> str:
    """What the Dask dashboard calls a block of this recipe: its name and its steps."""
    # Dask cuts a key at its last dash to find the prefix that it groups tasks by.
    return "→".join([recipe.name, *(bound.step.name for bound in recipe.bind())]).replace("-", "_")


class Reader(Protocol):
    """Reads the frames of a block of their sources; can be pickled."""

    @property
    def layout(self) -> Layout:
        """Of each frame."""

    def __call__(self, block: xr.Dataset) -> xr.Dataset:
        """A stack of them, in memory."""


class _Made(NamedTuple):
    """What became of a piece of work, and what was told of its first frame before."""

    frame: Frame | None
    outcome: Outcome
    header: str
    source: str
    references: str


class RecipeBlock:
    """The function `xarray.map_blocks` sends to a worker; its name is what the dashboard shows."""

    def __init__(
        self,
        recipe: Recipe,
        references: dict[str, ReferenceFile],
        shape: Shape,
        dims: Dims = IMAGE,
        reach: Reach | None = None,
        members: int = 1,
        places: int | None = None,
        reader: Reader | None = None,
    ) -> None:
        self.recipe = recipe
        self.references = references
        self.reach = reach
        self.reader = reader
        self.given = Layout(dims, shape, instrument(recipe.instrument).flagged(dims))
        self.members = members
        self.layout, self.outputs = layouts_behind(recipe, dims, shape, places or members)
        self.code = code.of_recipe(recipe)
        self.__name__ = task_name(recipe)

    @cached_property
    def chain(self) -> tuple[BoundStep, ...]:
        """The steps, bound where they run: a recipe pickles small, its functions do not travel."""
        return self.recipe.bind()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "chain"}

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (self.recipe.document(), sorted(self.references.items()), self.layout, code.digest(self.code))

    def __call__(self, block: xr.Dataset) -> xr.Dataset:
        """Carry the recipe out, in a process that runs the code it was made with and in no other."""
        code.require_same(self.code, code.of_recipe(self.recipe), f"recipe {self.recipe.name}", "a worker")
        firsts = range(0, block.sizes["time"], self.members)
        made = [self._one(block.isel(time=slice(first, first + self.members))) for first in firsts]
        frames = [one.frame for one in made]
        main = _assembled(frames, self.layout, made, self._uncertainties(frames))
        if not self.outputs:
            return main
        parts = {}
        for name, layout in self.outputs.items():
            further = [None if frame is None else frame.outputs[name] for frame in frames]
            parts[name] = _assembled(further, layout, made)
        return joined(main, parts)

    def _uncertainties(self, frames: Sequence[Frame | None]) -> NDArray[np.float32] | None:
        if not self.recipe.uncertainty:
            return None
        found = [None if frame is None else frame.uncertainty for frame in frames]
        return planes(found, self.layout.shape, np.float32, np.nan)

    def _one(self, block: xr.Dataset) -> _Made:
        """What becomes of one piece of work: a frame, or a group of them."""
        if self.reader is not None:
            block = self.reader(block)
        told = tuple(str(block[name].values[0]) for name in ("header", "source", "references"))
        before = [outcome_at(block, index) for index in range(self.members)]
        for index, one in enumerate(before):
            if one.status is not Status.DONE:
                source = str(block["source"].values[index])
                return _Made(None, one if self.members == 1 else of_group(one, source), *told)
        try:
            frames, references = [], []
            for index, one in enumerate(before):
                frame = frame_at(block, index, one)
                frames.append(frame.replace(quality=flags_over(frame.quality, self.given)))
                references.append({**self.references, **references_at(block, index, self.reach)})
        except Fatal:
            raise
        except Exception as error:  # one bad frame never fails its block
            return _Made(None, Outcome.of_error(error), *told)
        # What was read goes as soon as a step has made something else of it: a cube is not held twice.
        del block, frame
        result, outcome = run_chain(
            _handed_over(frames),
            self.chain,
            references,
            level=self.recipe.to_level,
            shape=self.layout.shape,
            expects=self.recipe.expects(),
            uncertainty=self.recipe.uncertainty,
            outputs=self.recipe.outputs,
        )
        for name, seconds in (spent for one in before for spent in one.seconds.items()):
            outcome = outcome.took(name, seconds)
        return _Made(result, outcome.model_copy(update={"code": code.digest(self.code)}), *told)


def _handed_over(frames: list[Frame]) -> Iterator[Frame]:
    """The frames, of which the list then has none."""
    frames.reverse()
    while frames:
        yield frames.pop()


def _assembled(
    frames: Sequence[Frame | None],
    layout: Layout,
    made: Sequence[_Made],
    uncertainty: NDArray[np.float32] | None = None,
) -> xr.Dataset:
    """A block of one output; a frame that failed has the header it came with."""
    flags = [None if frame is None else flags_over(frame.quality, layout) for frame in frames]
    headers = [
        one.header if frame is None else header_text(frame.header)
        for one, frame in zip(made, frames, strict=True)
    ]
    return assemble(
        layout,
        planes([None if frame is None else frame.data for frame in frames], layout.shape, np.float32, np.nan),
        planes(flags, layout.of_quality.shape, np.uint16, 0),
        headers,
        source=[one.source for one in made],
        references=[one.references for one in made],
        outcome=[one.outcome.model_dump_json() for one in made],
        uncertainty=uncertainty,
    )

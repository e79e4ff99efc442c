"""Applying a recipe to a stack: lazily, block by block, with frames failing alone.

A notebook and a campaign run this same function, so they cannot differ.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipeline import code, provenance
from pipeline.carrying import finished, require_kept_word
from pipeline.chain import BoundStep
from pipeline.completeness import Expectation, left_out
from pipeline.coordinates import reordered, same_axes, whole_or_none
from pipeline.dims import IMAGE, Dims, Layout, Shape, takes, written
from pipeline.dims_chain import behind, carried
from pipeline.errors import BadInput, Fatal, HeliolakeError
from pipeline.frame import Frame
from pipeline.outcome import Outcome, Status
from pipeline.recipe import Recipe
from pipeline.registry import instrument
from pipeline.stack import (
    assemble,
    dims_of,
    flags_over,
    frame_at,
    header_text,
    outcome_at,
    planes,
    references_at,
    template,
)
from pipeline.step import Params, Reach, ReferenceFile, ReferenceNeed, Step

log = logging.getLogger(__name__)

#: Products of which less has a value say so; beyond the corners that a turned image leaves empty.
_SENSIBLE_SHARE: Final = 0.75
#: What the uncertainty takes besides: the plane before and behind a step, and its variance meanwhile.
_UNCERTAINTY_IMAGES: Final = 4.0
#: What numpy, numba and scipy say to somebody who writes into a read-only array, each in its own words.
_READ_ONLY: Final = re.compile(r"read-?\s?only|readonly", re.IGNORECASE)


def apply(
    stack: xr.Dataset,
    recipe: Recipe,
    references: Mapping[str, ReferenceFile] | None = None,
    *,
    reach: Reach | None = None,
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

    Returns
    -------
    xarray.Dataset
        A lazy stack of the same layout, with the variable ``uncertainty`` where
        the recipe asks for it. A frame that fails is NaN and says why in its
        ``outcome``; the others of its block are not touched by that.
        Coordinates along ``time`` stay, and those along an axis of which no
        step changes the places. Those of pixels do not, for steps move pixels,
        and the new header says where they are.

    Raises
    ------
    Fatal
        When the recipe does not fit its steps or the frames, or chunks cut frames.
    """
    if not stack["image"].chunks:
        stack = stack.chunk({"time": 1})
    time_chunks, *frame_chunks = stack["image"].chunks
    if any(len(sizes) != 1 for sizes in frame_chunks):
        raise Fatal(f"chunks of a stack must hold whole images; these cut them: {frame_chunks}")
    dims = dims_of(stack)
    shape = tuple(int(stack.sizes[name]) for name in dims)
    block = RecipeBlock(recipe, dict(references or {}), shape, dims, reach)
    wanted = template(time_chunks, block.layout, uncertainty=recipe.uncertainty)
    if not stack.coords:
        return cast("xr.Dataset", xr.map_blocks(block, stack, template=wanted))
    made = xr.map_blocks(block, stack.drop_vars(list(stack.coords)), template=wanted)
    kept = {"time"} | (carried(block.chain, dims) - set(IMAGE))
    return cast("xr.Dataset", made.assign_coords(_along(stack, kept)))


def _along(stack: xr.Dataset, dims: Collection[str]) -> dict[str, xr.Variable]:
    """The coordinates that tell of whole frames, such as their time, and of axes no step touched."""
    return {str(name): one.variable for name, one in stack.coords.items() if set(one.dims) <= set(dims)}


def layout_behind(recipe: Recipe, dims: Dims, shape: Shape) -> Layout:
    """How frames are laid out behind all steps of a recipe.

    Raises
    ------
    Fatal
        When a step does not take them, with its name, what it takes, and what it would be given.
    """
    dims, shape = behind(recipe.name, recipe.bind(), dims, shape)
    return Layout(dims, shape, instrument(recipe.instrument).flagged(dims))


def memory_factor(chain: Sequence[BoundStep], *, uncertainty: bool = False) -> float:
    """Peak memory of the chain, in units of one float32 image; more where the uncertainty comes along."""
    return max(bound.step.memory_factor for bound in chain) + (_UNCERTAINTY_IMAGES if uncertainty else 0.0)


def task_name(recipe: Recipe) -> str:
    """What the Dask dashboard calls a block of this recipe: its name and its steps."""
    # Dask cuts a key at its last dash to find the prefix that it groups tasks by.
    return "→".join([recipe.name, *(bound.step.name for bound in recipe.bind())]).replace("-", "_")


class RecipeBlock:
    """The function `xarray.map_blocks` sends to a worker; its name is what the dashboard shows."""

    def __init__(
        self,
        recipe: Recipe,
        references: dict[str, ReferenceFile],
        shape: Shape,
        dims: Dims = IMAGE,
        reach: Reach | None = None,
    ) -> None:
        self.recipe = recipe
        self.references = references
        self.reach = reach
        self.given = Layout(dims, shape, instrument(recipe.instrument).flagged(dims))
        self.layout = layout_behind(recipe, dims, shape)
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
        frames, outcomes = zip(
            *(self._one(block, index) for index in range(block.sizes["time"])), strict=True
        )
        headers = [
            str(before) if frame is None else header_text(frame.header)
            for before, frame in zip(block["header"].values, frames, strict=True)
        ]
        return assemble(
            self.layout,
            planes(
                [None if frame is None else frame.data for frame in frames],
                self.layout.shape,
                np.float32,
                np.nan,
            ),
            planes(
                [None if frame is None else flags_over(frame.quality, self.layout) for frame in frames],
                self.layout.of_quality.shape,
                np.uint16,
                0,
            ),
            headers,
            block["source"].values,
            block["references"].values,
            [outcome.model_dump_json() for outcome in outcomes],
            self._uncertainties(frames),
        )

    def _uncertainties(self, frames: Sequence[Frame | None]) -> NDArray[np.float32] | None:
        if not self.recipe.uncertainty:
            return None
        found = [None if frame is None else frame.uncertainty for frame in frames]
        return planes(found, self.layout.shape, np.float32, np.nan)

    def _one(self, block: xr.Dataset, index: int) -> tuple[Frame | None, Outcome]:
        before = outcome_at(block, index)
        if before.status is not Status.DONE:
            return None, before
        try:
            frame = frame_at(block, index, before)
            frame = frame.replace(quality=flags_over(frame.quality, self.given))
            references = {**self.references, **references_at(block, index, self.reach)}
        except Fatal:
            raise
        except Exception as error:  # one bad frame never fails its block
            return None, Outcome.of_error(error)
        result, outcome = run_chain(
            frame,
            self.chain,
            references,
            level=self.recipe.to_level,
            shape=self.layout.shape,
            expects=self.recipe.expects(),
            uncertainty=self.recipe.uncertainty,
        )
        return result, outcome.model_copy(update={"code": code.digest(self.code)})


def run_chain(
    frame: Frame,
    chain: Sequence[BoundStep],
    references: Mapping[str, ReferenceFile],
    *,
    level: str,
    shape: Shape | None = None,
    expects: Sequence[Expectation] = (),
    uncertainty: bool = False,
) -> tuple[Frame | None, Outcome]:
    """One frame through all steps; the product says what of `expects` it did not go through.

    Parameters
    ----------
    frame, chain, references
        What to do with what.
    level
        The level of the result.
    shape
        The shape that was announced for it.
    expects
        The complete treatment of the level.
    uncertainty
        Whether the result is to have the uncertainty of its pixels.

    Returns
    -------
    frame, outcome
        The finished frame, or `None` when it did not get through.

    Raises
    ------
    Fatal
        When every other frame would fail in the same way.
    """
    seconds: dict[str, float] = {}
    name = ""
    try:
        lacking = tuple(left_out(expects, chain, frame.header))
        frame = frame.replace(header=provenance.begin(frame.header))
        if not uncertainty:
            frame = frame.without_uncertainty()
        for bound in chain:
            name = bound.step.name
            begin = time.perf_counter()
            frame = run_step(frame, bound, references)
            # A step may stand twice: its time is that of both.
            seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - begin, 6)
        name = ""
        if shape is not None and frame.data.shape != shape:
            raise Fatal(f"the steps announced images of {shape} and made {frame.data.shape}")
        share = np.count_nonzero(np.isfinite(frame.data)) / frame.data.size
        if not share:
            raise BadInput(
                "no pixel of the image has a value when all steps are done",
                file=frame.source,
                advice="leave the file out; its image is blank, lost or saturated throughout",
            )
        if share < _SENSIBLE_SHARE:
            frame = frame.with_caveat(f"only {100.0 * share:.1f} % of the pixels have a value")
        if uncertainty:
            frame = finished(frame)
        frame = _with_omissions(whole_or_none(frame), lacking)
        frame = frame.replace(header=provenance.finish(frame, level))
    except Fatal:
        raise
    except Exception as error:  # the outcome carries it; the worker's log has the traceback
        if not isinstance(error, BadInput):
            log.exception("%s: step %s failed", frame.source, name)
        return None, Outcome.of_error(error, step=name, seconds=seconds)
    return frame, Outcome(caveats=frame.caveats, seconds=seconds)


def _with_omissions(frame: Frame, lacking: Sequence[Expectation]) -> Frame:
    """The frame saying which steps of a complete treatment it did not go through."""
    for entry in lacking:
        frame = frame.with_caveat(f"{entry.step} was not done: {entry.otherwise}")
    return frame.replace(header=provenance.omitted(frame.header, [entry.step for entry in lacking]))


def run_step(frame: Frame, bound: BoundStep, references: Mapping[str, ReferenceFile]) -> Frame:
    """One step on one frame, with the checks and the provenance every step shares.

    Raises
    ------
    BadInput
        When dims or unit are not what the step takes, or a reference is missing.
    Fatal
        When the step writes into an array that it was given, or loses the
        uncertainty of the frame.
    """
    entry = bound.step
    if not takes(entry.dims, frame.dims):
        raise BadInput(
            f"step {entry.name} takes {written(entry.dims)}",
            file=frame.source,
            keyword="NAXIS",
            found=written(frame.dims),
            advice="check the order of the recipe's steps, or `axes` in the instrument's description",
        )
    unit = str(frame.header.get("BUNIT", "")).strip()
    if entry.takes is not None and unit not in entry.takes:
        raise BadInput(
            f"step {entry.name} takes images in {' or '.join(entry.takes)}",
            file=frame.source,
            keyword="BUNIT",
            found=unit or "absent",
            advice="check the order of the recipe's steps, or the file's BUNIT",
        )
    given, frame = _choose(frame, bound, references)
    shielded = frame.shielded()
    result = _called(entry, shielded, bound.params, given)
    require_kept_word(entry, shielded, result)
    idle = _is_same(shielded, result) and result.header == frame.header
    if result.dims != entry.dims_after(bound.params, frame.dims):
        raise Fatal(
            f"step {entry.name} announced {written(entry.dims_after(bound.params, frame.dims))} "
            f"and gave {written(result.dims)}"
        )
    header = result.header
    if result.dims != frame.dims and same_axes(frame.header, header):
        header = reordered(header, frame.dims, result.dims)
    if entry.gives is not None:
        header["BUNIT"] = (entry.unit_after(bound.params, unit), "unit of the image")
    provenance.record(
        header, bound, given, modes=result.modes, idle=idle, uncertain=result.uncertainty is not None
    )
    # What a step handed on is taken without its shield, so that the last step's frame is like any other.
    return dataclasses.replace(
        result,
        data=frame.data if result.data is shielded.data else result.data,
        quality=frame.quality if result.quality is shielded.quality else result.quality,
        uncertainty=frame.uncertainty if result.uncertainty is shielded.uncertainty else result.uncertainty,
        header=header,
        modes=(),
    )


def _called(entry: Step, frame: Frame, params: Params, references: Mapping[str, ReferenceFile]) -> Frame:
    """What a step makes of a frame; one that writes where it must not is stopped by name.

    Such a step is wrong whatever the file: nothing is to be held against the
    frame, and every other one would meet the same fault. The run ends.
    """
    try:
        return entry.function(frame, params, references)
    except (HeliolakeError, OSError, MemoryError):
        raise
    except Exception as error:  # numpy, numba and scipy each raise their own kind
        if not _READ_ONLY.search(str(error)):
            raise
        raise Fatal(
            f"step {entry.name} ({entry.function.__module__}.{entry.function.__qualname__}) works in place: "
            f"it writes into an array that it was given ({error}); frames and references are read-only to "
            "steps, so change a copy (frame.data.copy()) and return frame.replace(data=...)"
        ) from error


def _is_same(before: Frame, after: Frame) -> bool:
    """Whether a step gave back what it got; one that does nothing hands the very arrays on."""
    return (
        after.data is before.data
        and after.quality is before.quality
        and after.uncertainty is before.uncertainty
    )


def _choose(
    frame: Frame, bound: BoundStep, references: Mapping[str, ReferenceFile]
) -> tuple[dict[str, ReferenceFile], Frame]:
    given: dict[str, ReferenceFile] = {}
    for need in bound.step.needs:
        if need.name in references:
            given[need.name] = references[need.name]
        elif need.name in bound.assume:
            frame = frame.replace(header=provenance.assumed(frame.header, need.name))
            frame = frame.with_caveat(
                f"{bound.step.name}: no {need.name} was used; unity was assumed", mode="UNITY-ASSUMED"
            )
        elif not need.optional:
            raise BadInput(
                f"step {bound.step.name} needs the reference {need.name!r} and none is valid for this frame",
                file=frame.source,
                keyword="DATE-OBS",
                found=str(frame.header.get("DATE-OBS", "absent")),
                advice=f"{need.describe}; add it with `heliolake context add`" + _way_without(need, bound),
            )
    return given, frame


def _way_without(need: ReferenceNeed, bound: BoundStep) -> str:
    """How somebody who has no such reference can go on all the same, if that is possible."""
    if need.name in dict(bound.demanded):
        return f", or {dict(bound.demanded)[need.name]}"
    return f", or say `assume: {{{need.name}: unity}}` in the recipe" if need.unity_allowed else ""

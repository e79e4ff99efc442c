"""Recipes carried out: a frame, or those of a group, through the steps, with what all steps share.

Checks of what a step takes, the references it is given, provenance, the
uncertainty, what is said of the product in the end; a step only computes.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipeline import provenance
from pipeline.cards import same
from pipeline.carrying import finished, require_kept_word
from pipeline.chain import BoundStep
from pipeline.completeness import Expectation, left_out
from pipeline.coordinates import reordered, same_axes, whole_or_none
from pipeline.dims import Shape, takes, written
from pipeline.errors import BadInput, Fatal, HeliolakeError
from pipeline.frame import Frame
from pipeline.outcome import Outcome
from pipeline.step import Params, ReferenceFile, ReferenceNeed, Step
from pipeline.uncertainty import KEPT

log = logging.getLogger(__name__)

#: Products of which less has a value say so; beyond the corners that a turned image leaves empty.
_SENSIBLE_SHARE: Final = 0.75
#: What numpy, numba and scipy say to somebody who writes into a read-only array, each in its own words.
_READ_ONLY: Final = re.compile(r"read-?\s?only|readonly", re.IGNORECASE)


def run_chain(
    frame: Frame | Iterable[Frame],
    chain: Sequence[BoundStep],
    references: Mapping[str, ReferenceFile] | Sequence[Mapping[str, ReferenceFile]],
    *,
    level: str,
    shape: Shape | None = None,
    expects: Sequence[Expectation] = (),
    uncertainty: bool = False,
    outputs: Mapping[str, str] | None = None,
) -> tuple[Frame | None, Outcome]:
    """One frame, or those of a group, through all steps; the product says what of `expects` was not done.

    Parameters
    ----------
    frame, chain, references
        What to do with what; of a group, the references of each frame. Frames that come one by one, and
        that nobody else holds, are gone as soon as a step has made others of them.
    level
        The level of the result.
    shape
        The shape that was announced for it.
    expects
        The complete treatment of the level.
    uncertainty
        Whether the result is to have the uncertainty of its pixels.
    outputs
        Further frames that are kept, and their levels.

    Returns
    -------
    frame, outcome
        The finished frame, or `None` when it did not get through.

    Raises
    ------
    Fatal
        When every other frame would fail in the same way.
    """
    frames = [frame] if isinstance(frame, Frame) else list(frame)
    given = [references] if isinstance(references, Mapping) else list(references)
    watch, source = _Watch(), frames[0].source
    try:
        made, lacking = _through(frames, chain, given, expects, watch, uncertainty=uncertainty)
        if shape is not None and made.data.shape != shape:
            raise Fatal(f"the steps announced images of {shape} and made {made.data.shape}")
        made = _ended(made, lacking, level, uncertainty=uncertainty)
        made = _with_outputs(made, outputs or {})
    except Fatal:
        raise
    except Exception as error:  # the outcome carries it; the worker's log has the traceback
        if not isinstance(error, BadInput):
            log.exception("%s: step %s failed", source, watch.step)
        outcome = Outcome.of_error(error, step=watch.step, seconds=watch.seconds)
        return None, of_group(outcome, watch.source) if watch.source else outcome
    return made, Outcome(caveats=made.caveats, seconds=watch.seconds)


@dataclass
class _Watch:
    """Which step is at work, and how long each took."""

    step: str = ""
    source: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def at(self, name: str, source: str = "") -> Iterator[None]:
        self.step, self.source, begin = name, source, time.perf_counter()
        yield
        # A step may stand twice, and is done with each frame of a group: its time is that of all.
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - begin, 6)
        self.step = self.source = ""


def of_group(outcome: Outcome, source: str) -> Outcome:
    """How a group ends one of whose frames cannot be used: it says which."""
    return outcome.model_copy(update={"reason": f"{source} of its group: {outcome.reason}"})


def _through(
    frames: list[Frame],
    chain: Sequence[BoundStep],
    references: Sequence[Mapping[str, ReferenceFile]],
    expects: Sequence[Expectation],
    watch: _Watch,
    *,
    uncertainty: bool,
) -> tuple[Frame, tuple[Expectation, ...]]:
    """What the steps make of one frame or a group, and what of a complete treatment was not done.

    The list is emptied: what a step was given is not held while the next one is at work.
    """
    lacking = {entry.step: entry for frame in frames for entry in left_out(expects, chain, frame.header)}
    frames[:] = [_begun(frame, uncertainty=uncertainty) for frame in frames]
    for bound in chain:
        if bound.step.gathers:
            with watch.at(bound.step.name):
                frames[:] = [run_gather(frames, bound, references)]
            references = [{**_all(references), **references[0]}]
        else:
            frames[:] = _each(frames, bound, references, watch)
    if len(frames) != 1:
        raise Fatal(f"{len(frames)} frames came out of the recipe where one was to: no step gathers them")
    return frames.pop(), tuple(lacking.values())


def _begun(frame: Frame, *, uncertainty: bool) -> Frame:
    """The frame as its first step gets it."""
    begun = frame.replace(header=provenance.begin(frame.header))
    return begun if uncertainty else begun.without_uncertainty()


def _each(
    frames: Sequence[Frame],
    bound: BoundStep,
    references: Sequence[Mapping[str, ReferenceFile]],
    watch: _Watch,
) -> list[Frame]:
    """Every frame behind one step."""
    made = []
    for frame, given in zip(frames, references, strict=True):
        with watch.at(bound.step.name, frame.source if len(frames) > 1 else ""):
            made.append(run_step(frame, bound, given))
    return made


def _ended(frame: Frame, lacking: Sequence[Expectation], level: str, *, uncertainty: bool) -> Frame:
    """The frame with what is said of it when all steps are done."""
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
    return frame.replace(header=provenance.finish(frame, level))


def _with_outputs(frame: Frame, wanted: Mapping[str, str]) -> Frame:
    """The frame with the further ones that its recipe keeps, finished like itself.

    They bear its caveats: what is doubtful about the frame is doubtful about all that was made with it.
    """
    absent = [name for name in wanted if name not in frame.outputs]
    if absent:
        raise Fatal(f"the steps announced the output {absent[0]} and did not make it")
    kept = {}
    for name, level in wanted.items():
        one = frame.outputs[name]
        caveats = tuple(dict.fromkeys((*frame.caveats, *one.caveats)))
        one = dataclasses.replace(one, caveats=caveats, source=frame.source, uncertainty=None, outputs={})
        kept[name] = one.replace(header=provenance.finish(whole_or_none(one), level))
    return dataclasses.replace(frame, outputs=kept)


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
    unit = _taken_unit(frame, entry)
    given, frame = _choose(frame, bound, references)
    shielded = frame.shielded()
    result = _called(entry, shielded, bound.params, given)
    require_kept_word(entry, shielded, result)
    idle = _is_same(shielded, result) and same(result.header, frame.header)
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
    result = _with_recorded_outputs(result, [frame], bound, given)
    # What a step handed on is taken without its shield, so that the last step's frame is like any other.
    return dataclasses.replace(
        result,
        data=frame.data if result.data is shielded.data else result.data,
        quality=frame.quality if result.quality is shielded.quality else result.quality,
        uncertainty=frame.uncertainty if result.uncertainty is shielded.uncertainty else result.uncertainty,
        header=header,
        modes=(),
    )


def _taken_unit(frame: Frame, entry: Step) -> str:
    """The unit of a frame whose dims and unit a step takes."""
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
    return unit


def _with_recorded_outputs(
    result: Frame, before: Sequence[Frame], bound: BoundStep, given: Mapping[str, ReferenceFile]
) -> Frame:
    """The result whose further frames, as far as this step made them, say what was done up to here."""
    known = before[0].outputs
    strange = [name for name in result.outputs if name not in {**known, **bound.step.outputs}]
    if strange:
        raise Fatal(f"step {bound.step.name} made the output {strange[0]}, which it does not announce")
    outputs = dict(result.outputs)
    for name, output in outputs.items():
        if known.get(name) is not output:
            header = provenance.gathered(output.header, [frame.header for frame in before])
            provenance.record(header, bound, given, modes=result.modes)
            outputs[name] = output.replace(header=header)
    return dataclasses.replace(result, outputs=outputs)


def run_gather(
    frames: Sequence[Frame], bound: BoundStep, references: Sequence[Mapping[str, ReferenceFile]]
) -> Frame:
    """A step that makes one frame of several, with the checks and the provenance every step shares.

    The result bears the caveats of all frames, and names the references that the steps before used for any
    of them.

    Raises
    ------
    BadInput
        When dims, shape or unit of a frame are not what the step takes, or a reference is missing.
    Fatal
        When the step writes into an array that it was given, or loses the uncertainty of the frames.
    """
    entry = bound.step
    first = frames[0]
    wanted = _taken_unit(first, entry)
    for frame in frames:
        unit = _taken_unit(frame, entry)
        if (frame.data.shape, frame.dims, unit) != (first.data.shape, first.dims, wanted):
            raise BadInput(
                f"step {entry.name} makes one frame of {len(frames)} that are alike in shape and unit",
                file=frame.source,
                keyword="NAXIS, BUNIT",
                found=f"{frame.data.shape} {unit}; {first.data.shape} {wanted} in {first.source}",
                advice="correct the recipe's group_by so that such files are not put together",
            )
    given, chosen = _choose(first, bound, {**_all(references), **references[0]})
    shielded = [frame.shielded() for frame in (chosen, *frames[1:])]
    result = _called(entry, shielded, bound.params, given)
    if any(frame.uncertainty is not None for frame in frames) and (
        result.uncertainty is None or entry.uncertainty in (None, KEPT)
    ):
        raise Fatal(
            f"step {entry.name} does not carry the uncertainty of its frames; compute that of the result and "
            "declare how where the step is registered (pipeline/uncertainty.py says how)"
        )
    if result.dims != entry.dims_after(bound.params, first.dims):
        raise Fatal(
            f"step {entry.name} announced {written(entry.dims_after(bound.params, first.dims))} "
            f"and gave {written(result.dims)}"
        )
    header = provenance.gathered(result.header, [frame.header for frame in frames])
    if result.dims != first.dims and same_axes(first.header, header):
        header = reordered(header, first.dims, result.dims)
    if entry.gives is not None:
        header["BUNIT"] = (entry.unit_after(bound.params, wanted), "unit of the image")
    provenance.record(header, bound, given, modes=result.modes, uncertain=result.uncertainty is not None)
    caveats = dict.fromkeys(caveat for frame in (*shielded, result) for caveat in frame.caveats)
    result = _with_recorded_outputs(result, frames, bound, given)
    return dataclasses.replace(result, header=header, caveats=tuple(caveats), modes=(), source=first.source)


def _all(references: Sequence[Mapping[str, ReferenceFile]]) -> dict[str, ReferenceFile]:
    return {need: file for one in reversed(references) for need, file in one.items()}


def _called(
    entry: Step, frame: Frame | Sequence[Frame], params: Params, references: Mapping[str, ReferenceFile]
) -> Frame:
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

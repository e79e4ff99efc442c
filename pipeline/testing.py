"""For the tests of instruments: a frame to play with, steps and recipes to run, what to assert of results.

Everything goes through the functions a campaign runs, so that a test sees what a product will hold.

Examples
--------
>>> from pipeline.testing import assert_provenance, run_step, toy_frame
>>> made = run_step("normalise_exposure", toy_frame(6.0, EXPTIME=2.0), instrument="trace")
>>> float(made.data[0, 0])
3.0
>>> assert_provenance(made, "CALIBRATION")
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike

from pipeline.apply import apply
from pipeline.chain import BoundStep
from pipeline.dims import IMAGE, Dims, Shape
from pipeline.errors import BadInput, Fatal
from pipeline.frame import Frame
from pipeline.instrument import parse_date
from pipeline.outcome import Outcome, Status
from pipeline.provenance import recorded
from pipeline.quality import Quality, flagged
from pipeline.recipe import Recipe, recipes
from pipeline.reduction import Origin, Reduced, block_of, find_reduction, reduce
from pipeline.registry import instrument as find_instrument
from pipeline.registry import working_on
from pipeline.running import run_chain
from pipeline.stack import frame_at, outcome_at, part, stack_of
from pipeline.step import ReferenceFile, find_step

__all__ = [
    "Ran",
    "assert_flags",
    "assert_provenance",
    "reference",
    "run_recipe",
    "run_reduction",
    "run_step",
    "toy_frame",
    "working_on",
]


def toy_frame(value: ArrayLike = 1.0, shape: Shape = (4, 6), dims: Dims = IMAGE, /, **cards: Any) -> Frame:
    """A small frame.

    Parameters
    ----------
    value
        Of every pixel, or an array of the shape.
    shape
        (ny, nx), or one length for each of `dims`.
    dims
        Names of the axes, the slowest first.
    **cards
        Go into its header, which is else that of a toy camera: unit DN, a date. With a dash:
        ``**{"DATE-OBS": "2026-01-02"}``.
    """
    header = fits.Header()
    header.update({"TELESCOP": "TOY", "DETECTOR": "CAM1", "LVL": "0", "BUNIT": "DN"})
    header["DATE-OBS"] = "2024-05-06T07:08:09.5"
    header.update(cards)
    data = np.broadcast_to(np.asarray(value, dtype=np.float32), shape).copy()
    return Frame.of(data, header, source=str(cards.get("FILENAME", "toy.fits")), dims=dims)


def reference(name: str, path: Path | str) -> ReferenceFile:
    """A file as the calibration reference that answers a need."""
    path = Path(path)
    return ReferenceFile(
        name, f"references:{path.name}", str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    )


def run_step(
    name: str,
    frame: Frame,
    *,
    instrument: str,
    references: Sequence[ReferenceFile] = (),
    assume: Sequence[str] = (),
    **params: Any,
) -> Frame:
    """One step on one frame, with all that the framework does around it.

    Parameters
    ----------
    name, instrument
        Which step of which instrument.
    frame
        What it is given; it cannot be changed by the step.
    references
        Calibration files; see `reference`.
    assume
        Needs that are taken to be unity.
    **params
        Its parameters.

    Raises
    ------
    BadInput
        When the step refuses the frame.
    Fatal
        When there is no such step, or it writes into what it was given.
    """
    find_instrument(instrument)
    entry = find_step(instrument, name)
    bound = BoundStep(step=entry, params=entry.params_model(**params), assume=frozenset(assume))
    given = {one.name: one for one in references}
    shape = entry.shape_after(bound.params, frame.data.shape)
    made, outcome = run_chain(frame, [bound], given, level="1", shape=shape)
    if made is None:
        raise BadInput(
            outcome.reason,
            file=frame.source,
            keyword=outcome.keyword,
            found=outcome.found,
            advice=outcome.advice,
        )
    return made


@dataclass(frozen=True)
class Ran:
    """What became of one frame, or group: the finished frame, `None` where it did not get through, and why.

    `outputs` are the further frames that the recipe keeps, by name.
    """

    frame: Frame | None
    outcome: Outcome
    outputs: Mapping[str, Frame] = field(default_factory=dict)

    @property
    def made(self) -> Frame:
        """The finished frame of one that got through."""
        if self.frame is None:
            raise AssertionError(f"the frame was {self.outcome.status}: {self.outcome.reason}")
        return self.frame


def run_recipe(
    recipe: Recipe | str | Path,
    frames: Sequence[Frame],
    *,
    references: Sequence[ReferenceFile] = (),
    settings: Mapping[str, Any] | None = None,
    members: int | None = None,
    places: int | None = None,
) -> list[Ran]:
    """A recipe on frames of one shape, through `pipeline.apply`; frames, or groups of them, fail alone.

    Parameters
    ----------
    recipe
        Or its name, or the path of its YAML file.
    frames
        What goes in.
    references
        Calibration files; see `reference`.
    settings
        ``{"step.parameter": value}``.
    members
        Frames of a group, where the recipe makes one of several and its ``group_by`` does not say how many.
    places
        Places that they lie along, where that is another number.
    """
    wanted = _recipe(recipe)
    if settings:
        wanted = wanted.with_settings(settings)
    given = {one.name: one for one in references}
    lazily = apply(stack_of(frames), wanted, given, members=members, places=places)
    made = lazily.compute(scheduler="synchronous")
    main, further = part(made), {name: part(made, name) for name in wanted.outputs}
    ran = []
    for index in range(main.sizes["time"]):
        outcome = outcome_at(main, index)
        if outcome.status is not Status.DONE:
            ran.append(Ran(None, outcome))
            continue
        outputs = {name: frame_at(one, index, outcome) for name, one in further.items()}
        ran.append(Ran(frame_at(main, index, outcome), outcome, outputs))
    return ran


def run_reduction(
    name: str, frames: Sequence[Frame], *, instrument: str, folder: Path, block: int = 2
) -> tuple[Reduced, ReferenceFile]:
    """A reduction over frames, and its result as the file that steps are given.

    Parameters
    ----------
    name, instrument
        Which reduction of which instrument.
    frames
        Of one shape, in time order, each with a name of its own (``FILENAME``).
    folder
        Where the file is written.
    block
        Frames in one block; the result must not depend on it.

    Raises
    ------
    Fatal
        When there is no such reduction, or there are fewer frames than it takes.
    """
    kind = find_reduction(instrument, name)
    if len(frames) < kind.fewest:
        raise Fatal(f"{name} takes at least {kind.fewest} frames; there are {len(frames)}")
    stack = stack_of(frames).compute(scheduler="synchronous")
    parts = [stack.isel(time=slice(first, first + block)) for first in range(0, len(frames), block)]
    blocks = [
        block_of(*(part[one].values for one in ("image", "quality", "source", "header"))) for part in parts
    ]
    made: Reduced | None = None
    for number in range(kind.passes):
        made = reduce(kind.reduction(number, len(frames), made), blocks)
    if made is None:
        raise Fatal(f"{name} makes nothing")
    begins = [(frame.source, parse_date(str(frame.header.get("DATE-OBS", "")))) for frame in frames]
    used = tuple((source, begin) for source, begin in begins if begin is not None and source in made.used)
    origin = Origin(str(frames[0].header.get("BUNIT", "")), used)
    path = folder / f"{name}.fits"
    kind.write(made, origin, kind.caveats(made)).writeto(path)
    return made, reference(kind.need, path)


def assert_provenance(frame: Frame, *prsteps: str) -> None:
    """Assert that the header names just these SOLARNET steps, in order, with procedures and versions."""
    names = list(recorded(frame.header))
    found = [str(frame.header[name]) for name in names]
    assert found == list(prsteps), f"the header says {', '.join(found) or 'nothing was done'}"  # noqa: S101
    for number in (name.removeprefix("PRSTEP") for name in names):
        for card in (f"PRPROC{number}", f"PRPVER{number}", f"PRPARA{number}"):
            assert card in frame.header, f"{card} is missing"  # noqa: S101


def assert_flags(frame: Frame, flag: Quality, where: ArrayLike) -> None:
    """Assert that just these pixels have a flag.

    Parameters
    ----------
    frame
        Whose.
    flag
        Which.
    where
        bool, of the shape of the quality plane, or one value for all.
    """
    found = flagged(frame.quality, flag)
    wanted = np.broadcast_to(np.asarray(where, dtype=bool), found.shape)
    wrong = np.argwhere(found != wanted)
    told = ", ".join(str(tuple(map(int, one))) for one in wrong[:5])
    assert not len(wrong), f"{flag.name} differs from what was expected at {len(wrong)} pixels: {told}"  # noqa: S101


def _recipe(recipe: Recipe | str | Path) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    return Recipe.load(recipe) if isinstance(recipe, Path) else recipes()[recipe]

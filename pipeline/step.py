"""Steps: the pure functions a recipe is made of, and the registry that knows them.

The uncertainty of an image
---------------------------
A recipe with ``uncertainty: true`` wants one standard deviation of every
pixel beside the image, as `Frame.uncertainty` (`None` where nobody asked).
The instrument's first step of the noise model makes the plane; every later
step carries it and says how (see `pipeline.uncertainty`)::

    @step("noise_model", ..., uncertainty=starts("photon, read and quantisation noise"))
    def noise_model(frame, params: NoiseParams, references):
        sigma = noise.quadrature(noise.shot(frame.data, dn_per_photon), read_noise)
        return frame.replace(uncertainty=sigma)  # left out of the chain unless it was asked for

    @step("gain", ..., uncertainty=exact("divided by the gain, like the image"))
    def gain(frame, params: GainParams, references):
        factor = 1.0 / params.gain
        return frame.replace(data=frame.data * factor, uncertainty=frame.uncertainty_times(factor))

    @step("pointing", ..., uncertainty=KEPT)  # changes cards only

`replace(uncertainty=None)` keeps the plane that is there, so that one form
serves with and without. Terms a step adds (the noise of a flat field) go
through `pipeline.noise.combined`. Steps before the one that starts need not
declare anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypedDict, TypeVar, Unpack

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.choices import choices, shortly
from pipeline.dims import IMAGE, Dims, DimsTaken, Shape
from pipeline.errors import Fatal
from pipeline.frame import Frame
from pipeline.uncertainty import Propagation

R = TypeVar("R")
P = TypeVar("P", bound="Params")
Reach = Callable[[str], AbstractContextManager[str]]
"""From where a reference lies, as its caller knows it, to a path of this machine."""


class Params(BaseModel):
    """Base of every step's parameters: frozen; unknown names are refused, and so are NaN and infinity.

    Each parameter is described in the docstring's section *Attributes*: what it means, and before that its
    unit in brackets where it is a quantity (``[1]`` for a pure number); see `pipeline.parameters`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReferenceNeed(NamedTuple):
    """A calibration file a step asks for.

    Attributes
    ----------
    name
        What the lake's contexts call this kind of reference.
    describe
        What it is and where one gets it, for the person who has to add it.
    unity_allowed
        Whether a recipe may say ``assume: {name: unity}`` and go without.
    per_frame
        Whether every frame has its own (a spikes file), not one per period.
    optional
        Whether the step can do its work without it and says so in a caveat.
    """

    name: str
    describe: str
    unity_allowed: bool = False
    per_frame: bool = False
    optional: bool = False


@dataclass(frozen=True)
class ReferenceFile:
    """A calibration file at hand: what it is, and where its bytes lie.

    Attributes
    ----------
    name
        The need it answers.
    did
        Its identity.
    path
        Where it lies: a path, or whatever `reach` understands.
    sha256
        Of its bytes.
    reach
        Gives a path of this machine for as long as its context lasts; a plain path needs none.
    """

    name: str
    did: str
    path: str
    sha256: str
    reach: Reach | None = field(default=None, compare=False, repr=False)

    def load(self, reader: Callable[[str], R]) -> R:
        """The file as `reader` understands it; read once per process.

        `reader` is a module-level function of the path. Its result is shared
        between frames, so nobody may change it: its arrays are read-only.
        """
        result: R = _loaded(self.path, self.sha256, reader, self.reach)
        return result


@lru_cache(maxsize=32)
def _loaded(path: str, sha256: str, reader: Callable[[str], Any], reach: Reach | None) -> Any:
    # The hash keys the cache.
    with nullcontext(path) if reach is None else reach(path) as here:
        return _locked(reader(here))


def _locked(value: Any) -> Any:
    """The same value; arrays in it (in tuples, lists, mappings, dataclasses) refuse to be written to."""
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, Mapping):
        for entry in value.values():
            _locked(entry)
    elif isinstance(value, (tuple, list)):
        for entry in value:
            _locked(entry)
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            _locked(getattr(value, one.name))
    return value


References = Mapping[str, ReferenceFile]
StepFunction = Callable[[Any, Any, References], Frame]


class Output(NamedTuple):
    """A further frame that a step makes beside its result: fitted profiles beside a map, a quick look.

    Attributes
    ----------
    shape
        ``(params, shape) -> shape``: its shape from that of what the step is given.
    dims
        Its dims; an image by default.
    switch
        The parameter of the step that has to be true for it to be made; none by default.
    """

    shape: Callable[[Any, Any], Shape]
    dims: Dims = IMAGE
    switch: str = ""

    def made(self, params: Any) -> bool:
        """Whether the step makes it with these parameters."""
        return not self.switch or bool(getattr(params, self.switch))


#: What the files of a group lie along where a gather step is asked for its output's shape and dims.
MEMBER: Final = "member"


@dataclass(frozen=True)
class Step:
    """A registered step: the function and everything the framework must know of it.

    Attributes
    ----------
    name, version
        Identity; the version rises whenever the same parameters give other numbers.
    prstep
        SOLARNET name of the processing step (`PRSTEPn`).
    function
        ``(frame, params, references) -> frame``; computes and nothing else.
    params_model
        Frozen model that validates the recipe's parameters.
    takes, gives
        Units accepted (`None`: any) and produced (`None`: unchanged; or a function of the parameters).
    needs
        References asked for.
    memory_factor
        Peak memory in units of one float32 image, the frame itself included.
    libraries
        Distributions whose versions belong in the provenance.
    dims
        Names of the axes it takes: just these (an image by default), any before them
        (``(..., "y", "x")``: every image of whatever it is given), or `None` for any at all.
    output_shape
        ``(params, shape) -> shape`` where a step changes the shape; one length for each dim. A step that
        gathers is asked with the number of frames as the first length.
    output_dims
        ``(params, dims) -> dims`` where a step gives other dims than it takes; with ``member`` as the first
        of them for one that gathers.
    demands
        ``params -> {need: how to go without}``: references that no step of the
        recipe may replace by unity when this one runs with these parameters.
    uncertainty
        How it carries the uncertainty of the image; `None`: it does not say.
    gathers
        Whether it makes one frame of several: ``(frames, params, references) -> frame``.
    outputs
        Further frames it makes, by name.
    """

    name: str
    version: int
    prstep: str
    function: StepFunction
    params_model: type[Params]
    takes: tuple[str, ...] | None = None
    gives: str | Callable[[Any], str] | None = None
    needs: tuple[ReferenceNeed, ...] = ()
    memory_factor: float = 2.0
    libraries: tuple[str, ...] = ("numpy",)
    dims: DimsTaken = IMAGE
    output_shape: Callable[[Any, Any], Shape] | None = None
    output_dims: Callable[[Any, Dims], Dims] | None = None
    demands: Callable[[Any], dict[str, str]] | None = None
    uncertainty: Propagation | None = None
    gathers: bool = False
    outputs: Mapping[str, Output] = field(default_factory=dict)
    summary: str = field(default="", compare=False)

    def shape_after(self, params: Params, shape: Shape, members: int = 1) -> Shape:
        """The shape of a frame behind this step."""
        given = self.shape_given(shape, members)
        return self.output_shape(params, given) if self.output_shape else shape

    def shape_given(self, shape: Shape, members: int = 1) -> Shape:
        """The shape its `output_shape`, and those of its outputs, are asked with."""
        return (members, *shape) if self.gathers else shape

    def dims_after(self, params: Params, dims: Dims) -> Dims:
        """The dims of a frame behind this step."""
        given = (MEMBER, *dims) if self.gathers else dims
        return tuple(self.output_dims(params, given)) if self.output_dims else dims

    def unit_after(self, params: Params, unit: str) -> str:
        """The unit of the image behind this step."""
        if self.gives is None:
            return unit
        return self.gives if isinstance(self.gives, str) else self.gives(params)


#: Steps every instrument may use are registered under this scope.
GENERIC: Final = "*"
_REGISTRY: Final[dict[tuple[str, str], Step]] = {}


def step(
    name: str,
    *,
    version: int,
    prstep: str,
    instrument: str = GENERIC,
    takes: Sequence[str] | None = None,
    gives: str | Callable[[Any], str] | None = None,
    needs: Sequence[ReferenceNeed] = (),
    memory_factor: float = 2.0,
    libraries: Sequence[str] = ("numpy",),
    dims: DimsTaken = IMAGE,
    output_shape: Callable[[Any, Any], Shape] | None = None,
    output_dims: Callable[[Any, Dims], Dims] | None = None,
    demands: Callable[[Any], dict[str, str]] | None = None,
    uncertainty: Propagation | None = None,
    outputs: Mapping[str, Output] | None = None,
) -> Callable[[Callable[[Frame, P, References], Frame]], Callable[[Frame, P, References], Frame]]:
    """Register a function as a step; the parameters' model is read from its signature.

    Every option is an attribute of `Step`.

    Raises
    ------
    Fatal
        When another function already has this name for this instrument, or the dims cannot be.
    """

    def register(
        function: Callable[[Frame, P, References], Frame],
    ) -> Callable[[Frame, P, References], Frame]:
        _register(
            function,
            instrument,
            gathers=False,
            name=name,
            version=version,
            prstep=prstep,
            takes=takes,
            gives=gives,
            needs=needs,
            memory_factor=memory_factor,
            libraries=libraries,
            dims=dims,
            output_shape=output_shape,
            output_dims=output_dims,
            demands=demands,
            uncertainty=uncertainty,
            outputs=outputs,
        )
        return function

    return register


class StepOptions(TypedDict, total=False):
    """What `step` and `gather` may be told besides; see `Step`."""

    takes: Sequence[str] | None
    gives: str | Callable[[Any], str] | None
    needs: Sequence[ReferenceNeed]
    memory_factor: float
    libraries: Sequence[str]
    dims: DimsTaken
    output_shape: Callable[[Any, Any], Shape] | None
    output_dims: Callable[[Any, Dims], Dims] | None
    demands: Callable[[Any], dict[str, str]] | None
    uncertainty: Propagation | None
    outputs: Mapping[str, Output] | None


def gather(
    name: str, *, version: int, prstep: str, instrument: str = GENERIC, **options: Unpack[StepOptions]
) -> Callable[
    [Callable[[Sequence[Frame], P, References], Frame]], Callable[[Sequence[Frame], P, References], Frame]
]:
    """Register a function that makes one frame of several: ``(frames, params, references) -> frame``.

    A recipe with such a step says by ``group_by`` which files belong together; the frames come in the order
    of its ``members``, else in that of time. The steps before it are done with each frame, those behind it
    with the one it makes. Its `memory_factor` counts all its frames together as one.

    Parameters
    ----------
    name, version, prstep, instrument
        As for `step`.
    **options
        Every further option of `step`. `dims` are those of each frame; `output_shape` and `output_dims` are
        asked with the number of frames, and with ``member``, before those of one frame.

    Raises
    ------
    Fatal
        As `step`.
    """

    def register(
        function: Callable[[Sequence[Frame], P, References], Frame],
    ) -> Callable[[Sequence[Frame], P, References], Frame]:
        _register(function, instrument, gathers=True, name=name, version=version, prstep=prstep, **options)
        return function

    return register


def _register(
    function: Callable[..., Frame],
    instrument: str,
    *,
    gathers: bool,
    name: str,
    version: int,
    prstep: str,
    **options: Unpack[StepOptions],
) -> None:
    key = (instrument, name)
    known = _REGISTRY.get(key)
    here = (function.__module__, function.__qualname__)
    if known and (known.function.__module__, known.function.__qualname__) != here:
        raise Fatal(
            f"step {name!r} of {instrument!r} is defined twice: in {known.function.__module__} and in "
            f"{function.__module__}; rename one"
        )
    takes, shape, dims = options.get("takes"), options.get("output_shape"), options.get("output_dims")
    _REGISTRY[key] = Step(
        name=name,
        version=version,
        prstep=prstep,
        function=function,
        params_model=_params_model(function),
        takes=None if takes is None else tuple(takes),
        gives=options.get("gives"),
        needs=tuple(options.get("needs", ())),
        memory_factor=options.get("memory_factor", 2.0),
        libraries=tuple(options.get("libraries", ("numpy",))),
        dims=_checked_dims(name, options.get("dims", IMAGE), shape, dims),
        output_shape=shape,
        output_dims=dims,
        demands=options.get("demands"),
        uncertainty=options.get("uncertainty"),
        gathers=gathers,
        outputs=dict(options.get("outputs") or {}),
        summary=(function.__doc__ or "").strip().split("\n")[0],
    )


def _checked_dims(
    name: str, dims: DimsTaken, output_shape: object | None, output_dims: object | None
) -> DimsTaken:
    if dims is not None and (not dims or ... in dims[1:] or len(set(dims)) < len(dims)):
        raise Fatal(f"step {name}: its dims are names, each once, with ... only before them; found {dims!r}")
    if output_dims is not None and output_shape is None:
        raise Fatal(f"step {name} gives other dims than it takes, so it needs an output_shape as well")
    return dims


def find_step(instrument: str, name: str) -> Step:
    """The step an instrument's recipe means by `name`: its own first, then a generic one.

    Raises
    ------
    Fatal
        When neither exists; the message lists those that do.
    """
    found = _REGISTRY.get((instrument, name)) or _REGISTRY.get((GENERIC, name))
    if found is None:
        known = {entry.name for entry in steps(instrument)}
        raise Fatal(
            f"instrument {instrument!r} has no step {shortly(name)}. {choices(name, known, 'Its steps')}"
        )
    return found


def steps(instrument: str | None = None) -> Iterator[Step]:
    """All registered steps, or those an instrument may use."""
    for (owner, _), entry in sorted(_REGISTRY.items()):
        if instrument is None or owner in (instrument, GENERIC):
            yield entry


def owner_of(wanted: Step) -> str:
    """The instrument a step belongs to, or `GENERIC`."""
    return next(owner for (owner, _), entry in _REGISTRY.items() if entry is wanted)


def forget_steps(instrument: str) -> None:
    """Forget the steps of an instrument that is used no longer."""
    for key in [key for key in _REGISTRY if key[0] == instrument]:
        del _REGISTRY[key]


def _params_model(function: Callable[..., Frame]) -> type[Params]:
    import typing

    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    models = [hint for hint in hints.values() if isinstance(hint, type) and issubclass(hint, Params)]
    if len(models) != 1:
        raise Fatal(
            f"step function {function.__module__}.{function.__qualname__} must take exactly one argument "
            "whose annotation is a Params model"
        )
    return models[0]

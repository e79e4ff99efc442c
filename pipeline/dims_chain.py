"""Dims and shapes along a recipe: whether each step can be given what the one before it makes."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.chain import BoundStep
from pipeline.dims import IMAGE, Dims, Shape, takes, untouched, written
from pipeline.errors import Fatal


def require_dims(recipe: str, chain: Sequence[BoundStep], forms: Sequence[Dims], files: str) -> None:
    """Refuse a chain that none of the forms in which files come can go through.

    Parameters
    ----------
    recipe
        Its name, for the message.
    chain
        The steps that are switched on, in order.
    forms
        Dims of the files it may be given.
    files
        What these files are, for the message.

    Raises
    ------
    Fatal
        Naming the step, the dims it takes, and those it would be given.
    """
    if not forms:
        raise Fatal(
            f"recipe {recipe}: the instrument's description has no axes of {files}; add them to `axes`"
        )
    refusals = [why for dims in forms if (why := _refusal(chain, dims, files))]
    if refusals and len(refusals) == len(forms):
        raise Fatal(f"recipe {recipe}: {refusals[0]}")


def behind(
    recipe: str, chain: Sequence[BoundStep], dims: Dims, shape: Shape, members: int = 1
) -> tuple[Dims, Shape, dict[str, tuple[Dims, Shape]]]:
    """Dims and shape of a frame behind all steps, and of the further frames they make, by name.

    Parameters
    ----------
    recipe, chain
        The recipe's name, for messages, and its steps.
    dims, shape
        Of what is given; of a group, of each of its frames.
    members
        Number of frames of a group.

    Raises
    ------
    Fatal
        When a step does not take the dims it would be given, or makes a shape that cannot be.
    """
    if why := _refusal(chain, dims, "what is given"):
        raise Fatal(f"recipe {recipe}: {why}")
    outputs: dict[str, tuple[Dims, Shape]] = {}
    for bound in chain:
        before, entry = (dims, shape), bound.step
        try:
            given = entry.shape_given(shape, members)
            for name, output in entry.outputs.items():
                outputs[name] = (output.dims, tuple(output.shape(bound.params, given)))
            shape = tuple(entry.shape_after(bound.params, shape, members))
        except (ValueError, IndexError, TypeError) as error:
            raise Fatal(
                f"recipe {recipe}: step {entry.name} does not know which shape it makes of {_told(*before)}; "
                "its output_shape is to take as many lengths as the frame has dims"
            ) from error
        dims = entry.dims_after(bound.params, dims)
        for what in ((dims, shape), *(outputs[name] for name in entry.outputs)):
            if len(what[1]) != len(what[0]) or min(what[1], default=0) < 1:
                raise Fatal(
                    f"recipe {recipe}: step {entry.name} would make {_told(*what)} of {_told(*before)}, "
                    "which no frame can be; check its parameters"
                )
    return dims, shape, outputs


def carried(chain: Sequence[BoundStep], dims: Dims) -> frozenset[str]:
    """The dims whose coordinates hold behind all steps as they did before them."""
    kept = frozenset(dims)
    for bound in chain:
        kept &= untouched(bound.step.dims, dims)
        if bound.step.gathers or (bound.step.output_shape is not None and bound.step.dims is None):
            return frozenset()
        dims = bound.step.dims_after(bound.params, dims)
    return kept & frozenset(dims)


def _refusal(chain: Sequence[BoundStep], dims: Dims, origin: str) -> str:
    for bound in chain:
        entry = bound.step
        if not takes(entry.dims, dims):
            advice = "leave it out, or put a step before it that gives them"
            if entry.dims == IMAGE and dims[-2:] == IMAGE:
                advice += '; a step that works on each image by itself declares dims=(..., "y", "x")'
            return (
                f"step {entry.name} takes {written(entry.dims)} and would be given {written(dims)} "
                f"({origin}); {advice}"
            )
        after = entry.dims_after(bound.params, dims)
        if after != dims:
            origin = f"which {entry.name} makes"
        dims = after
    return ""


def _told(dims: Dims, shape: Shape) -> str:
    return f"{written(dims)} of {' x '.join(map(str, shape))}"

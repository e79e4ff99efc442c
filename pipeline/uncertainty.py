"""How steps carry the uncertainty of an image, and what the framework holds them to.

A recipe with ``uncertainty: true`` gives every frame a second plane: one
standard deviation of each pixel. A step says in its decorator how it carries
that plane, in words that end up in the product's header:

``starts("…")``
    The step makes the plane from a noise model and changes nothing else. It
    is left out of the chain where the recipe does not ask for uncertainty.
``exact("…")``
    The step computes the plane of its result without approximation, taking
    the noise of the pixels as independent.
``approximate("…")``
    It computes the plane and leaves something out, which the sentence names.
`KEPT`
    The step leaves the numbers alone (it changes cards, or flags only).

A step that says nothing cannot stand behind the beginning of the plane: the
recipe is refused before anything runs. Dropping the plane on the way would
give somebody who asked for it a product without, after hours of work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from pipeline.errors import BadInput, Fatal

if TYPE_CHECKING:
    from pipeline.frame import Frame
    from pipeline.recipe import BoundStep
    from pipeline.step import Step


@dataclass(frozen=True)
class Propagation:
    """What a step says of how it carries the uncertainty.

    Attributes
    ----------
    kind
        See the module.
    says
        The method, or what the approximation is; one sentence for the header.
    """

    kind: Literal["starts", "exact", "approximate", "kept"]
    says: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.says}" if self.says else self.kind


#: The step leaves the numbers as they are, and their uncertainty with them.
KEPT: Final = Propagation("kept")


def starts(says: str) -> Propagation:
    """The step makes the plane from a noise model; `says` names the terms in it."""
    return Propagation("starts", says)


def exact(says: str) -> Propagation:
    """The step gives the standard deviation of its result without approximation; `says` how."""
    return Propagation("exact", says)


def approximate(says: str) -> Propagation:
    """The step gives it approximately; `says` what is left out."""
    return Propagation("approximate", says)


def begins(chain: Sequence[BoundStep]) -> bool:
    """Whether a step of the chain makes the plane, so that the input need not bring one."""
    return any(_kind(bound.step) == "starts" for bound in chain)


def require_carried(recipe: str, chain: Sequence[BoundStep]) -> None:
    """Refuse a chain in which a step behind the plane's beginning does not say how it carries it.

    Raises
    ------
    Fatal
        Naming these steps.
    """
    kinds = [_kind(bound.step) for bound in chain]
    first = kinds.index("starts") if "starts" in kinds else 0
    silent = [
        bound.step.name for bound, kind in zip(chain[first:], kinds[first:], strict=True) if kind is None
    ]
    if silent:
        one = len(silent) == 1
        raise Fatal(
            f"recipe {recipe} asks for uncertainty, and the step{'' if one else 's'} {', '.join(silent)} "
            f"{'does' if one else 'do'} not say how {'it carries' if one else 'they carry'} it; set "
            "uncertainty to false, switch them off, or declare it where they are registered "
            "(pipeline/uncertainty.py says how)"
        )


def require_kept_word(entry: Step, before: Frame, after: Frame) -> None:
    """Stop a step that does with the plane what it did not announce.

    Raises
    ------
    Fatal
        When the plane is lost, or stands beside numbers it does not belong to.
    """
    kind = _kind(entry)
    if kind == "starts" and (after.uncertainty is None or after.data is not before.data):
        raise Fatal(f"step {entry.name} is to make the uncertainty and nothing else, and did otherwise")
    if before.uncertainty is None:
        return
    if after.uncertainty is None:
        raise Fatal(
            f"step {entry.name} lost the uncertainty of the image; return frame.replace(…), which carries it"
        )
    if kind in (None, "kept") and after.data is not before.data:
        raise Fatal(
            f"step {entry.name} changed the image and does not say how its uncertainty follows; "
            "declare it where the step is registered (pipeline/uncertainty.py says how)"
        )


def finished(frame: Frame) -> Frame:
    """The frame with NaN for the uncertainty of pixels without a value.

    Raises
    ------
    BadInput
        When the frame has no uncertainty although its recipe asks for it.
    Fatal
        When a value of it is negative.
    """
    plane = frame.uncertainty
    if plane is None:
        raise BadInput(
            "the recipe asks for the uncertainty, and neither does the file bring one nor a step make it",
            file=frame.source,
            keyword="uncertainty",
            found="no UNCERT extension",
            advice="make the file's own level with uncertainty=true first, or set uncertainty to false",
        )
    if (plane < 0).any():
        raise Fatal("the uncertainty of an image has negative values: a step computes it wrongly")
    unknown = ~np.isfinite(frame.data) | ~np.isfinite(plane)
    if not unknown.any():
        return frame
    return dataclasses.replace(frame, uncertainty=np.where(unknown, np.float32(np.nan), plane))


def _kind(entry: Step) -> str | None:
    return None if entry.uncertainty is None else entry.uncertainty.kind

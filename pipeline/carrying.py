"""What steps that carry the uncertainty of an image are held to; `pipeline.uncertainty` has the words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipeline.chain import BoundStep
from pipeline.errors import BadInput, Fatal
from pipeline.frame import Frame
from pipeline.step import Step


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

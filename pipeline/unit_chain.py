"""Units along a recipe: whether each step can be given an image in a unit it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.chain import BoundStep
from pipeline.errors import Fatal
from pipeline.step import Step


def require_units(recipe: str, chain: Sequence[BoundStep], left_out: Iterable[Step] = ()) -> None:
    """Refuse a chain in which a step can never be given an image in a unit it takes.

    What a raw file is in shows only when it is read; from the first step on that names the units it takes or
    gives, the unit is known to be one of few.

    Parameters
    ----------
    recipe
        Its name, for the message.
    chain
        The steps that are switched on, in order.
    left_out
        Steps of the recipe that are switched off: one of them may be what is missing.

    Raises
    ------
    Fatal
        Naming the step, the unit it takes, the one it would be given, and by which step.
    """
    known: frozenset[str] = frozenset()  # empty: whatever the file is in
    origin = ""
    for bound in chain:
        entry = bound.step
        if entry.takes is not None:
            takes = frozenset(entry.takes)
            if known and not known & takes:
                raise Fatal(_sentence(recipe, entry, known, origin, left_out))
            known = known & takes or takes
            origin = origin or entry.name
        if entry.gives is not None:
            known, origin = frozenset({entry.unit_after(bound.params, "")}), entry.name


def _sentence(recipe: str, entry: Step, known: frozenset[str], origin: str, left_out: Iterable[Step]) -> str:
    takes = entry.takes or ()
    helping = [one.name for one in left_out if isinstance(one.gives, str) and one.gives in takes]
    advice = (
        f"switch {helping[0]} on again, which gives {' or '.join(takes)}, or leave {entry.name} out as well"
        if helping
        else f"check the order of the steps, or leave {entry.name} out"
    )
    return (
        f"recipe {recipe}: step {entry.name} takes images in {' or '.join(takes)}, and behind {origin} they "
        f"are in {' or '.join(sorted(known))}, so that no file can get through; {advice}"
    )

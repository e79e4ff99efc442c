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

from dataclasses import dataclass
from typing import Final, Literal


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

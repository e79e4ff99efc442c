"""What a demonstration is about: its inputs, its recipes, and the stories of what became of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from heliolake.demo.stories import Story, Truth
from heliolake.demo.subjects import MODULES
from lake.errors import BadInput, Reason

if TYPE_CHECKING:
    from heliolake.notebook import Connection
    from lake.calibration.references import NewReference


@dataclass(frozen=True)
class Prepared:
    """What a demonstration works on.

    Attributes
    ----------
    paths
        Files and folders to take in.
    references
        Calibration files that the frames need.
    truths
        What simulated frames should become, by name of the file.
    """

    paths: tuple[Path, ...]
    references: tuple[NewReference, ...] = ()
    truths: Mapping[str, Truth] | None = None


@dataclass(frozen=True)
class Reduction:
    """A reference that a demonstration makes of its own frames, and uses from then on.

    Attributes
    ----------
    name, instrument
        Which reduction: ``heliolake reduce NAME --instrument INSTRUMENT``.
    observation
        Pattern of the observations it is made of.
    behind
        The recipe that has to be through before.
    """

    name: str
    instrument: str
    observation: str
    behind: str


@dataclass(frozen=True)
class Tale:
    """One demonstration.

    Attributes
    ----------
    recipes
        In the order they are run.
    making
        The sentence said while inputs are made.
    prepare
        Makes the inputs in a folder, or finds them there.
    tell
        The stories, once all is processed.
    reductions
        References that are made in between.
    only
        By recipe, the pattern of the observations it is run for; of others for all.
    """

    recipes: tuple[str, ...]
    making: str
    prepare: Callable[[Path], Prepared]
    tell: Callable[[Connection, Prepared], list[Story]]
    reductions: tuple[Reduction, ...] = ()
    only: Mapping[str, str] = field(default_factory=dict)


def tale(instrument: str = "") -> Tale:
    """The demonstration of an instrument; empty: that of the whole.

    Raises
    ------
    lake.errors.BadInput
        When there is none.
    """
    if instrument not in MODULES:
        from pipeline.choices import choices, shortly

        raise BadInput(
            f"there is no demonstration of the instrument {shortly(instrument)}",
            keyword="--instrument",
            advice=choices(instrument, filter(None, MODULES), "There is one of"),
            code=Reason.OTHER,
        )
    return cast("Tale", importlib.import_module(MODULES[instrument]).TALE)

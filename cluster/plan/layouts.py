"""How the frames of a plan's files are laid out, and whether the recipe's steps take them."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.plan.units import PlannedUnit
from lake.entries import FileEntry
from pipeline.apply import layouts_behind
from pipeline.dims import IMAGE, Dims, Layout
from pipeline.errors import Fatal
from pipeline.instrument import Instrument
from pipeline.recipe import Recipe
from pipeline.registry import instrument


def layout_of(file: FileEntry, entry: Instrument | None) -> Layout:
    """How the frame in a file is laid out; of an image, axes of length 1 before it are left out.

    Where its instrument is not known here, flags are taken for all of its axes.
    """
    dims = file.dims or IMAGE
    return Layout(
        dims, file.shape[len(file.shape) - len(dims) :], len(dims) if entry is None else entry.flagged(dims)
    )


def stored_dims(file: FileEntry, entry: Instrument | None) -> Dims:
    """The dims of the data in a file, where its frame goes without some of them; empty for all others."""
    if entry is None or file.unit_id is not None:  # our products are written as their frames are
        return ()
    dims = file.dims or IMAGE
    stored = entry.stored_dims(file.level, dims)
    return () if stored == dims else stored


def places_of(recipe: Recipe, unit: PlannedUnit) -> int:
    """How many places the files of a unit lie along, where its recipe makes one frame of several."""
    return 1 if recipe.group_by is None else recipe.group_by.places_of(unit.files)


def refuse_other_axes(recipe: Recipe, units: Iterable[PlannedUnit]) -> None:
    """Refuse a plan none of whose files the steps take, before any of them is read.

    Where they take some, the others end by themselves, each with the same sentence.

    Raises
    ------
    pipeline.errors.Fatal
        Naming the step, what it takes, and what it would be given.
    """
    entry = instrument(recipe.instrument)
    refused: dict[Layout, Fatal] = {}
    for unit in units:
        layout = layout_of(unit.file, entry)
        if layout in refused:
            continue
        try:
            layouts_behind(recipe, layout.dims, layout.shape, places_of(recipe, unit))
        except Fatal as error:
            refused[layout] = error
        else:
            return
    for refusal in refused.values():
        raise refusal

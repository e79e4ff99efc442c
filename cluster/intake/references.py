"""Calibration files of a folder into the lake, and the contexts that list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from lake.calibration import contexts, references
from lake.calibration.choice import Context
from lake.calibration.references import NewReference, ReferenceInfo
from lake.errors import BadInput, Reason
from lake.lake import Lake
from pipeline.known_references import KnownReference, recognise_reference
from pipeline.registry import instrument


@dataclass(frozen=True)
class Added:
    """What became of calibration files.

    Attributes
    ----------
    contexts
        The new contexts, one for each instrument.
    references
        The calibration files now in the lake.
    ignored
        Files that no instrument knows.
    used
        Numbers of the contexts that are current now.
    """

    contexts: tuple[Context, ...]
    references: tuple[ReferenceInfo, ...]
    ignored: tuple[Path, ...] = ()
    used: tuple[int, ...] = ()


def find_known(paths: Sequence[Path]) -> tuple[list[NewReference], list[Path]]:
    """The calibration files among paths that instruments know, and the others.

    Within folders every file is looked at. Of several files of one kind the newest comes last, so that it
    is the one a context prefers.

    Raises
    ------
    lake.errors.BadInput
        When a path does not exist.
    pipeline.errors.BadInput
        When a file is not what its name says.
    """
    known: list[KnownReference] = []
    ignored: list[Path] = []
    for path in _files(paths):
        found = recognise_reference(path)
        if found is None:
            ignored.append(path)
        else:
            known.append(found)
    known.sort(key=lambda one: (one.instrument, one.need, one.order, one.path.name))
    return [_new(one) for one in known], ignored


def add(lake: Lake, new: Sequence[NewReference], *, note: str = "", use: bool = False) -> Added:
    """Add calibration files, and for each instrument a context that lists them besides those in use.

    Parameters
    ----------
    lake
        The lake.
    new
        The files.
    note
        Why; kept with the context.
    use
        Make the new contexts current. The first context of an instrument is made current in any case.

    Raises
    ------
    lake.errors.BadInput
        When a file cannot be read or its validity ends before it begins.
    pipeline.errors.Fatal
        When an instrument is not known.
    """
    for name in {one.instrument for one in new}:
        instrument(name)
    infos = references.add(lake, new)
    made, used = [], []
    for name, group in groupby(sorted(infos, key=lambda one: one.instrument), key=lambda one: one.instrument):
        base = contexts.current(lake, name)
        members = list(group)
        kinds = sorted({one.need for one in members})
        text = note or f"with {len(members)} more for {', '.join(kinds)}"
        context = contexts.extend(lake, base, members, note=text, instrument=name)
        if use or base is None:
            contexts.use(lake, context.number)
        if use or base is None or base.number == context.number:
            used.append(context.number)
        made.append(context)
    return Added(tuple(made), tuple(infos), used=tuple(used))


def difference(lake: Lake, old: int, new: int) -> dict[str, Any]:
    """What changed between two contexts, and the products that asks to reprocess.

    Returns
    -------
    dict
        ``from``, ``to``, ``added``, ``removed``, ``replaced`` (references), ``reprocess`` (products).

    Raises
    ------
    lake.errors.BadInput
        When there is no such context.
    """
    change = contexts.diff(contexts.load(lake, old), contexts.load(lake, new))
    return {
        "from": old,
        "to": new,
        "added": [one.as_dict() for one in change.added],
        "removed": [one.as_dict() for one in change.removed],
        "replaced": [{"old": gone.as_dict(), "new": come.as_dict()} for gone, come in change.replaced],
        "reprocess": contexts.affected(lake, change),
    }


def _files(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise BadInput(
                "there is no such file or folder",
                file=str(path),
                advice="check the path",
                code=Reason.MISSING_FILE,
            )
        inner = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        found.update(dict.fromkeys(inner))
    return list(found)


def _new(known: KnownReference) -> NewReference:
    return NewReference(
        path=known.path,
        need=known.need,
        instrument=known.instrument,
        source=known.source,
        valid_from=known.valid_from,
        valid_until=known.valid_until,
        selectors=known.selectors,
        simulated=known.simulated,
    )

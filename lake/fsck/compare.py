"""Comparing storage, Rucio and catalogue: every difference named, what can be repaired repaired.

Nothing here deletes data: bytes that nothing knows are moved aside, never removed. Each kind of
thing has a check in a module of its own; the tables below say which are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from lake.config import Element
from lake.errors import HeliolakeLakeError
from lake.fsck.code import other_code
from lake.fsck.difference import Check, Difference, Look, ReadDates
from lake.fsck.files import files, stored_bytes
from lake.fsck.ledger import leases_and_runs
from lake.fsck.opendata import opendata
from lake.fsck.orphans import orphans
from lake.fsck.picture import picture_at, take_picture
from lake.fsck.previews import damaged_previews, stale_previews
from lake.fsck.releases import drafts, releases
from lake.fsck.rows import counts, dates, levels, results
from lake.fsck.storage import left_by_runs, leftovers
from lake.lake import Lake

GRACE_SECONDS = 3600.0
#: Made always: they compare names, sizes, states and rows.
CHECKS: Final[tuple[Check, ...]] = (
    leftovers,
    left_by_runs,
    stale_previews,
    orphans,
    files,
    releases,
    drafts,
    opendata,
    levels,
    counts,
    dates,
    results,
    leases_and_runs,
)
#: Made with `deep` only: they read stored bytes.
DEEP_CHECKS: Final[tuple[Check, ...]] = (stored_bytes, other_code, damaged_previews)
#: Made at every other site too.
FAR_CHECKS: Final[tuple[Check, ...]] = (leftovers, left_by_runs, stale_previews, orphans, files)
DEEP_FAR_CHECKS: Final[tuple[Check, ...]] = (stored_bytes, damaged_previews)


def fsck(
    lake: Lake,
    *,
    deep: bool = False,
    repair: bool = False,
    grace_seconds: float = GRACE_SECONDS,
    scopes: Sequence[str] | None = None,
    read_dates: ReadDates | None = None,
) -> dict[str, Any]:
    """Compare storage, Rucio and catalogue.

    Parameters
    ----------
    lake
        The lake.
    deep
        Read all bytes and compare their checksums too.
    repair
        Repair what can be repaired.
    grace_seconds
        Leftovers younger than this are named but not repaired: their writer may be at work.
    scopes
        Look at these only (instruments, `references`); at all when absent.
    read_dates
        As in `Look`; without it the files' rows are believed where dates contradict each other.

    Returns
    -------
    dict
        `differences`, each with kind, did (or path), detail, commands, repairable, repaired; and `checked`
        with counts.

    Raises
    ------
    Retriable
        When Rucio or the catalogue does not answer.
    """
    picture = take_picture(lake, scopes)
    look = Look(lake, picture, grace_seconds, read_dates)
    checks = CHECKS + (DEEP_CHECKS if deep else ())
    differences = [difference for check in checks for difference in check(look)]
    stored = len(picture.stored)
    for element in lake.config.others:
        found, number = _at(lake, element, look, deep=deep)
        differences += found
        stored += number
    if repair:
        for difference in differences:
            _try(difference)
    return {
        "differences": [difference.as_dict() for difference in differences],
        "checked": {
            "stored": stored,
            "files": len(picture.files),
            "replicas": sum(1 for _, state in picture.replicas.values() if state is not None),
            "datasets": len(picture.datasets),
            "releases": len(picture.releases),
            "deep": deep,
        },
    }


def _at(lake: Lake, element: Element, look: Look, *, deep: bool) -> tuple[list[Difference], int]:
    """What is found at another site, and how many files lie there; one that does not answer is named."""
    if not element.store:
        return [Difference("site-not-seen", element.rse, "its storage is not reached from here")], 0
    try:
        there = lake.at(element.rse)
        far = replace(look, lake=there, picture=picture_at(there, look.picture), near=False)
        found = [one for check in FAR_CHECKS + (DEEP_FAR_CHECKS if deep else ()) for one in check(far)]
    except HeliolakeLakeError as error:
        return [Difference("site-not-seen", element.rse, str(error), commands=("heliolake up",))], 0
    for one in found:
        one.detail = f"on {element.rse}: {one.detail}"
    return found, len(far.picture.stored)


def _try(difference: Difference) -> None:
    if difference.repair is None:
        return
    try:
        rest = difference.repair()
        difference.repaired = not rest
        difference.commands = rest or difference.commands
    except (HeliolakeLakeError, OSError) as error:
        difference.detail += f"; the repair failed: {error}"

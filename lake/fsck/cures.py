"""Which command brings a lost file back."""

from __future__ import annotations

from lake.fsck.difference import RESTORE
from lake.fsck.picture import Did, Picture


def cure(picture: Picture, did: Did) -> tuple[str, ...]:
    """Raw files and references come from a copy; products are made again by the run that made them."""
    facts = picture.facts.get(did)
    run = picture.made_by.get(did)
    if facts is None or facts.unit_id is None or run is None or _is_replaced(picture, did):
        return (RESTORE,)
    return (f"heliolake process --run {run}",)


def lost(picture: Picture, did: Did) -> str:
    """How a person is told where the bytes can come from."""
    if cure(picture, did) != (RESTORE,):
        return "it can be made again"
    if _is_replaced(picture, did):
        return "its unit gave other bytes since, so it can come from a copy only (PATH)"
    return "PATH is a copy of the file, or a folder that holds one"


def _is_replaced(picture: Picture, did: Did) -> bool:
    """Whether the unit that made a file has made another one since, because this one was lost for good."""
    facts = picture.facts.get(did)
    if facts is None or facts.unit_id is None:
        return False
    return facts.id < picture.newest_of_unit.get(facts.unit_id, 0)

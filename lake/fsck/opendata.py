"""Rucio's catalogue of open data: whether it says of each release what ours says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from lake.fsck.difference import Difference, Look
from lake.rucio.opendata import OpenDataState, mirror, nearest, wanted_state


def opendata(look: Look) -> Iterator[Difference]:
    """Each release: public, suspended or absent in Rucio as in the catalogue, as far as Rucio lets it be.

    This is also how an embargo that the clock ended comes to be known to Rucio.
    """
    picture, at = look.picture, datetime.now(UTC)
    for release in picture.releases:
        did = (release.scope, release.dataset)
        dataset = picture.datasets.get(did)
        if dataset is None or (dataset.is_open and release.status != "DRAFT"):
            continue  # to be put right before; its record comes with it
        wanted = wanted_state(release.status, release.embargo_until, at)
        now = picture.opendata.get(did, OpenDataState.ABSENT)
        state = nearest(now, wanted)
        if state is not now:
            yield Difference(
                "opendata",
                release.did,
                f"it is {now} in Rucio's catalogue of open data, and is to be {state}",
                partial(_mirror, look, did, wanted),
            )


def _mirror(look: Look, did: tuple[str, str], wanted: OpenDataState) -> None:
    mirror(look.lake.rucio, did, wanted)

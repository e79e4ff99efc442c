"""Rucio's catalogue of open data: whether it says of each release what ours says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import select

from lake.catalogue.dois import Doi
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.fsck.difference import Difference, Look
from lake.fsck.picture import Did, ReleaseFacts
from lake.governance.doi.registry import TEST_PREFIX
from lake.lake import Lake
from lake.rucio.opendata import OpenDataState, mirror, nearest, record, wanted_state


def opendata(look: Look) -> Iterator[Difference]:
    """Each release: public, suspended or absent in Rucio as in the catalogue, and with the DOI it has.

    This is also how Rucio comes to know that the clock ended an embargo, and that a DOI was registered.
    """
    picture, at, dois = look.picture, datetime.now(UTC), _dois(look.lake)
    for release in picture.releases:
        did = (release.scope, release.dataset)
        dataset = picture.datasets.get(did)
        if dataset is None or (dataset.is_open and release.status != "DRAFT"):
            continue  # to be put right before; its record comes with it
        wanted, doi = wanted_state(release.status, release.embargo_until, at), dois.get(did)
        now = picture.opendata.get(did, OpenDataState.ABSENT)
        state = nearest(now, wanted, doi)
        repair = partial(_mirror, look.lake, did, wanted, doi)
        if now in (OpenDataState.ABSENT, OpenDataState.DRAFT) and _is_new(look, release, at):
            continue
        if state is not now:
            detail = f"it is {now} in Rucio's catalogue of open data, and is to be {state}"
            yield Difference("opendata", release.did, detail, repair)
        elif doi is not None and (there := record(look.lake.rucio, did).doi) != doi:
            detail = f"Rucio's catalogue of open data has {there or 'no DOI'} of it, ours {doi}"
            if there is None:
                yield Difference("opendata", release.did, detail, repair)
            else:
                yield Difference("opendata", release.did, f"{detail}; a DOI stays where it was given")


def _is_new(look: Look, release: ReleaseFacts, at: datetime) -> bool:
    """Whether whoever published it may be about to have it shown."""
    return release.published is not None and (at - release.published).total_seconds() < look.grace_seconds


def _dois(lake: Lake) -> dict[Did, str]:
    """DOIs that stand for ever: registered, and not for practice. Rucio takes one for each release."""
    query = (
        select(Release.scope, Release.dataset, Doi.doi)
        .join(Doi, Doi.release_id == Release.id)
        .where(Doi.public_since.is_not(None), Doi.prefix != TEST_PREFIX)
        .order_by(Doi.public_since.desc())  # the first one stays
    )
    with transaction(lake.sessions) as session:
        return {(row.scope, row.dataset): row.doi for row in session.execute(query)}


def _mirror(lake: Lake, did: Did, wanted: OpenDataState, doi: str | None) -> None:
    mirror(lake.rucio, did, wanted, doi)

"""Rucio's catalogue of open data says of each release what ours says: absent, draft, public or suspended.

Rucio shows everybody its records of state PUBLIC, names and checksums of files included, to no one the
others, and gives out no bytes. Our catalogue decides; this is its mirror. `mirror` is called when something
was decided (a release published or withdrawn, an embargo set or lifted, a DOI made); an embargo that the
clock ends is told by `heliolake fsck`, as is whatever a mirror missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from lake.errors import Fatal
from lake.rucio.client import RucioClient

Did = tuple[str, str]

_AT_ONCE: Final = 4


class OpenDataState(StrEnum):
    """What Rucio's catalogue of open data has of a dataset."""

    ABSENT = "absent"
    DRAFT = "draft"
    PUBLIC = "public"
    SUSPENDED = "suspended"


class Record(NamedTuple):
    """What Rucio's catalogue of open data says of a dataset, or is to say; a DOI of `None` is left alone."""

    state: OpenDataState
    doi: str | None = None


def wanted_state(status: str, embargo_until: datetime | None, at: datetime) -> OpenDataState:
    """What is to be said of a release.

    Parameters
    ----------
    status
        As the catalogue has it: DRAFT, ACTIVE, SUPERSEDED or WITHDRAWN.
    embargo_until
        End of its embargo, `None` where it has none; from this moment on it is public.
    at
        When it is asked.
    """
    if status == "DRAFT":
        return OpenDataState.ABSENT
    if status == "WITHDRAWN":
        return OpenDataState.SUSPENDED
    if embargo_until is not None and at < embargo_until:
        return OpenDataState.DRAFT
    return OpenDataState.PUBLIC


def nearest(now: OpenDataState, wanted: OpenDataState, doi: str | None = None) -> OpenDataState:
    """The state closest to a wanted one that Rucio lets a record come to, never showing what is not public.

    What was public once never becomes a draft again: it is suspended. What was never public is not
    suspended, for it would have to be public first. What is under embargo needs a record for its DOI only.
    """
    was_public = now in (OpenDataState.PUBLIC, OpenDataState.SUSPENDED)
    if wanted is OpenDataState.PUBLIC or (was_public and wanted is now):
        return wanted
    if was_public:
        return OpenDataState.SUSPENDED
    if wanted is OpenDataState.ABSENT:
        return wanted
    return OpenDataState.DRAFT if doi is not None else now


def mirror(rucio: RucioClient, dataset: Did, wanted: OpenDataState, doi: str | None = None) -> OpenDataState:
    """Bring Rucio's record of a dataset into the state that comes nearest to the wanted one.

    May be called again at any time; what is as it should be is not touched.

    Parameters
    ----------
    rucio
        Rucio.
    dataset
        Scope and name; closed, where it is to be public.
    wanted
        From `wanted_state`.
    doi
        Its DOI. One that Rucio has is never taken away or replaced.

    Returns
    -------
    OpenDataState
        The state it is in now.

    Raises
    ------
    Fatal
        When Rucio has another DOI of the dataset, or has this one of another.
    Retriable
        When Rucio does not answer.
    """
    if wanted is OpenDataState.PUBLIC and doi is None:  # what is nearly always asked, without a look before
        _add(rucio, dataset)
        _update(rucio, dataset, state=wanted)
        return wanted
    now = record(rucio, dataset)
    state = nearest(now.state, wanted, doi)
    if doi is not None and now.doi not in (None, doi):
        raise Fatal(
            f"Rucio has the DOI {now.doi} of {':'.join(dataset)}, not {doi}: a DOI stays where it was given. "
            "Find out which of the two is registered for it, and take the other back."
        )
    if state is OpenDataState.ABSENT:
        if now.state is not state:
            _remove(rucio, dataset)
        return state
    if now.state is OpenDataState.ABSENT:
        _add(rucio, dataset)
    changes: dict[str, Any] = {} if doi in (None, now.doi) else {"doi": doi}
    if state is not now.state and state is not OpenDataState.DRAFT:
        changes["state"] = state
    if changes:
        _update(rucio, dataset, **changes)
    return state


def mirror_many(rucio: RucioClient, wanted: Mapping[Did, Record]) -> dict[Did, OpenDataState]:
    """`mirror` for many datasets, several at once."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="opendata") as pool:
        return dict(
            zip(wanted, pool.map(lambda item: mirror(rucio, item[0], *item[1]), wanted.items()), strict=True)
        )


def record(rucio: RucioClient, dataset: Did) -> Record:
    """What Rucio's catalogue of open data has of a dataset."""
    scope, name = dataset
    found = rucio.ask(
        f"looking for {scope}:{name} among the open data",
        lambda client: client.get_opendata_did(scope=scope, name=name, include_doi=True),
        absorb=("OpenDataDataIdentifierNotFound",),
    )
    if found is None:
        return Record(OpenDataState.ABSENT)
    return Record(OpenDataState(str(found["state"]).lower()), found.get("doi"))


def states(rucio: RucioClient) -> dict[Did, OpenDataState]:
    """The state of every record, in one question."""
    found = rucio.ask("listing the open data", lambda client: client.list_opendata_dids()["dids"]) or []
    return {(str(row["scope"]), str(row["name"])): OpenDataState(str(row["state"]).lower()) for row in found}


def _add(rucio: RucioClient, dataset: Did) -> None:
    scope, name = dataset
    rucio.ask(
        f"adding {scope}:{name} to the open data",
        lambda client: client.add_opendata_did(scope=scope, name=name),
        absorb=("OpenDataDataIdentifierAlreadyExists",),
    )


def _update(rucio: RucioClient, dataset: Did, **changes: Any) -> None:
    scope, name = dataset
    told = ", ".join(f"{key} {value}" for key, value in changes.items())
    rucio.ask(
        f"giving {scope}:{name} the {told} among the open data",
        lambda client: client.update_opendata_did(scope=scope, name=name, **changes),
    )


def _remove(rucio: RucioClient, dataset: Did) -> None:
    scope, name = dataset
    rucio.ask(
        f"taking {scope}:{name} out of the open data",
        lambda client: client.remove_opendata_did(scope=scope, name=name),
        absorb=("OpenDataDataIdentifierNotFound",),
    )

"""Copies of files on several storage elements: where they are, and how Rucio is asked for more."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from lake.errors import Fatal
from lake.rucio.client import RucioClient, batches, list_replicas

Did = tuple[str, str]

_STAGING: Final = "Heliolake staging"
_ABSENT: Final = ("DuplicateRule", "InsufficientTargetRSEs", "DataIdentifierNotFound")
"""What is said of one file that was asked for before, or that nobody has."""


def where(rucio: RucioClient, dids: Iterable[Did]) -> dict[Did, frozenset[str]]:
    """The storage elements on which files lie whole, as Rucio knows; without those it never heard of."""
    found: dict[Did, frozenset[str]] = {}
    for batch in batches(dids):
        wanted = _named(batch)
        for row in rucio.ask("listing replicas", partial(list_replicas, dids=wanted)) or []:
            states = row.get("states") or {}
            found[row["scope"], row["name"]] = frozenset(
                rse for rse, state in states.items() if state == "AVAILABLE"
            )
    return found


def whole_on(rucio: RucioClient, scope: str, dataset: str) -> frozenset[str]:
    """The storage elements that hold all files of a dataset."""

    def get(client: Any) -> frozenset[str]:
        return frozenset(
            row["rse"]
            for row in client.list_dataset_replicas(scope, dataset, deep=True)
            if row["length"] and row["available_length"] == row["length"]
        )

    there = rucio.ask(f"asking where {scope}:{dataset} lies", get, absorb=("DataIdentifierNotFound",))
    return there or frozenset()


def stage(rucio: RucioClient, dids: Iterable[Did], rse: str, seconds: int) -> None:
    """Have files brought to a storage element, to stay there for a while."""

    def bring(client: Any, wanted: list[dict[str, str]]) -> None:
        client.add_replication_rule(wanted, 1, rse, lifetime=seconds, comment=_STAGING)

    for batch in batches(dids):
        what = f"asking for {len(batch)} files on {rse}"
        try:
            rucio.ask(what, partial(bring, wanted=_named(batch)))
        except Fatal:  # one of them was asked for before, or cannot be had: the others can
            for one in _named(batch):
                rucio.ask(what, partial(bring, wanted=[one]), absorb=_ABSENT)


def declare_bad(rucio: RucioClient, dids: Iterable[Did], why: str) -> None:
    """Tell Rucio that replicas on our storage element are no good; it brings them from elsewhere."""

    def declare(client: Any, rows: list[dict[str, str]]) -> None:
        client.declare_bad_file_replicas(rows, why, force=True)

    for batch in batches(dids):
        rows = [one | {"rse": rucio.rse} for one in _named(batch)]
        rucio.ask(f"declaring {len(batch)} replicas bad", partial(declare, rows=rows))


def _named(dids: Iterable[Did]) -> list[dict[str, str]]:
    return [{"scope": scope, "name": name} for scope, name in dids]


def usage(rucio: RucioClient, rse: str) -> dict[str, int]:
    """How many files lie on a storage element, and their bytes."""

    def get(client: Any) -> dict[str, int]:
        rows = [row for row in client.get_rse_usage(rse) if row["source"] == "rucio"]
        return {"files": int(rows[0]["files"] or 0), "bytes": int(rows[0]["used"] or 0)} if rows else {}

    return rucio.ask(f"asking what lies on {rse}", get) or {"files": 0, "bytes": 0}


def only_on(rucio: RucioClient, dids: Iterable[Did], rse: str) -> list[Did]:
    """Files that lie on one storage element and on no other."""
    return [did for did, rses in where(rucio, dids).items() if rses == {rse}]

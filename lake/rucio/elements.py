"""Storage elements, as Rucio is told of them by who may administer it."""

from __future__ import annotations

from functools import partial
from typing import Any

from lake.rucio.client import RucioClient
from lake.rucio.server.settings import STORE, attributes, protocol

_UNLIMITED = -1
_THERE = ("Duplicate", "RSEProtocolPriorityError", "RSEAttributeAlreadyExists")


def ensure_element(rucio: RucioClient, rse: str, store: str, account: str) -> None:
    """Make a deterministic storage element of a store, unless it is there, with ways to and from all others.

    Parameters
    ----------
    rucio
        Rucio, as an account that may administer it.
    rse
        Name of the element.
    store
        URL of its store; another than before is written down.
    account
        Account that may keep as much on it as it wants.

    Raises
    ------
    lake.errors.Fatal
        When the account may not do this.
    """
    what = f"making the storage element {rse}"
    rucio.ask(what, lambda client: client.add_rse(rse, deterministic=True), absorb=_THERE)
    rucio.ask(what, lambda client: _describe(client, rse, store))
    rucio.ask(what, lambda client: client.set_local_account_limit(account, rse, _UNLIMITED))
    others = rucio.ask(what, lambda client: [row["rse"] for row in client.list_rses()]) or []
    for other in others:
        for pair in ((rse, other), (other, rse)):
            if other != rse:
                rucio.ask(what, partial(_link, source=pair[0], target=pair[1]), absorb=_THERE)


def _describe(client: Any, rse: str, store: str) -> None:
    known = client.list_rse_attributes(rse)
    wanted = attributes(store)
    if STORE in known and STORE not in wanted:
        client.delete_rse_attribute(rse, STORE)
    for key, value in wanted.items():
        if known.get(key) != value:
            client.add_rse_attribute(rse, key, value)
    described = protocol(store)
    there = client.get_rse(rse)["protocols"]
    if any(_same(one, described) for one in there):
        return
    for old in there:
        client.delete_protocols(rse, old["scheme"], hostname=old["hostname"], port=old["port"])
    client.add_protocol(rse, described)


def _same(one: dict[str, Any], other: dict[str, object]) -> bool:
    return all(one.get(key) == other[key] for key in ("scheme", "hostname", "port", "prefix", "impl"))


def _link(client: Any, source: str, target: str) -> None:
    if not client.get_distance(source, target):
        client.add_distance(source, target, {"distance": 1})

"""Zarr stores of releases: found by the words of the command line, made by the home's cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cluster.connect import connected
from cluster.home.home import Home
from cluster.stack.build import Built, build
from cluster.stack.cache import StackCache
from cluster.stack.order import Order
from heliolake.results import Observation
from lake.errors import BadInput, Reason
from lake.governance.policy import PUBLIC, Principal
from lake.lake import Lake
from lake.releases import search as finding
from lake.releases.finding import Wanted

_WILD = "*?"


def releases(
    lake: Lake,
    products: Sequence[str] = (),
    *,
    instrument: str | None = None,
    level: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    principal: Principal = PUBLIC,
) -> list[Observation]:
    """The releases that are meant: products by name, of a version or the ACTIVE ones, or by pattern.

    Parameters
    ----------
    lake
        The lake.
    products
        ``PRODUCT``, ``PRODUCT@vNNNN``, or a pattern of ``*`` and ``?`` on observations; none means all.
    instrument, level, since, until
        Only releases that match these, where patterns or nothing was given.
    principal
        Who looks at them.

    Raises
    ------
    lake.errors.BadInput
        When a product is not found.
    """
    named = [one for one in products if not _is_pattern(one)]
    patterns = [one for one in products if _is_pattern(one)]
    found = [Observation(lake, finding.show(lake, one, principal)["release"], principal) for one in named]
    everything: list[str | None] = [] if named else [None]
    for pattern in patterns or everything:
        matching = finding.search(
            lake,
            Wanted(instrument, level, since, until, "ACTIVE", pattern),
            principal=principal,
        )
        found += [Observation(lake, one, principal) for one in matching]
    return found


def make_store(
    home: Home,
    order: Order,
    path: Path | None = None,
    *,
    anew: bool = False,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Built:
    """Have the home's cluster make a store, at a place or in the home's cache.

    Raises
    ------
    lake.errors.BadInput
        When the name is none for a store, or something else is there.
    """
    if path is not None and path.suffix != ".zarr":
        raise BadInput(
            "the name of a store ends in .zarr",
            keyword="-o",
            found=str(path),
            advice=f"write -o {path.with_suffix('.zarr')}",
            code=Reason.BAD_NAME,
        )
    with connected(home.scheduler()) as client:
        if path is None:
            return cache_of(home).get(order, client, on_progress)
        return build(order, path, client, anew=anew, on_progress=on_progress)


def cache_of(home: Home) -> StackCache:
    """The stores a home keeps to be used again."""
    return StackCache(home.cache / "stacks")


def _is_pattern(text: str) -> bool:
    return any(one in text for one in _WILD)

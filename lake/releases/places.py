"""Where releases lie: on which storage elements, whole or file by file, and whether under embargo."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, tuple_

from lake.catalogue.models import Product, Release
from lake.catalogue.session import transaction
from lake.governance.policy import under_embargo
from lake.lake import Lake
from lake.names import split_did
from lake.rucio import copies
from lake.rucio.client import batches

_MANY: Final = 5000

Did = tuple[str, str]


@dataclass(frozen=True)
class Lies:
    """Where one release lies.

    Attributes
    ----------
    scope
        Its instrument.
    held
        Whether it is under embargo.
    whole
        Storage elements that hold all its files.
    """

    scope: str
    held: bool
    whole: frozenset[str]


class Places:
    """Where the inputs of a plan lie, asked in few and large questions.

    Parameters
    ----------
    lake
        The lake.
    releases
        The releases they are found in, by name (``PRODUCT@vNNNN``).
    """

    def __init__(self, lake: Lake, releases: Collection[str]) -> None:
        self._lake = lake
        self._files: dict[Did, frozenset[str]] = {}
        self.releases = _where_releases_lie(lake, releases)

    def of_files(self, wanted: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
        """The storage elements on which files lie.

        Parameters
        ----------
        wanted
            DIDs, each with the release it was found in, or '' where it is none of these releases.

        Returns
        -------
        dict
            By DID.
        """
        found: dict[str, frozenset[str]] = {}
        rest: list[Did] = []
        for did, release in wanted:
            lies = self.releases.get(release)
            pair = split_did(did)
            if lies is not None and lies.whole:
                found[did] = lies.whole
            elif pair in self._files:
                found[did] = self._files[pair]
            else:
                rest.append(pair)
        if rest:
            known = copies.where(self._lake.rucio, rest)
            self._files |= {pair: known.get(pair, frozenset()) for pair in rest}
            found |= {":".join(pair): self._files[pair] for pair in rest}
        return found


def _where_releases_lie(lake: Lake, names: Collection[str]) -> dict[str, Lies]:
    now = datetime.now(UTC)
    keys = [
        (product, int(version)) for product, _, version in (one.rpartition("@v") for one in sorted(names))
    ]
    found = {}
    for several in batches(keys, _MANY):
        query = (
            select(Release, Product.name)
            .join(Product, Product.id == Release.product_id)
            .where(tuple_(Product.name, Release.version).in_(several))
        )
        with transaction(lake.sessions) as session:
            for release, product in session.execute(query):
                name = f"{product}@v{release.version:04d}"
                whole = copies.whole_on(lake.rucio, release.scope, release.dataset)
                found[name] = Lies(release.scope, under_embargo(release, now), whole)
    return found

"""Where releases lie: on which storage elements, whole or file by file, and whether under embargo."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import select, tuple_

from lake.catalogue.models import File, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.governance.policy import GIVEN_OUT, under_embargo
from lake.lake import Lake
from lake.names import split_did, version_token
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
    references
        DIDs of the references among them.

    Attributes
    ----------
    releases
        Where each release lies.
    held
        References that are under embargo, and their scope.
    """

    def __init__(self, lake: Lake, releases: Collection[str], references: Collection[str] = ()) -> None:
        self._lake = lake
        self._files: dict[Did, frozenset[str]] = {}
        self.releases = _where_releases_lie(lake, releases)
        self.held = held(lake, (), references)

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
    # Rucio is asked with no transaction open: a thousand questions take their time.
    return {
        one.name: Lies(one.scope, one.held, copies.whole_on(lake.rucio, one.scope, one.dataset))
        for one in _found(lake, names, datetime.now(UTC))
    }


def held(lake: Lake, releases: Collection[str], references: Collection[str]) -> dict[str, str]:
    """What is under embargo now.

    Parameters
    ----------
    lake
        The lake.
    releases
        By name.
    references
        By DID; one that any release gives out freely is under none.

    Returns
    -------
    dict
        Of those that are, the scope: the instrument, or that of references.
    """
    now = datetime.now(UTC)
    found = {one.name: one.scope for one in _found(lake, releases, now) if one.held}
    return found | _held_references(lake, references, now)


class _Found(NamedTuple):
    name: str
    scope: str
    dataset: str
    held: bool


def _found(lake: Lake, names: Collection[str], now: datetime) -> list[_Found]:
    keys = [
        (product, int(version)) for product, _, version in (one.rpartition("@v") for one in sorted(names))
    ]
    found = []
    for several in batches(keys, _MANY):
        query = (
            select(Release, Product.name)
            .join(Product, Product.id == Release.product_id)
            .where(tuple_(Product.name, Release.version).in_(several))
        )
        with transaction(lake.sessions) as session:
            for one, product in session.execute(query):
                name = f"{product}@{version_token(one.version)}"
                found.append(_Found(name, one.scope, one.dataset, under_embargo(one, now)))
    return found


def _held_references(lake: Lake, references: Collection[str], now: datetime) -> dict[str, str]:
    free: dict[Did, bool] = {}
    for several in batches(sorted(references), _MANY):
        query = (
            select(Release, File.scope, File.name)
            .join(ReleaseFile, ReleaseFile.release_id == Release.id)
            .join(File, File.id == ReleaseFile.file_id)
            .where(tuple_(File.scope, File.name).in_([split_did(did) for did in several]))
            .where(Release.status.in_(GIVEN_OUT))
        )
        with transaction(lake.sessions) as session:
            for release, scope, name in session.execute(query):
                free[scope, name] = free.get((scope, name), False) or not under_embargo(release, now)
    return {":".join(did): did[0] for did, is_free in free.items() if not is_free}

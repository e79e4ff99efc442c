"""What storage, Rucio and catalogue each say is there, gathered in few and large questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile, Run
from lake.catalogue.session import transaction
from lake.checksums import Checksums
from lake.lake import Lake
from lake.ledger.units import REDUCTION
from lake.rucio.client import Collection, Replica, Rule
from lake.rucio.copies import where
from lake.rucio.opendata import OpenDataState, states
from lake.storage.store import Found, key_of, scope_key

Did = tuple[str, str]

_FILE_COLUMNS = (
    File.id,
    File.scope,
    File.name,
    File.size,
    File.adler32,
    File.sha256,
    File.level,
    File.unit_id,
    File.date_beg,
    File.date_end,
)

OPEN_RUN = ("running", "paused", "stopped")
"""Runs that somebody is to go on with."""


class FileFacts(NamedTuple):
    """What the catalogue says of a file besides its sums."""

    id: int
    level: str
    unit_id: str | None
    date_beg: datetime | None
    date_end: datetime | None


class Span(NamedTuple):
    """From when to when an observation has data, by its row."""

    begin: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class ReleaseFacts:
    """A release as the catalogue has it; `number`, `bytes`, `span` and `level` are what its own row says."""

    id: int
    scope: str
    dataset: str
    level: str
    product_level: str
    version: int
    status: str
    key: str
    created: datetime
    observation: str
    files: frozenset[Did]
    number: int
    bytes: int
    span: Span
    run: str | None
    embargo_until: datetime | None
    published: datetime | None

    @property
    def did(self) -> str:
        """`scope:dataset`."""
        return f"{self.scope}:{self.dataset}"


@dataclass
class Picture:
    """The three accounts of the same lake.

    Parameters
    ----------
    stored, parts
        Files under final names by key, and leftovers of writers.
    scopes
        What was asked about; all when None.
    files, facts, releases, observations, open_runs
        What the catalogue has; open runs (id to owner) are those that can be continued.
    reductions
        Those of them that make references.
    known
        Every file name that Rucio has.
    replicas
        Each of them with its state on our storage element (None: no replica there).
    datasets, contents, containers, rules
        Rucio's datasets, their files, what each container holds, and the rules of each dataset.
    opendata
        The states of the records in Rucio's catalogue of open data.
    elsewhere
        Files that lie whole on the storage element of another site, as Rucio knows.
    """

    scopes: Sequence[str] | None = None
    stored: dict[str, Found] = field(default_factory=dict)
    parts: list[Found] = field(default_factory=list)
    files: dict[Did, Checksums] = field(default_factory=dict)
    facts: dict[Did, FileFacts] = field(default_factory=dict)
    releases: list[ReleaseFacts] = field(default_factory=list)
    observations: dict[Did, Span] = field(default_factory=dict)
    open_runs: dict[str, str] = field(default_factory=dict)
    reductions: set[str] = field(default_factory=set)
    known: set[Did] = field(default_factory=set)
    replicas: dict[Did, tuple[Replica, str | None]] = field(default_factory=dict)
    datasets: dict[Did, Collection] = field(default_factory=dict)
    contents: dict[Did, set[Did]] = field(default_factory=dict)
    containers: dict[Did, set[str]] = field(default_factory=dict)
    rules: dict[Did, list[Rule]] = field(default_factory=dict)
    opendata: dict[Did, OpenDataState] = field(default_factory=dict)
    elsewhere: set[Did] = field(default_factory=set)

    @cached_property
    def newest_of_unit(self) -> dict[str, int]:
        """Row of the last file that each unit gave."""
        newest: dict[str, int] = {}
        for facts in self.facts.values():
            if facts.unit_id is not None:
                newest[facts.unit_id] = max(facts.id, newest.get(facts.unit_id, 0))
        return newest

    @cached_property
    def made_by(self) -> dict[Did, str]:
        """Run of the first release that holds each product file: the one that made it."""
        found: dict[Did, str] = {}
        for release in self.releases:  # by id: the first one comes first
            for did in release.files if release.run else ():
                found.setdefault(did, str(release.run))
        return found

    def path_of(self, did: Did) -> str:
        """The key under which a file should lie."""
        return key_of(*did)


def take_picture(lake: Lake, scopes: Sequence[str] | None = None) -> Picture:
    """Ask all three, about some scopes or all.

    The catalogue is asked first and the storage last: a file published meanwhile then shows as bytes too
    many, which a second look explains, and never as bytes that are missing.
    """
    picture = Picture(scopes)
    _ask_catalogue(lake, picture, scopes)
    _ask_rucio(lake, picture, scopes)
    _ask_where(lake, picture)
    _ask_storage(lake, picture)
    return picture


def picture_at(lake: Lake, picture: Picture) -> Picture:
    """The same for another site: its storage, and what Rucio says is there.

    Parameters
    ----------
    lake
        From where that site's storage is the near one.
    picture
        Of the whole lake.

    Returns
    -------
    Picture
        Of files only, of those that Rucio says are there.
    """
    here = Picture(
        picture.scopes,
        files=picture.files,
        facts=picture.facts,
        releases=picture.releases,
        open_runs=picture.open_runs,
        reductions=picture.reductions,
        known=picture.known,
    )
    for replica, state in lake.rucio.replicas(sorted(picture.known)):
        here.replicas[replica.scope, replica.name] = (replica, state)
    _ask_where(lake, here)
    _ask_storage(lake, here)
    return here


def _ask_where(lake: Lake, picture: Picture) -> None:
    if lake.config.others:
        near = lake.config.rse
        places = where(lake.rucio, sorted(picture.known))
        picture.elsewhere = {did for did, rses in places.items() if rses - {near}}


def _ask_storage(lake: Lake, picture: Picture) -> None:
    for below in [""] if picture.scopes is None else map(scope_key, picture.scopes):
        for found in lake.store.scan(below):
            if found.writer is None:
                picture.stored[found.path] = found
            else:
                picture.parts.append(found)


def _ask_catalogue(lake: Lake, picture: Picture, scopes: Sequence[str] | None) -> None:
    files, releases, observations = _questions(scopes)
    runs = select(Run.id, Run.owner, Run.recipe).where(Run.status.in_(OPEN_RUN))
    by_id: dict[int, Did] = {}
    members: dict[int, set[Did]] = {}
    with transaction(lake.sessions) as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for row in session.execute(files):
            did = by_id[row.id] = (row.scope, row.name)
            picture.files[did] = Checksums(row.size, row.adler32, row.sha256)
            picture.facts[did] = FileFacts(row.id, row.level, row.unit_id, row.date_beg, row.date_end)
        for release_id, file_id in session.execute(select(ReleaseFile.release_id, ReleaseFile.file_id)):
            if file_id in by_id:
                members.setdefault(release_id, set()).add(by_id[file_id])
        for row in session.execute(runs):
            picture.open_runs[row.id] = row.owner
            if row.recipe.startswith(REDUCTION):
                picture.reductions.add(row.id)
        for row in session.execute(observations):
            picture.observations[row.scope, row.name] = Span(row.date_beg, row.date_end)
        picture.releases = [
            _release_facts(row, frozenset(members.get(row.Release.id, ())))
            for row in session.execute(releases)
        ]


def _questions(scopes: Sequence[str] | None) -> list[Select[Any]]:
    """About files, releases and observations, of some scopes or all."""
    questions: list[Select[Any]] = [
        select(*_FILE_COLUMNS),
        select(
            Release,
            Observation.name.label("observation"),
            Product.level.label("product_level"),
        )
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .order_by(Release.id),
        select(Observation.scope, Observation.name, Observation.date_beg, Observation.date_end),
    ]
    if scopes is None:
        return questions
    owners = (File.scope, Release.scope, Observation.scope)
    return [query.where(scope.in_(scopes)) for query, scope in zip(questions, owners, strict=True)]


def _release_facts(row: Row[Any], files: frozenset[Did]) -> ReleaseFacts:
    release: Release = row.Release
    return ReleaseFacts(
        release.id,
        release.scope,
        release.dataset,
        release.level,
        row.product_level,
        release.version,
        release.status,
        release.draft_key,
        release.created,
        row.observation,
        files,
        release.files,
        release.bytes,
        Span(release.date_beg, release.date_end),
        release.run_id,
        release.embargo_until,
        release.published,
    )


def _ask_rucio(lake: Lake, picture: Picture, only: Sequence[str] | None) -> None:
    rucio = lake.rucio
    scopes = {scope for scope in rucio.scopes() if only is None or scope in only}
    for scope in sorted(scopes):
        picture.known |= {(scope, name) for name in rucio.file_names(scope)}
        for dataset in rucio.collections(scope, "dataset"):
            picture.datasets[scope, dataset.name] = dataset
    for replica, state in rucio.replicas(sorted(picture.known)):
        picture.replicas[replica.scope, replica.name] = (replica, state)
    picture.contents = rucio.files_of_many(sorted(picture.datasets))
    for scope, observation in sorted({(one.scope, one.observation) for one in picture.releases}):
        if scope in scopes:
            picture.containers[scope, observation] = set(rucio.content(scope, observation))
    for rule in rucio.rules():
        picture.rules.setdefault((rule.scope, rule.name), []).append(rule)
    picture.opendata = states(rucio)

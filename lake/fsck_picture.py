"""What storage, Rucio and catalogue each say is there, gathered in few and large questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile, Run
from lake.catalogue.session import transaction
from lake.checksums import Checksums
from lake.lake import Lake
from lake.rucio_client import Collection, Replica, Rule
from lake.storage import Found, relative_path, scan, scope_folder

Did = tuple[str, str]

OPEN_RUN = ("running", "stopped")
"""Runs that somebody is to go on with."""


@dataclass(frozen=True)
class ReleaseFacts:
    """A release as the catalogue has it."""

    id: int
    scope: str
    dataset: str
    level: str
    version: int
    status: str
    key: str
    created: datetime
    observation: str
    files: frozenset[Did]

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
        Files under final names by path below the root, and leftovers of writers.
    files, releases, open_runs
        What the catalogue has; open runs (id to owner) are those that can be continued.
    known
        Every file name that Rucio has.
    replicas
        Each of them with its state on our storage element (None: no replica there).
    datasets, contents, containers, rules
        Rucio's datasets, their files, what each container holds, and the rules of each dataset.
    """

    stored: dict[str, Found] = field(default_factory=dict)
    parts: list[Found] = field(default_factory=list)
    files: dict[Did, Checksums] = field(default_factory=dict)
    releases: list[ReleaseFacts] = field(default_factory=list)
    open_runs: dict[str, str] = field(default_factory=dict)
    known: set[Did] = field(default_factory=set)
    replicas: dict[Did, tuple[Replica, str | None]] = field(default_factory=dict)
    datasets: dict[Did, Collection] = field(default_factory=dict)
    contents: dict[Did, set[Did]] = field(default_factory=dict)
    containers: dict[Did, set[str]] = field(default_factory=dict)
    rules: dict[Did, list[Rule]] = field(default_factory=dict)

    def path_of(self, did: Did) -> str:
        """Path below the root where a file should lie."""
        return relative_path(*did)


def take_picture(lake: Lake, scopes: Sequence[str] | None = None) -> Picture:
    """Ask all three, about some scopes or all.

    The catalogue is asked first and the storage last: a file published meanwhile then shows as bytes too
    many, which a second look explains, and never as bytes that are missing.
    """
    picture = Picture()
    _ask_catalogue(lake, picture, scopes)
    _ask_rucio(lake, picture, scopes)
    folders = [lake.root] if scopes is None else [scope_folder(lake.root, scope) for scope in scopes]
    for folder in folders:
        for found in scan(lake.root, folder):
            if found.writer is None:
                picture.stored[found.path] = found
            else:
                picture.parts.append(found)
    return picture


def _ask_catalogue(lake: Lake, picture: Picture, scopes: Sequence[str] | None) -> None:
    files = select(File.id, File.scope, File.name, File.size, File.adler32, File.md5, File.sha256)
    releases = (
        select(
            Release.id,
            Release.scope,
            Release.dataset,
            Release.level,
            Release.version,
            Release.status,
            Release.draft_key,
            Release.created,
            Observation.name.label("observation"),
        )
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .order_by(Release.id)
    )
    if scopes is not None:
        files = files.where(File.scope.in_(scopes))
        releases = releases.where(Release.scope.in_(scopes))
    runs = select(Run.id, Run.owner).where(Run.status.in_(OPEN_RUN))
    by_id: dict[int, Did] = {}
    members: dict[int, set[Did]] = {}
    with transaction(lake.sessions) as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for row in session.execute(files):
            by_id[row.id] = (row.scope, row.name)
            picture.files[row.scope, row.name] = Checksums(row.size, row.adler32, row.md5, row.sha256)
        for release_id, file_id in session.execute(select(ReleaseFile.release_id, ReleaseFile.file_id)):
            if file_id in by_id:
                members.setdefault(release_id, set()).add(by_id[file_id])
        picture.open_runs = {row.id: row.owner for row in session.execute(runs)}
        picture.releases = [
            ReleaseFacts(
                row.id,
                row.scope,
                row.dataset,
                row.level,
                row.version,
                row.status,
                row.draft_key,
                row.created,
                row.observation,
                frozenset(members.get(row.id, ())),
            )
            for row in session.execute(releases)
        ]


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

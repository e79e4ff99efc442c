"""Finding releases, looking at one, and giving its files out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile, UnitResult, Withdrawal
from lake.catalogue.session import transaction
from lake.entries import FileEntry, iso
from lake.errors import BadInput, Fatal, Reason
from lake.governance.policy import CUSTODY, PUBLIC, Action, NotGranted, Principal, grant, may, under_embargo
from lake.grant import Grant
from lake.lake import Lake
from lake.names import ProductKey, level_token, parse_product
from lake.releases import finding, nearby
from lake.releases.access import Asked, require
from lake.releases.finding import Wanted
from lake.releases.releases import describe, entry
from lake.storage.files import sums_of_file
from lake.storage.store import key_of
from lake.storage.verify import copy_verified

_CONFIRMING = frozenset({"adler32", "sha256", "unit_id"})
"""What of a file tells somebody who has not got it whether a file they have is the same."""


def search(
    lake: Lake,
    wanted: Wanted | None = None,
    *,
    principal: Principal = PUBLIC,
    limit: int | None = None,
    after: str = "",
) -> list[dict[str, Any]]:
    """Releases that match all that is given, by time and name.

    Parameters
    ----------
    lake
        The lake.
    wanted
        What they are to match; all that are published, references apart, when absent.
    principal
        Who asks: `available` says of each release whether they may have its bytes.
    limit
        At most so many; all when absent.
    after
        Only those behind the one of this token; see `listing`.

    Returns
    -------
    list of dict
        With product, instrument, level, version, status, date_beg, date_end, files, did, bytes, created …

    Raises
    ------
    BadInput
        When something that is wanted cannot be.
    """
    at, rows = _now(), finding.everything(lake, wanted or Wanted(), principal, limit=limit, after=after)
    return [_row(row, principal, at) for row in rows]


def listing(
    lake: Lake, wanted: Wanted | None = None, *, principal: Principal = PUBLIC, limit: int, after: str = ""
) -> dict[str, Any]:
    """A page of what `search` finds, and the token from which the next one goes on ("" at the end).

    Returns
    -------
    dict
        With `releases` and `more`.

    Raises
    ------
    BadInput
        When something that is wanted cannot be, or the token is none.
    """
    found = finding.page(lake, wanted or Wanted(), principal, limit=limit, after=after)
    at = _now()
    return {"releases": [_row(row, principal, at) for row in found.rows], "more": found.more}


def _row(row: Row[Any], principal: Principal, at: datetime) -> dict[str, Any]:
    release, observation = row
    described = describe(release, _key(observation, release), observation.meta)
    return described | standing(release, principal, at)


def resolve(lake: Lake, product: str) -> tuple[Release, ProductKey]:
    """The release that `[scope:]observation.l<level>[@vNNNN]` means; without a version the ACTIVE one.

    Raises
    ------
    BadInput
        With code bad-name, not-found or ambiguous.
    """
    wanted = parse_product(product)
    query = _releases().where(Observation.name == wanted.observation)
    if wanted.scope is not None:
        query = query.where(Observation.scope == wanted.scope)
    if wanted.version is None:
        query = query.where(Release.status == "ACTIVE")
    else:
        query = query.where(Release.version == wanted.version, Release.status != "DRAFT")
    with transaction(lake.sessions) as session:
        found = [
            (release, _key(observation, release))
            for release, observation in session.execute(query)
            if level_token(release.level) == wanted.token
        ]
    if not found:
        raise BadInput(
            f"there is no release {product}",
            advice=nearby.instead_of(lake, wanted.observation, wanted.scope),
            code=Reason.NOT_FOUND,
        )
    if len(found) > 1:
        raise BadInput(
            f"{product} means more than one release",
            found=", ".join(key.name for _, key in found),
            advice="write the instrument before the name: SCOPE:PRODUCT",
            code=Reason.AMBIGUOUS,
        )
    return found[0]


def files_of(
    lake: Lake,
    _grant: Grant,
    release_id: int,
    *,
    limit: int | None = None,
    after: str = "",
    names: Collection[str] = (),
) -> list[FileEntry]:
    """Files of a release, by name, with their checksums; for those to whom it was granted.

    Parameters
    ----------
    lake, release_id
        Whose.
    limit, after
        At most so many, of those whose names come after this one.
    names
        Only those of these names; any, where there are none.
    """
    query = (
        select(File, UnitResult.refs)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .outerjoin(UnitResult, UnitResult.unit_id == File.unit_id)
        .where(ReleaseFile.release_id == release_id, File.name > after)
        .order_by(File.name)
        .limit(limit)
    )
    if names:
        query = query.where(File.name.in_(names))
    with transaction(lake.sessions) as session:
        return [entry(file, refs) for file, refs in session.execute(query)]


def show(
    lake: Lake,
    product: str,
    principal: Principal = PUBLIC,
    *,
    most: int | None = None,
    places: bool = True,
) -> dict[str, Any]:
    """One release with its files and their caveats, its provenance and the other versions of its product.

    Who may not have the bytes learns neither where they lie nor their checksums, which would confirm a guess.

    Parameters
    ----------
    lake, product, principal
        What is looked at, and by whom.
    most
        Tell no more files than that, and their caveats.
    places
        Tell where each file lies: several storages are asked for it.
    """
    release, key = resolve(lake, product)
    query = (
        select(Release.version, Release.status, Release.published)
        .where(Release.product_id == release.product_id, Release.status != "DRAFT")
        .order_by(Release.version)
    )
    with transaction(lake.sessions) as session:
        versions = [
            {"version": row.version, "status": row.status, "published": iso(row.published)}
            for row in session.execute(query)
        ]
        said = session.get(Withdrawal, release.id)
        withdrawn = None if said is None else {"at": iso(said.at), "reason": said.reason}
        meta = dict(values_of(session, key))
    files = _shown_files(lake, release, principal, most, places=places)
    provenance = {
        "recipe": release.recipe,
        "recipe_version": release.recipe_version,
        "context": release.context,
        "run": release.run_id,
        "references": list(release.refs),
        "parents": list(release.parents),
    }
    return {
        "release": describe(release, key, meta) | standing(release, principal),
        "withdrawn": withdrawn,
        "caveats": _caveats(files),
        "meta": meta,
        "versions": versions,
        "provenance": provenance,
        "files": files,
    }


def values_of(session: Session, key: ProductKey) -> Mapping[str, Any]:
    """Searchable values of the observation that a product is of."""
    query = select(Observation.meta).where(
        Observation.scope == key.scope, Observation.name == key.observation
    )
    return session.scalar(query) or {}


def listed_files(
    lake: Lake, product: str, principal: Principal = PUBLIC, *, limit: int, after: str = ""
) -> tuple[Release, ProductKey, list[dict[str, Any]]]:
    """Some files of a release in the order of names, as far as somebody may know them.

    Raises
    ------
    BadInput
        When there is no such release.
    """
    finding.refuse_unseen(after=after)
    release, key = resolve(lake, product)
    return release, key, _shown_files(lake, release, principal, limit, after)


def shown_file(lake: Lake, release: Release, principal: Principal, name: str) -> dict[str, Any]:
    """One file of a release, as far as somebody may know it.

    Raises
    ------
    BadInput
        When the release holds no such file.
    """
    return _shown(lake, release, principal, [file_of(lake, CUSTODY, release.id, name)])[0]


def _shown_files(
    lake: Lake,
    release: Release,
    principal: Principal,
    limit: int | None,
    after: str = "",
    *,
    places: bool = False,
) -> list[dict[str, Any]]:
    """Files of a release, as far as somebody may know them."""
    listed = files_of(lake, CUSTODY, release.id, limit=limit, after=after)
    return _shown(lake, release, principal, listed, places=places)


def _shown(
    lake: Lake,
    release: Release,
    principal: Principal,
    listed: Sequence[FileEntry],
    *,
    places: bool = False,
) -> list[dict[str, Any]]:
    files = [file.as_dict() | {"did": file.did} for file in listed]
    try:
        given = grant(principal, Action.BYTES, [release], _now())
    except NotGranted:
        return [{name: value for name, value in file.items() if name not in _CONFIRMING} for file in files]
    if not places:
        return files
    return [file | {"path": lake.place_of(given, file["scope"], file["name"])} for file in files]


def standing(release: Release, principal: Principal, at: datetime | None = None) -> dict[str, bool]:
    """How a release stands at this moment, and to whom asks."""
    at = at or _now()
    return {
        "under_embargo": under_embargo(release, at),
        "available": may(principal, Action.BYTES, release, at),
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _caveats(files: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is odd about the files: every sentence once, with the number of files it holds for."""
    counted = Counter(caveat for file in files for caveat in file["caveats"])
    return [{"caveat": caveat, "files": number} for caveat, number in counted.most_common()]


def granted_files(lake: Lake, product: str, principal: Principal = PUBLIC) -> list[FileEntry]:
    """The files of a release, for somebody who may read their bytes.

    Raises
    ------
    BadInput
        When the release is not found or may not be had.
    """
    return granted(lake, product, principal)[1]


def granted(
    lake: Lake, product: str, principal: Principal = PUBLIC, action: Action = Action.BYTES
) -> tuple[Grant, list[FileEntry]]:
    """What opens a release to somebody, and its files.

    Raises
    ------
    BadInput
        When the release is not found or may not be had.
    """
    release, key = resolve(lake, product)
    given = require(lake, principal, [Asked.of(release, key.name)], action)
    return given, files_of(lake, given, release.id)


def file_of(lake: Lake, _grant: Grant, release_id: int, name: str) -> FileEntry:
    """One file of a release; for those to whom it was granted.

    Raises
    ------
    BadInput
        When the release holds no such file.
    """
    finding.refuse_unseen(file=name)
    query = (
        select(File)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == release_id, File.name == name)
    )
    with transaction(lake.sessions) as session:
        file = session.scalar(query)
    if file is None:
        raise BadInput(
            "the release holds no such file",
            keyword="file",
            found=name[:100],
            advice="look at the release: it names its files",
            code=Reason.NOT_FOUND,
        )
    return entry(file, None)


@dataclass(frozen=True)
class Fetched:
    """What `fetch` wrote, and what it could not.

    Parameters
    ----------
    written
        The files, in the release's order.
    problems
        Why each of the others could not be had.
    """

    written: tuple[Path, ...]
    problems: tuple[BadInput, ...]


def fetch(
    lake: Lake,
    product: str,
    folder: Path | str,
    principal: Principal = PUBLIC,
    progress: Callable[[FileEntry], None] | None = None,
) -> Fetched:
    """Write the files of a release to a folder, each compared with its checksums on the way.

    Files bear the names their archives gave them. One that is there with the same bytes is left alone; one
    with other bytes is never overwritten. A file that cannot be had does not hold up the others.

    Raises
    ------
    BadInput
        When the release is not found or may not be had.
    Retriable, Fatal
        When the storage or the folder cannot be used at all.
    """
    files = granted_files(lake, product, principal)
    folder = _made(folder)
    written, problems = [], []
    given: set[str] = set()
    for file in files:
        try:
            written.append(_fetch_one(lake, file, folder / _given_name(file, given)))
        except BadInput as error:
            problems.append(error)
        if progress is not None:
            progress(file)
    return Fetched(tuple(written), tuple(problems))


def get_files(
    lake: Lake,
    product: str,
    folder: Path | str,
    principal: Principal = PUBLIC,
    progress: Callable[[FileEntry], None] | None = None,
) -> list[Path]:
    """The files that `fetch` writes, for those who need all of them.

    Raises
    ------
    BadInput
        When the release is not found or may not be had, a stored copy is damaged, or a file is in the way;
        the other files are written all the same.
    """
    fetched = fetch(lake, product, folder, principal, progress)
    if len(fetched.problems) == 1:
        raise fetched.problems[0]
    if fetched.problems:
        first, number = fetched.problems[0], len(fetched.problems)
        raise BadInput(
            f"{number} of {number + len(fetched.written)} files could not be had",
            file=product,
            found="; ".join(problem.reason for problem in fetched.problems),
            advice=first.advice,
            code=first.code,
        )
    return list(fetched.written)


def fetch_file(lake: Lake, _grant: Grant, file: FileEntry, folder: Path | str) -> Path:
    """Write one file to a folder, as `fetch` does; for those to whom it was granted.

    Raises
    ------
    BadInput
        When its stored copy is lost or damaged, or another file is in the way.
    """
    return _fetch_one(lake, file, _made(folder) / (file.original or file.name))


def _made(folder: Path | str) -> Path:
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fatal(f"The folder {folder} cannot be made: {error.strerror}. Name another with -o.") from error
    return folder


def _fetch_one(lake: Lake, file: FileEntry, target: Path) -> Path:
    if not target.exists():
        key = key_of(file.scope, file.name)
        copy_verified(lake.store_of(key), key, target, file.checksums, file.did)
    elif sums_of_file(target) != file.checksums:
        raise BadInput(
            "a file of this name with other bytes is in the way",
            file=str(target),
            advice="move it away or name another folder with -o",
            code=Reason.NAME_CONFLICT,
        )
    return target


def _given_name(file: FileEntry, given: set[str]) -> str:
    """The archive's own name of a file, ours where another file of the release has been given that."""
    name = file.original or file.name
    name = file.name if name in given else name
    given.add(name)
    return name


def _releases() -> Select[tuple[Release, Observation]]:
    return (
        select(Release, Observation)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
    )


def _key(observation: Observation, release: Release) -> ProductKey:
    return ProductKey(observation.scope, observation.name, release.level)

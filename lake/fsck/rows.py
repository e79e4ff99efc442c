"""Rows of the catalogue that contradict each other: levels, counts, dates, and which unit made which file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, func, select, update

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile, UnitResult
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Retriable
from lake.fits.stored import stored_header
from lake.fsck.difference import Difference, Look
from lake.fsck.picture import Did, Picture, ReleaseFacts, Span
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.names import level_token

_ROUNDED = timedelta(seconds=1)


def levels(look: Look) -> Iterator[Difference]:
    """A file, its release, its product and their names are of one level."""
    picture = look.picture
    told: set[Did] = set()
    for release in picture.releases:
        token = f".{level_token(release.product_level)}.v"
        if release.level != release.product_level and token in release.dataset:
            detail = f"its row says level {release.level}, its product and its name {release.product_level}"
            yield Difference(
                "release-level", release.did, detail, partial(_set_release_level, look.lake, release)
            )
        for did in sorted(release.files - told):
            level = picture.facts[did].level
            if level != release.product_level:
                told.add(did)
                detail = f"its row says level {level}, its release {release.did} {release.product_level}"
                repair = partial(_set_file_level, look.lake, picture.facts[did].id, release.product_level)
                yield Difference("file-level", ":".join(did), detail, repair)


def counts(look: Look) -> Iterator[Difference]:
    """A release counts the files and bytes that it holds."""
    picture = look.picture
    for release in _published(picture):
        content = picture.contents.get((release.scope, release.dataset), release.files)
        if content != release.files:
            continue  # which account of its files is right is a question of its own
        size = sum(picture.files[did].size for did in release.files)
        if (release.number, release.bytes) != (len(release.files), size):
            yield Difference(
                "release-count",
                release.did,
                f"its row says {release.number} files of {release.bytes} bytes, "
                f"it holds {len(release.files)} of {size}",
                partial(_set_count, look.lake, release.id),
            )


def dates(look: Look) -> Iterator[Difference]:
    """The span of a release is that of its files, the span of an observation that of its releases."""
    picture = look.picture
    spans: dict[Did, list[Span]] = {}
    for release in _published(picture):
        of_files = _joined(_span(picture, did) for did in release.files)
        spans.setdefault((release.scope, release.observation), []).append(of_files)
        if release.span != of_files:
            yield Difference(
                "release-dates",
                release.did,
                f"its row says {_told(release.span)}, its files {_told(of_files)}; their headers decide",
                partial(_mend_dates, look, release),
            )
    for key, found in spans.items():
        joined, row = _joined(found), picture.observations.get(key)
        if row is not None and row != joined:
            yield Difference(
                "observation-dates",
                ":".join(key),
                f"its row says {_told(row)}, its releases {_told(joined)}",
                partial(_set_observation_dates, look.lake, key),
            )


def results(look: Look) -> Iterator[Difference]:
    """The result of a unit is the file that the unit made."""
    query = (
        select(UnitResult.unit_id, File.scope, File.name, File.unit_id.label("made_by"))
        .join(File, File.id == UnitResult.file_id)
        .where(File.unit_id.is_distinct_from(UnitResult.unit_id))
        .order_by(UnitResult.unit_id)
    )
    if look.picture.scopes is not None:
        query = query.where(File.scope.in_(look.picture.scopes))
    with transaction(look.lake.sessions) as session:
        rows = session.execute(query).all()
    for row in rows:
        made_by = f"unit {row.made_by[:16]}…" if row.made_by else "no unit"
        yield Difference(
            "unit-result",
            f"{row.scope}:{row.name}",
            f"it is entered as the result of unit {row.unit_id[:16]}…, its own row says {made_by}; "
            "the file's header decides",
            partial(_mend_result, look.lake, row.unit_id, (row.scope, row.name)),
        )


def _published(picture: Picture) -> Iterator[ReleaseFacts]:
    return (release for release in picture.releases if release.status != "DRAFT")


def _span(picture: Picture, did: Did) -> Span:
    facts = picture.facts[did]
    return Span(facts.date_beg, facts.date_end or facts.date_beg)


def _joined(spans: Iterator[Span] | list[Span]) -> Span:
    known = list(spans)
    return Span(
        min((one.begin for one in known if one.begin is not None), default=None),
        max((one.end for one in known if one.end is not None), default=None),
    )


def _told(span: Span) -> str:
    return f"{iso(span.begin) or 'no date'} to {iso(span.end) or 'no date'}"


def _set_release_level(lake: Lake, release: ReleaseFacts) -> None:
    with transaction(lake.sessions) as session:
        session.execute(update(Release).where(Release.id == release.id).values(level=release.product_level))


def _set_file_level(lake: Lake, file_id: int, level: str) -> None:
    with transaction(lake.sessions) as session:
        session.execute(update(File).where(File.id == file_id).values(level=level))


def _set_count(lake: Lake, release_id: int) -> None:
    held = (
        select(func.count(), func.coalesce(func.sum(File.size), 0))
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == release_id)
    )
    with transaction(lake.sessions) as session:
        number, size = session.execute(held).one()
        session.execute(
            update(Release).where(Release.id == release_id).values(files=int(number), bytes=int(size))
        )


def _mend_dates(look: Look, release: ReleaseFacts) -> None:
    """Believe the headers where they can be read, else the files' rows."""
    lake = look.lake
    if look.read_dates is not None:
        for did in sorted(release.files):
            _mend_file_dates(look, did)
    with transaction(lake.sessions) as session:
        held = select(ReleaseFile.file_id).where(ReleaseFile.release_id == release.id)
        begin, end = session.execute(
            select(func.min(File.date_beg), func.max(func.coalesce(File.date_end, File.date_beg))).where(
                File.id.in_(held)
            )
        ).one()
        session.execute(update(Release).where(Release.id == release.id).values(date_beg=begin, date_end=end))


def _mend_file_dates(look: Look, did: Did) -> None:
    read = look.read_dates(look.lake.ref(CUSTODY, *did)) if look.read_dates is not None else None
    if read is None:
        return
    facts = look.picture.facts[did]
    if _near(facts.date_beg, read[0]) and _near(facts.date_end, read[1]):
        return
    with transaction(look.lake.sessions) as session:
        session.execute(update(File).where(File.id == facts.id).values(date_beg=read[0], date_end=read[1]))


def _near(one: datetime | None, other: datetime | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < _ROUNDED)


def _set_observation_dates(lake: Lake, key: Did) -> None:
    with transaction(lake.sessions) as session:
        row = session.scalars(
            select(Observation)
            .where(Observation.scope == key[0], Observation.name == key[1])
            .with_for_update()
        ).one()
        of_releases = (
            select(func.min(Release.date_beg), func.max(Release.date_end))
            .join(Product, Product.id == Release.product_id)
            .where(Product.observation_id == row.id, Release.status != "DRAFT")
        )
        row.date_beg, row.date_end = session.execute(of_releases).one()


def _mend_result(lake: Lake, unit_id: str, did: Did) -> None:
    """Believe the file's header; a result that is no file of its unit goes, and the unit finds its own."""
    try:
        said = str(stored_header(lake.ref(CUSTODY, *did)).get("UNIT_ID", ""))
    except (BadInput, Retriable):
        said = ""
    with transaction(lake.sessions) as session:
        if said == unit_id:
            session.execute(
                update(File).where(File.scope == did[0], File.name == did[1]).values(unit_id=unit_id)
            )
            return
        own = session.scalar(select(func.max(File.id)).where(File.unit_id == unit_id))
        row = UnitResult.unit_id == unit_id
        if own is None:  # the unit is done again when it is asked for
            session.execute(delete(UnitResult).where(row))
        else:
            session.execute(update(UnitResult).where(row).values(file_id=own))

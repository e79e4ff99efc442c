"""The frames that were published last, and whether everybody may see each: for pages without a login."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select

from lake.catalogue.models import File, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.governance.policy import PUBLIC, Action, NotGranted, grant
from lake.grant import Grant
from lake.lake import Lake
from lake.names import version_token

_RELEASES: Final = 4


@dataclass(frozen=True)
class LatestFrame:
    """A frame that was published lately.

    Attributes
    ----------
    id
        Number of the file: its bytes never change.
    scope, name, level, sha256, image_hdu, shape, meta
        Of the file.
    release
        The release that holds it.
    run
        The run that made it.
    grant
        What opens it to the public; None where it may not be seen.
    withheld
        Why it may not, in some words; '' where it may.
    """

    id: int
    scope: str
    name: str
    level: str
    sha256: str
    image_hdu: int
    shape: tuple[int, ...]
    meta: dict[str, Any]
    release: str
    run: str
    grant: Grant | None
    withheld: str


def latest_frames(lake: Lake, runs: Collection[str], *, limit: int) -> list[LatestFrame]:
    """Frames of the last releases that some runs published, the latest first.

    Nobody is signed in where these are shown: the public decides, at this moment.

    Parameters
    ----------
    lake
        The lake.
    runs
        Which runs.
    limit
        How many at most.
    """
    releases = (
        select(Release, Product.name)
        .join(Product, Product.id == Release.product_id)
        .where(Release.run_id.in_(runs), Release.published.is_not(None))
        .order_by(Release.published.desc(), Release.id.desc())
        .limit(_RELEASES)
    )
    found: list[LatestFrame] = []
    with transaction(lake.sessions) as session:
        last = session.execute(releases).all()
        each = -(-limit // len(last)) if last else 0
        for release, product in last:
            opened, withheld = _standing(release)
            files = (
                select(File)
                .join(ReleaseFile, ReleaseFile.file_id == File.id)
                .where(ReleaseFile.release_id == release.id)
                .order_by(ReleaseFile.file_id.desc())
                .limit(each)
            )
            found += [
                LatestFrame(
                    id=file.id,
                    scope=file.scope,
                    name=file.name,
                    level=file.level,
                    sha256=file.sha256,
                    image_hdu=file.image_hdu,
                    shape=tuple(file.shape),
                    meta=dict(file.meta),
                    release=f"{product}@{version_token(release.version)}",
                    run=release.run_id or "",
                    grant=opened,
                    withheld=withheld,
                )
                for file in session.scalars(files)
            ]
    return found[:limit]


def _standing(release: Release) -> tuple[Grant | None, str]:
    """What opens a release's previews to the public, or why nothing does."""
    try:
        return grant(PUBLIC, Action.PREVIEW, [release], datetime.now(UTC)), ""
    except NotGranted:
        if release.status == "WITHDRAWN":
            return None, "withdrawn"
        until = iso(release.embargo_until)
        return None, f"under embargo until {until[:10]}" if until else "not public"

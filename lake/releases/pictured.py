"""Which files have pictures: those of ACTIVE releases; what becomes of the others' when that changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from lake.catalogue.models import File, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.errors import HeliolakeLakeError
from lake.lake import Lake
from lake.storage import previews
from lake.storage.opening import open_store
from lake.storage.previews import preview_key

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 8
_MANY: Final = 5000


def drop_of_product(lake: Lake, product_id: int) -> None:
    """Let go of the pictures that the last release which ceased to be ACTIVE leaves behind."""
    last = (
        select(Release.id)
        .where(Release.product_id == product_id, Release.superseded.is_not(None))
        .order_by(Release.superseded.desc(), Release.id.desc())
        .limit(1)
    )
    with transaction(lake.sessions) as session:
        found = session.scalar(last)
    if found is not None:
        drop_of_release(lake, found)


def drop_of_release(lake: Lake, release_id: int) -> None:
    """Let go of the pictures of a release, but those of files that an ACTIVE one holds too.

    Where that fails the release is none the worse: `heliolake fsck` names what is left.
    """
    try:
        _drop(lake, _unshown(lake, release_id))
    except HeliolakeLakeError as error:
        _log.warning("pictures of a release that is not ACTIVE any more are left: %s", error)


def _unshown(lake: Lake, release_id: int) -> Iterator[str]:
    """Keys of pictures: of the files that no ACTIVE release holds, and of the release itself."""
    other, held = aliased(Release), aliased(ReleaseFile)
    shown = (
        exists()
        .where(held.file_id == File.id, held.release_id == other.id, other.status == "ACTIVE")
        .correlate(File)
    )
    files = (
        select(File.scope, File.name)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == release_id, ~shown)
        .execution_options(yield_per=_MANY)
    )
    with transaction(lake.sessions) as session:
        release = session.get_one(Release, release_id)
        if release.status != "ACTIVE":
            yield preview_key(release.scope, release.dataset)
        for row in session.execute(files):
            yield preview_key(row.scope, row.name)


def _drop(lake: Lake, keys: Iterable[str]) -> None:
    stores = [lake.store, *(open_store(one.store) for one in lake.config.others if one.store)]

    def drop(key: str) -> None:
        for store in stores:
            previews.drop(store, key)

    first = next(iterator := iter(keys), None)
    if first is None:
        return
    drop(first)
    with ThreadPoolExecutor(_AT_ONCE) as several:
        for _ in several.map(drop, iterator):
            pass

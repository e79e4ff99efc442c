"""A file by its own name: the release that gives it out, and its bytes.

Provenance names files and references (``PRREFn``, `heliolake show`), and whoever reads that wants them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.governance.policy import PUBLIC, Action, Principal, may
from lake.lake import Lake
from lake.names import ProductKey, check_name, check_scope, parse_product, split_did, version_token
from lake.releases.access import Asked, require
from lake.releases.releases import entry
from lake.releases.search import fetch_file


class Held(NamedTuple):
    """A file, and the release through which somebody has it most easily."""

    release: Release
    product: ProductKey
    file: FileEntry

    @property
    def name(self) -> str:
        """``PRODUCT@vNNNN``."""
        return f"{self.product.name}@{version_token(self.release.version)}"


def is_file(name: str) -> bool:
    """Whether a text can be the name of a file, SCOPE:NAME, and cannot be that of a product."""
    try:
        parse_product(name)
    except BadInput:
        scope, colon, rest = name.strip().partition(":")
        try:
            return bool(colon and check_scope(scope) and check_name(rest))
        except BadInput:
            return False
    return False


def holder(lake: Lake, did: str, principal: Principal = PUBLIC) -> Held:
    """The release that holds a file: of several the newest that somebody may have, else the newest.

    Parameters
    ----------
    lake
        The lake.
    did
        ``SCOPE:NAME``, as provenance names files and references.
    principal
        Who asks.

    Raises
    ------
    BadInput
        When no release holds such a file.
    """
    scope, name = split_did(did.strip())
    query = (
        select(Release, Observation, File)
        .join(ReleaseFile, ReleaseFile.release_id == Release.id)
        .join(File, File.id == ReleaseFile.file_id)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(File.scope == scope, File.name == name, Release.status != "DRAFT")
        .order_by(Release.version.desc(), Release.id.desc())
    )
    at = datetime.now(UTC)
    with transaction(lake.sessions) as session:
        found = [
            Held(release, ProductKey(kept.scope, kept.name, release.level), entry(file, None))
            for release, kept, file in session.execute(query)
        ]
    if not found:
        raise BadInput(
            "no release holds such a file",
            keyword="file",
            found=did[:300],
            advice="`heliolake show PRODUCT` names the files of a release, and what they were made with",
            code=Reason.NOT_FOUND,
        )
    return next((one for one in found if may(principal, Action.BYTES, one.release, at)), found[0])


def before(lake: Lake, held: Held) -> str:
    """Name of the file that comes before this one in its release; '' of the first."""
    query = (
        select(func.max(File.name))
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == held.release.id, File.name < held.file.name)
    )
    with transaction(lake.sessions) as session:
        return session.scalar(query) or ""


def get_file(lake: Lake, did: str, folder: Path | str, principal: Principal = PUBLIC) -> Path:
    """Write one file to a folder, compared with its checksums on the way.

    Raises
    ------
    BadInput
        When no release holds it, it may not be had, its stored copy is damaged, or another is in the way.
    Retriable, Fatal
        When the storage or the folder cannot be used at all.
    """
    held = holder(lake, did, principal)
    granted = require(lake, principal, [Asked.of(held.release, held.product.name)])
    return fetch_file(lake, granted, held.file, folder)

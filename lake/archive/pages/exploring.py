"""Looking closely at a file: down to its pixels, along its axes, beside others, in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from lake.archive.looks import Viewer
from lake.archive.pages.rendering import page
from lake.catalogue.models import File, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.governance.doi.facts import release_did
from lake.governance.policy import Action
from lake.lake import Lake
from lake.releases.search import files_of
from lake.releases.values import is_simulated

router = APIRouter(include_in_schema=False)

_STACK: Final = 200
"""Images that are played at most: those from the one that is looked at on."""
_BESIDE: Final = 12


@router.get("/releases/{product}/look/{file}")
def look(request: Request, viewer: Viewer, product: str, file: str) -> HTMLResponse:
    """A page to look at a file closely; for those who may."""
    found, key, given = viewer.release(product, Action.PREVIEW)
    _, entry, _ = viewer.file(product, file, Action.PREVIEW)
    stack = files_of(viewer.lake, given, found.id, limit=_STACK, after=_before(entry.name))
    alike = [one for one in stack if one.shape == entry.shape]
    return page(
        request,
        "look.html",
        name=release_did(key, found.version),
        file=entry,
        stack=sorted(alike, key=lambda one: (one.date_beg is None, one.date_beg, one.name)),
        beside=beside(viewer.lake, found, entry.stem, entry.shape),
        shape=" × ".join(map(str, entry.shape)),
        simulated=is_simulated(entry.meta),
    )


def _before(name: str) -> str:
    """What stands just before a name."""
    return name[:-1] + chr(ord(name[-1]) - 1) + "~"


def beside(lake: Lake, release: Release, stem: str, shape: Sequence[int]) -> list[dict[str, Any]]:
    """Of a file, those of other levels of its observation: of the same raw file where there are such."""
    query = (
        select(
            Product.name.label("product"), Release.version, Release.level, File.name, File.stem, File.shape
        )
        .join(Release, Release.product_id == Product.id)
        .join(ReleaseFile, ReleaseFile.release_id == Release.id)
        .join(File, File.id == ReleaseFile.file_id)
        .where(
            Product.observation_id.in_(
                select(Product.observation_id).where(Product.id == release.product_id)
            ),
            Release.status == "ACTIVE",
            Release.id != release.id,
        )
        .order_by(File.stem != stem, Release.level, File.name)
        .limit(_BESIDE)
    )
    with transaction(lake.sessions) as session:
        rows = session.execute(query).all()
    same = [row for row in rows if row.stem == stem]
    return [
        {
            "release": f"{row.product}@v{row.version:04d}",
            "level": row.level,
            "same": row.stem == stem,
            "file": row.name,
            "alike": tuple(row.shape[-2:]) == tuple(shape[-2:]),
        }
        for row in same or rows
    ]

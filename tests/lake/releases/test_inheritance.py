"""What is made of releases under embargo is under embargo, from the moment it is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from lake.catalogue.models import Product, Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish


@pytest.fixture
def product(scope: str) -> ProductKey:
    """A product no other test uses."""
    return ProductKey(scope, "obs", "1")


UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


def hold(lake: Lake, product: ProductKey, *holders: str) -> None:
    """Put every release of a product under embargo, as somebody would in the middle of a run."""
    with transaction(lake.sessions) as session:
        rows = select(Release).join(Product).where(Product.name == product.name)
        for release in session.scalars(rows):
            release.embargo_until, release.embargo_holders = UNTIL, list(holders)


def terms(lake: Lake, product: ProductKey, version: int) -> tuple[datetime | None, list[str]]:
    with transaction(lake.sessions) as session:
        rows = select(Release).join(Product).where(Product.name == product.name, Release.version == version)
        release = session.scalars(rows).one()
        return release.embargo_until, release.embargo_holders


def test_a_derived_release_has_the_embargo_its_parents_have_when_it_is_published(
    lake: Lake, product: ProductKey, make_files: Callable[..., list[FileEntry]]
) -> None:
    raw = product._replace(level="0")
    publish(lake, reserve(lake, raw, "raw"), make_files("a.fits", level="0"))
    draft = reserve(lake, product, "k1")
    hold(lake, raw, "ada", "bo")  # the draft was reserved before
    parents = [f"{raw.name}@v0001"]
    made = publish(lake, draft, make_files("a.l1.v0001.fits", level="1"), Provenance(parents=parents))
    assert terms(lake, product, 1) == (UNTIL, ["ada", "bo"])
    assert made["embargo_until"] is not None


def test_a_new_version_keeps_the_embargo_of_the_one_before(
    lake: Lake, product: ProductKey, make_files: Callable[..., list[FileEntry]]
) -> None:
    publish(lake, reserve(lake, product, "k1"), make_files("a.l1.v0001.fits", level="1"))
    hold(lake, product, "ada")
    publish(lake, reserve(lake, product, "k2"), make_files("a.l1.v0002.fits", level="1"))
    assert terms(lake, product, 2) == (UNTIL, ["ada"])


def test_what_is_made_of_public_data_is_public(
    lake: Lake, product: ProductKey, make_files: Callable[..., list[FileEntry]]
) -> None:
    publish(lake, reserve(lake, product, "k1"), make_files("a.l1.v0001.fits", level="1"))
    assert terms(lake, product, 1) == (None, [])

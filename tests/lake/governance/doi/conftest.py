"""A registry that answers, what is said of the data, and releases to give DOIs to."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cluster.registry.rules import PracticeRegistry
from cluster.registry.server import RegistryServer, serving
from cluster.registry.shelf import Shelf
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.governance.doi.curating import Subject, of_product
from lake.governance.doi.office import Office
from lake.governance.doi.registry import Citations, Registry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.releases.search import resolve
from tests.lake.conftest import MakeFiles

SAID: dict[str, Any] = {
    "title": "Toy spectra",
    "creators": [
        {
            "family": "Doe",
            "given": "Jane",
            "orcid": "0000-0002-1825-0097",
            "affiliation": [{"name": "An institute", "ror": "https://ror.org/01abcde99"}],
        },
        {"name": "The toy team"},
    ],
    "publisher": {"name": "A data centre"},
    "licence": {
        "name": "CC BY 4.0",
        "uri": "https://example.org/by/4.0/",
        "spdx": "CC-BY-4.0",
    },
    "funding": [{"name": "A funder", "award": "12", "award_uri": "https://example.org/12"}],
    "subjects": ["Sun", "spectra"],
    "instrument": {"name": "The toy spectrograph", "doi": "10.5072/toy"},
    "description": "Spectra of a toy.",
}


@pytest.fixture
def prefix() -> str:
    """A prefix no other test uses: a sync looks at all DOIs under one."""
    return f"10.{random.SystemRandom().randrange(10000, 99999)}"


@pytest.fixture
def server(tmp_path: Path, prefix: str) -> Iterator[RegistryServer]:
    """A registry over HTTP."""
    rules = PracticeRegistry(Shelf(tmp_path / "registry"), "ABC.DEF", secrets.token_hex(8), prefix)
    with serving(rules) as running:
        yield running


@pytest.fixture
def office(server: RegistryServer, prefix: str, scope: str) -> Office:
    """What governing functions work on."""
    return office_at(server.url, server.registry.password, prefix, scope)


def office_at(url: str, password: str, prefix: str, scope: str, **more: Any) -> Office:
    """The same, also in another process."""
    landing = "https://example.org/doi/{doi}"
    registry = Registry(url, "ABC.DEF", password, prefix, landing, namespace=prefix, **more)
    return Office(registry, Citations({scope: SAID}, Path("governance.yaml")))


@pytest.fixture
def product(scope: str) -> ProductKey:
    """A product no other test uses."""
    return ProductKey(scope, "obs", "1")


Publish = Callable[[], Subject]


@pytest.fixture
def release(lake: Lake, product: ProductKey, make_files: MakeFiles) -> Publish:
    """Publishes the next release of the product."""
    made = 0

    def next_one() -> Subject:
        nonlocal made
        made += 1
        files = make_files(f"a.l1.v{made:04d}.fits", level="1")
        publish(lake, reserve(lake, product, f"k{made}"), files)
        return version(lake, product, made)

    return next_one


def version(lake: Lake, product: ProductKey, number: int) -> Subject:
    """A release as something that has a DOI."""
    found, key = resolve(lake, f"{product.name}@v{number:04d}")
    return Subject(key, found.product_id, found.id)


@pytest.fixture
def concept(lake: Lake, product: ProductKey) -> Callable[[], Subject]:
    """The product as something that has a DOI."""
    return lambda: of_product(lake, product.name)


def hold(lake: Lake, subject: Subject, until: datetime | None) -> None:
    """Put a release under embargo."""
    change(lake, subject, embargo_until=until)


def change(lake: Lake, subject: Subject, **values: Any) -> None:
    """Change the row of a release."""
    with transaction(lake.sessions) as session:
        for row in session.scalars(select(Release).where(Release.id == subject.release_id)):
            for name, value in values.items():
                setattr(row, name, value)


def records(server: RegistryServer) -> dict[str, dict[str, Any]]:
    """Everything the registry has, by DOI."""
    shelf = server.registry.records
    assert isinstance(shelf, Shelf)
    found = [shelf.get(one.stem.replace("%2F", "/")) for one in shelf.folder.glob("*.json")]
    return {one["doi"]: one for one in found if one is not None}

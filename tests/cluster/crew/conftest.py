"""A lake of three sites: the home, north with a folder, south with an S3 storage, each with its own Dask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.home.home import Home
from cluster.services import up
from cluster.sites.book import Book
from lake.lake import Lake
from tests.conftest import running, running_home
from tests.objects import require_seaweedfs


@pytest.fixture(scope="package")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """What the home knows of its sites; all of them run."""
    require_seaweedfs()
    if there := running("sites"):
        yield Book(there)
        return
    home = Home(tmp_path_factory.mktemp("sites"))
    found = Book(home)
    found.add_embedded("north", "posix")
    found.add_embedded("south", "s3")
    with running_home(home.path):
        up(home)
        yield found


@pytest.fixture
def lake(book: Book) -> Iterator[Lake]:
    """The lake, from which all its storages are seen."""
    with Lake.open(book.lake_config()) as opened:
        yield opened

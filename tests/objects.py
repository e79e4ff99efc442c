"""A SeaweedFS of its own for tests of stores, in a home in which nothing else runs."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.home.home import Home
from cluster.services.lifecycle import OBJECTS
from cluster.services.objects import program
from lake.errors import Fatal
from lake.storage import credentials
from lake.storage.credentials import Credentials
from lake.storage.s3 import S3Store, s3_url
from tests.conftest import ending_with_tests


class Objects:
    """A home whose S3 storage runs within a ``with`` block, and stores below prefixes of its bucket.

    Parameters
    ----------
    folder
        For the credentials of the stores, and for the home.
    running
        A home whose storage runs already, and goes on when the block ends.
    """

    def __init__(self, folder: Path, running: Home | None = None) -> None:
        self.home = running or Home(folder / "objects")
        self.stores = folder / "stores.json"
        self._ours = running is None
        self._until_end = ExitStack()

    def __enter__(self) -> Objects:
        if self._ours:
            self._until_end.enter_context(ending_with_tests(self.home))
            self.home.create("s3")
            OBJECTS.start(self.home)
        credentials.use(self.stores)
        return self

    def __exit__(self, *_: object) -> None:
        self._until_end.close()

    def store(self, prefix: str, *, bucket: str = "heliolake", key: str = "") -> S3Store:
        """A store of its own below a prefix."""
        url = s3_url(bucket, self.home.url("s3"), prefix=prefix, region="us-east-1")
        known = credentials.read(self.stores) | {url: Credentials("heliolake", key or self.home.secret("s3"))}
        self.stores.write_text(credentials.as_text(known))
        return S3Store(url)


def require_seaweedfs() -> None:
    """Skip, with the reason, where it is not installed."""
    if os.environ.get("HELIOLAKE_TESTS_WITHOUT_SERVICES"):
        pytest.skip("HELIOLAKE_TESTS_WITHOUT_SERVICES is set")
    try:
        program()
    except Fatal as missing:
        pytest.skip(str(missing))

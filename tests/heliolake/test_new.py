"""`heliolake new instrument`: what it writes works at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.home.home import Home
from cluster.services import installed
from pipeline.registry import forget
from tests.conftest import HOUSE
from tests.heliolake.conftest import Command


@pytest.mark.parametrize("options", [(), ("--package",)], ids=["folder", "package"])
def test_what_it_writes_passes_its_check_and_its_tests(
    run: Command, tmp_path: Path, options: tuple[str, ...]
) -> None:
    said = run("new", "instrument", "night_camera", "-o", tmp_path, "--json", *options)
    files = [Path(name) for name in said.document()["files"]]
    assert all(path.is_file() for path in files)
    (top,) = tmp_path.iterdir()
    checked = run("instruments", "--check", top)
    assert (checked.code, "fit for use" in checked.out) == (0, True)
    environment = {**os.environ, "PYTHONPATH": str(HOUSE)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(top)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Night", "no name for an instrument"),
        ("../x", "no name for an instrument"),
        ("a" * 30, "no name for an instrument"),
        ("class", "no name for an instrument"),
        ("json", "module of Python"),
        ("sdo_aia", "there is an instrument sdo_aia already"),
    ],
)
def test_names_that_cannot_be_are_refused(run: Command, tmp_path: Path, name: str, why: str) -> None:
    said = run("new", "instrument", name, "-o", tmp_path)
    assert said.code == 2
    assert why in said.err
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(run: Command, tmp_path: Path) -> None:
    (tmp_path / "night_camera").mkdir()
    said = run("new", "instrument", "night_camera", "-o", tmp_path)
    assert said.code == 2
    assert "something of that name" in said.err


def test_a_check_says_what_is_wrong_and_ends_with_1(run: Command, tmp_path: Path) -> None:
    run("new", "instrument", "night_camera", "-o", tmp_path)
    path = tmp_path / "night_camera" / "instrument.yaml"
    path.write_text(path.read_text().replace("{camera}_", "{kamera}_"))
    said = run("instruments", "--check", path.parent, "--json")
    assert said.code == 1
    assert said.document()["problems"] == ["observation: {kamera} is neither date nor one of meta: camera"]
    assert "Did you mean sdo_aia" in run("instruments", "--check", "sdo_aya").err


def test_a_broken_package_is_listed_with_the_others(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = _installed(run, tmp_path)
    (site / "heliolake_night_camera" / "steps" / "dark.py").write_text("import nompy\n")
    monkeypatch.syspath_prepend(str(site))
    forget()
    try:
        said = run("instruments", "--json")
        assert said.code == 1
        assert "nompy" in said.document()["broken"]["night_camera"]
        assert "sdo_aia" in {one["name"] for one in said.document()["instruments"]}
    finally:
        monkeypatch.undo()
        forget()


def test_a_package_installed_while_services_run_is_noticed(
    run: Command, here: Command, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not installed.changed(home)
    site = _installed(run, tmp_path)
    monkeypatch.syspath_prepend(str(site))
    for command in ("search", "status"):
        said = here(command, "--json")
        assert "night_camera" in said.err
        assert "was installed after the services started" in said.err
        assert "heliolake down" in said.err
        assert said.document()
    monkeypatch.undo()
    assert "night_camera" not in here("search").err


def _installed(run: Command, tmp_path: Path) -> Path:
    """A package as pip leaves it: a folder for the path."""
    run("new", "instrument", "night_camera", "--package", "-o", tmp_path)
    site = tmp_path / "heliolake_night_camera"
    info = site / "night-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: night\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[heliolake.instruments]\nnight_camera = heliolake_night_camera\n")
    return site

"""`heliolake new instrument`: what it writes works at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.home.home import Home
from cluster.services import installed
from pipeline.registry import forget, working_on
from pipeline.testing import assert_provenance, run_recipe, toy_frame
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


#: What an author adds for a spectrograph whose slit goes over the Sun: cubes, and a map made of its steps.
AXES = """
axes:
  - dims: [stokes, wavelength, y]
"""
MAP_RECIPE = """
name: slit_camera-map
instrument: slit_camera
from_level: "0"
to_level: "1"
version: 1
group_by: {values: [scan], member: place, count: places}
outputs: {glance: Q1}
steps:
  - {step: slit_map}
"""
MAP_STEP = '''
import numpy as np

from pipeline import Output, Params, gather

CUBE = ("stokes", "wavelength", "y")


class SlitMapParams(Params):
    """Nothing to choose."""


@gather(
    "slit_map",
    version=1,
    prstep="MAP",
    instrument="slit_camera",
    dims=CUBE,
    output_shape=lambda params, shape: (*shape[1:], shape[0]),
    output_dims=lambda params, dims: (*CUBE, "x"),
    outputs={"glance": Output(lambda params, shape: (shape[3], shape[0]))},
)
def slit_map(frames, params: SlitMapParams, references):
    """The positions of the slit side by side, and the continuum of Stokes I as a quick look."""
    data = np.stack([frame.data for frame in frames], axis=-1)
    flags = np.stack([frame.quality for frame in frames], axis=-1)
    made = frames[0].replace(data=data, quality=flags, dims=(*CUBE, "x"))
    look = {"data": data[0, 0], "quality": flags[0, 0], "header": made.header.copy(), "dims": ("y", "x")}
    return made.with_output("glance", made.replace(**look))
'''


def test_what_it_writes_grows_into_cubes_and_maps_made_of_them(run: Command, tmp_path: Path) -> None:
    run("new", "instrument", "slit_camera", "-o", tmp_path)
    folder = tmp_path / "slit_camera"
    described = (folder / "instrument.yaml").read_text().replace('"1": "1"}', '"1": "1", Q1: Q1}')
    values = "\n".join(f"  {name}: {{keyword: {name.upper()}}}" for name in ("scan", "place", "places"))
    (folder / "instrument.yaml").write_text(described.replace("\nsolarnet:", f"\n{values}\nsolarnet:") + AXES)
    (folder / "recipes" / "map.yaml").write_text(MAP_RECIPE)
    (folder / "recipes" / "slit_camera-l1.yaml").unlink()  # its steps take images
    (folder / "steps" / "map.py").write_text(MAP_STEP)
    (folder / "steps" / "__init__.py").write_text("from slit_camera.steps import map\n")
    checked = run("instruments", "--check", folder)
    assert checked.code == 0, checked.out + checked.err
    dims, shape = ("stokes", "wavelength", "y"), (4, 5, 3)
    cards = {"TELESCOP": "SLIT_CAMERA", "DETECTOR": "CAM1", "EXPTIME": 1.0, "SCAN": 7, "PLACES": 2}
    with working_on(folder):
        frames = [toy_frame(float(place), shape, dims, PLACE=place, **cards) for place in (1, 2)]
        (ran,) = run_recipe("slit_camera-map", frames, members=2)
    assert (ran.made.dims, ran.made.data.shape) == ((*dims, "x"), (*shape, 2))
    assert ran.made.data[0, 0, 0].tolist() == [1.0, 2.0]
    assert ran.outputs["glance"].data.shape == (3, 2)
    assert ran.outputs["glance"].header["LEVEL"] == "Q1"
    assert_provenance(ran.made, "MAP")


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
    # Other tests of this process may have packages of their own on the path.
    assert not any("night_camera" in one for one in installed.changed(home))
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


def test_a_check_says_what_cannot_be_said_of_how_data_are_cited(run: Command, tmp_path: Path) -> None:
    run("new", "instrument", "cited_camera", "-o", tmp_path)
    path = tmp_path / "cited_camera" / "instrument.yaml"
    text = path.read_text()
    path.write_text(f"{text}\ncitation: {{creators: [{{name: A team}}], subjects: [corona]}}\n")
    assert run("instruments", "--check", path.parent).code == 0
    path.write_text(f"{text}\ncitation: {{creators: [{{family: Doe, orcid: '0000-0002-1825-0098'}}]}}\n")
    said = run("instruments", "--check", path.parent)
    assert (said.code, "citation.creators.0.orcid" in said.out) == (1, True)
